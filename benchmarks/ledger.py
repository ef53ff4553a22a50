"""What a transaction costs from agreed bytes to a durable state root, by the size of the state.

Commits of 1,000 transfers, then of 1,000 token transfers by contract, on states of 10**4, 10**5
and 10**6 accounts. The limit beside each figure is one Ed25519 verification in the same run: nodes
verify every transaction once, so what costs less than that is not what bounds them. Signatures are
left out of the totals; the stages of a commit show where the time goes. Figures are CPU time of the
whole process, writer thread included, median over the commits of a run.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from benchmarks.comparison import Row, compare, run
from benchmarks.ledger_town import BATCH, Town, chain_of, founded, sub_dag_of
from node.execution.commit import CommitInput, Machine, apply_commit
from node.execution.library import Library
from node.ledger.account import Account
from node.ledger.admission import check_signature
from node.ledger.chain import ChainRecord
from node.ledger.checkpoint import CHECKPOINT_CODEC, NO_CHECKPOINT
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, SignedTransaction
from node.storage.state_store import StateStore
from node.storage.writer import Writer
from node.vm.engine import FastTier

VERIFICATION: Final = "Ed25519 verification"
UNIT: Final = "us of CPU a transaction"
VERIFICATIONS_GOAL: Final = 1.0
GROWTH_GOAL: Final = 1.5
TOKEN_SOURCE: Final = Path(__file__).with_name("contracts") / "endowed_token.contract"

Payload = Callable[[Town, ChainRecord], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        sizes: accounts in the state.
        commits: of each kind; the first one warms up.
    """

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    commits: int = 16


QUICK: Final = Effort(sizes=(10_000, 100_000), commits=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Microseconds of CPU for each transaction of a commit, by stage."""

    verify: float
    execute: float
    tree: float
    disk: float

    @property
    def total(self) -> float:
        """All but the signatures."""
        return self.execute + self.tree + self.disk


def measure_rows(effort: Effort) -> list[Row]:
    """Measure transfers and calls at every size."""
    rows: list[Row] = []
    totals: dict[tuple[str, int], float] = {}
    for size in track(effort.sizes, description="states", console=Console(stderr=True)):
        town = Town(size, token_source=TOKEN_SOURCE.read_text(encoding="utf-8"))
        with (
            tempfile.TemporaryDirectory() as folder,
            founded(town, Path(folder)) as (store, writer),
        ):
            # What was built to measure with is no garbage; a node freezes what it starts with, too.
            gc.collect()
            gc.freeze()
            _commit(store, writer, town.endowments(chain_of(store)))
            for name, payload in (("transfer", Town.transfers), ("contract call", Town.calls)):
                splits = [
                    _commit(store, writer, payload(town, chain_of(store)))
                    for _ in range(effort.commits)
                ]
                split = _median(splits[1:])
                totals[name, size] = split.total / split.verify
                rows += _rows(f"{name}, {size:,} accounts", split)
    rows += _growth_rows(totals, effort.sizes)
    return rows


def _rows(case: str, split: Split) -> Iterator[Row]:
    yield compare(
        case,
        UNIT,
        split.total,
        peer_name=VERIFICATION,
        peer=split.verify,
        goal=VERIFICATIONS_GOAL if case.startswith("transfer") else None,
    )
    for stage in ("execute", "tree", "disk"):
        cost = getattr(split, stage)
        yield compare(f"{case}: {stage}", UNIT, cost, peer_name=VERIFICATION, peer=split.verify)


def _growth_rows(totals: dict[tuple[str, int], float], sizes: Sequence[int]) -> Iterator[Row]:
    small, large = sizes[0], sizes[-1]
    for name in ("transfer", "contract call"):
        yield compare(
            f"{name}, {small:,} to {large:,} accounts",
            "verifications a transaction",
            totals[name, large],
            peer_name=f"{small:,} accounts",
            peer=totals[name, small],
            goal=GROWTH_GOAL,
        )


def _commit(store: StateStore, writer: Writer, payload: tuple[bytes, ...]) -> Split:
    """Verify, execute and store one commit."""
    chain = chain_of(store)
    sub_dag = sub_dag_of(chain, payload)
    signed = [SIGNED_TRANSACTION_CODEC.decode(raw) for raw in payload]
    verify = _cpu(lambda: _verify(signed))
    commit = CommitInput(sub_dag=sub_dag, last_checkpoint=NO_CHECKPOINT)
    began = time.process_time()
    with store.view_to_execute() as view:
        outcome = apply_commit(view, commit, machine=MACHINE)
    assert outcome.draft is not None
    executed = time.process_time()
    prepared = store.prepare(
        outcome.height,
        outcome.changes,
        receipts=outcome.encoded_receipts,
        record=CHECKPOINT_CODEC.encode(outcome.draft),
    )
    computed = time.process_time()
    writer.write(prepared.batch)
    store.adopt(prepared)
    stored = time.process_time()
    failures = {r.code for r in outcome.receipts if r.status is not ReceiptStatus.DONE}
    assert not failures, f"transactions failed: {failures}"
    scale = 1e6 / BATCH
    return Split(
        verify=verify * scale,
        execute=(executed - began) * scale,
        tree=(computed - executed) * scale,
        disk=(stored - computed) * scale,
    )


def _trust(_signed: SignedTransaction, _account: Account) -> None:
    """Answer from memory, as a node does that verified the signature on arrival."""


MACHINE: Final = Machine(engine=FastTier(), library=Library(), check=_trust)
# Whoever has sent before is not asked again whether its address is a key.
_KNOWN: Final = Account(nonce=1)


def _verify(transactions: Sequence[SignedTransaction]) -> None:
    for signed in transactions:
        check_signature(signed, account=_KNOWN)


def _cpu(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _median(splits: Sequence[Split]) -> Split:
    return Split(
        verify=statistics.median(split.verify for split in splits),
        execute=statistics.median(split.execute for split in splits),
        tree=statistics.median(split.tree for split in splits),
        disk=statistics.median(split.disk for split in splits),
    )


if __name__ == "__main__":
    run("ledger", lambda quick: measure_rows(QUICK if quick else Effort()))
