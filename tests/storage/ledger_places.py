"""Ledgers on disk: a local chain whose state is in an environment, commit by commit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from typing_extensions import override

from node.execution.commit import CommitInput, CommitOutcome, apply_commit
from node.execution.founding import compiled_contract
from node.execution.local_chain import LocalChain
from node.ledger.chain import read_chain
from node.ledger.checkpoint import checkpoint_digest
from node.ledger.tree.lookup import PLACE_FIRST, entries_from
from node.ledger.tree.source import NodeSource
from node.storage.environment import Environment
from node.storage.ledger_schema import LEDGER_SCHEMA
from node.storage.state_store import DEFAULT_LIMITS, StateLimits, StateStore
from node.storage.state_view import NO_HEIGHT, StoredChunks
from node.storage.writer import Writer
from primitives.ids import Digest, Height
from tests.ledger.tree.memory import naive_root
from tests.storage.places import opened

COUNTER: Final = """
class Counter(Contract):
    total: Int
    totals: Map[Address, Int]

    @external
    def add(self, amount: Int) -> Int:
        require(amount < 90, "that is too much")
        self.total += amount
        self.totals[sender()] += amount
        emit("Added", amount=amount)
        return self.total
"""
CONTRACTS: Final = (compiled_contract("counter", COUNTER),)


class Ledger(NamedTuple):
    """An open ledger."""

    environment: Environment
    writer: Writer
    store: StateStore


class RootedChain(LocalChain):
    """A chain in memory whose checkpoints have the true state root."""

    def __init__(self) -> None:
        super().__init__(contracts=CONTRACTS)

    @override
    def commit(self, payload: Sequence[bytes]) -> CommitOutcome:
        outcome = self._execute(payload)
        self.state.write(outcome.changes)
        self._adopt(outcome, Digest(naive_root(self.state.values)))
        return outcome

    def _execute(self, payload: Sequence[bytes]) -> CommitOutcome:
        return apply_commit(self.state, self._input(payload), machine=self.machine)

    def _input(self, payload: Sequence[bytes]) -> CommitInput:
        sub_dag = self._order(tuple(payload))
        return CommitInput(sub_dag=sub_dag, last_checkpoint=self._last_checkpoint)

    def _adopt(self, outcome: CommitOutcome, root: Digest) -> None:
        checkpoint = outcome.checkpoint(root)
        if checkpoint is not None:
            self._last_checkpoint = checkpoint_digest(checkpoint)


class DiskChain(RootedChain):
    """The same chain, executed on what is on disk; opened again it goes on where it was.

    Attributes:
        ledger: where it is.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        store = ledger.store
        if store.height == NO_HEIGHT:
            store.commit(Height(0), self.state.values, receipts=(), record=self._record())
            return
        self.state.values.clear()
        with store.view() as view:
            record = view.commit_record()
            self.state.values.update(stored_entries(ledger))
        assert record is not None, "the newest commit keeps its record"
        self._last_checkpoint, self._previous = Digest(record[:32]), Digest(record[32:])
        self.now_ms = read_chain(self.state).time_ms

    @property
    def height(self) -> Height:
        """Return the height of the last commit."""
        return self.ledger.store.height

    @override
    def commit(self, payload: Sequence[bytes]) -> CommitOutcome:
        given = self._input(payload)
        with self.ledger.store.view_to_execute() as view:
            outcome = apply_commit(view, given, machine=self.machine)
        receipts = outcome.encoded_receipts
        prepared = self.ledger.store.prepare(
            outcome.height, outcome.changes, receipts=receipts, record=b""
        )
        self._adopt(outcome, prepared.root)
        root = self.ledger.store.commit(
            outcome.height, outcome.changes, receipts=receipts, record=self._record()
        )
        assert root == prepared.root
        self.state.write(outcome.changes)
        return outcome

    def _record(self) -> bytes:
        return self._last_checkpoint + self._previous


@contextmanager
def ledger_at(folder: Path, *, limits: StateLimits = DEFAULT_LIMITS) -> Iterator[Ledger]:
    """Open the ledger in a folder, for a while."""
    with opened(folder, schema=LEDGER_SCHEMA) as (environment, writer):
        store = StateStore.open(environment, writer, limits=limits)
        yield Ledger(environment, writer, store)


def stored_entries(ledger: Ledger) -> dict[bytes, bytes]:
    """Return all keys and values of the newest state, read from the disk alone."""
    root = ledger.store.version.root
    with ledger.environment.snapshot() as snapshot:
        source = NodeSource(StoredChunks(snapshot), trunk={})
        return dict(map(source.content, entries_from(source, root, PLACE_FIRST)))
