"""Whatever moment a node dies at, it goes on from the last durable commit and executes none twice.

Consensus has every commit on disk before it delivers it, and delivers again what was not executed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

import pytest
from typing_extensions import override

from consensus.commit import Commit, CommittedSubDag
from consensus.committee import EpochContext
from consensus.driver import Driver, WriterThread
from consensus.events import JournalEntry
from consensus.parameters import Tuning
from consensus.ports import CommitSink, Epochs, Network, Notice, Seat, SignerJournal
from node.chain.chain import Chain
from node.ledger.account import read_account
from node.ledger.parameters import LedgerParameters
from node.ledger.transaction import Transfer
from node.running.clock import SystemClock
from node.storage.block_store import LmdbBlockStore
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, DurationMs, Epoch, Grain, Height
from tests.chain.founded import SMALL_STAKES, address_of, chain_at, genesis_file
from tests.chain.proposer import CONSENSUS_KEYS, Proposer
from tests.storage.killing import kill_repeatedly


def _parameters(*, epoch_duration_ms: int) -> LedgerParameters:
    return LedgerParameters(
        staking=SMALL_STAKES.staking,
        epoch_duration_ms=DurationMs(epoch_duration_ms),
        trusting_period_ms=DurationMs(epoch_duration_ms),
    )


ALONE: Final = genesis_file(validators=1, parameters=_parameters(epoch_duration_ms=150))
BRIEF: Final = genesis_file(parameters=_parameters(epoch_duration_ms=700))
"""An epoch is seven commits."""
QUICK: Final = Tuning(min_round_delay_ms=1, tick_ms=5)
PAY_BOB: Final = Transfer(address_of("bob"), Grain(5))


class PowerCutError(StorageError):
    """What the node of a test dies of."""

    code: ClassVar[str] = "test-power-cut"


class Silence(Network):
    """A network with nobody else in it."""

    @override
    async def broadcast(self, message: bytes) -> None:
        return

    @override
    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        return

    @override
    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        return await asyncio.Future()


class RememberedJournal(SignerJournal):
    """A journal that outlives the driver, as a file would."""

    def __init__(self) -> None:
        self._last: JournalEntry | None = None

    @override
    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        self._last = entries[-1]

    @override
    def last(self) -> JournalEntry | None:
        return self._last


class MortalSink(CommitSink):
    """Has commits executed, until the node dies before or after one of them."""

    def __init__(self, chain: Chain, context: EpochContext, die: Callable[[], None]) -> None:
        self._chain = chain
        self._context = context
        self._die = die

    @override
    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        self._die()
        await self._chain.execute(sub_dag)
        self._die()

    @override
    async def notify(self, notice: Notice) -> None:
        return

    @override
    def last_index(self) -> CommitIndex:
        return self._chain.executed_in(self._context.epoch)


class ChainEpochs(Epochs):
    """The epochs of a chain with one validator."""

    def __init__(
        self, chain: Chain, journals: dict[Epoch, RememberedJournal], die: Callable[[], None]
    ) -> None:
        self._chain = chain
        self._journals = journals
        self._die = die

    @override
    def open(self, context: EpochContext) -> Seat:
        store = LmdbBlockStore.open(self._chain.environment, self._chain.writer, context)
        return Seat(
            own=AuthorityIndex(0),
            key=CONSENSUS_KEYS[context.committee.authorities[0].public_key],
            store=store,
            journal=self._journals.setdefault(context.epoch, RememberedJournal()),
            sink=MortalSink(self._chain, context, self._die),
        )

    @override
    async def next_epoch(self, context: EpochContext, closing: Commit) -> EpochContext:
        return self._chain.context()


class Reaper:
    """Lets a node die after some steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __call__(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise PowerCutError("the power is gone")


async def _live(chain: Chain, journals: dict[Epoch, RememberedJournal], *, steps: int) -> None:
    """Run the only validator until it dies."""
    with WriterThread() as blocking:
        driver = Driver(
            chain.context(),
            epochs=ChainEpochs(chain, journals, Reaper(steps)),
            network=Silence(),
            blocking=blocking,
            clock=SystemClock(),
            tuning=QUICK,
        )
        with suppress(PowerCutError):
            async with asyncio.TaskGroup() as group, asyncio.timeout(20):
                running = group.create_task(driver.run())
                await driver.submit((Proposer(chain).sign(PAY_BOB, sender="alice"),))
                await running


@pytest.mark.asyncio
async def test_commit_that_was_stored_and_not_executed_is_executed_after_the_restart(
    tmp_path: Path,
) -> None:
    journals: dict[Epoch, RememberedJournal] = {}
    heights = []
    # An odd number dies between the store of consensus and the execution, an even one after it.
    for steps in (1, 4, 5, 30, 31):
        with chain_at(tmp_path, genesis=ALONE) as chain:
            with suppress(ExceptionGroup):
                await _live(chain, journals, steps=steps)
            heights.append(chain.head.height)
            head = chain.head
        with chain_at(tmp_path, genesis=ALONE) as chain:
            assert chain.head == head
    assert heights == sorted(heights)
    assert heights[-1] >= 30
    with chain_at(tmp_path, genesis=ALONE) as chain, chain.view() as view:
        assert read_account(view, address_of("alice")).nonce >= 2
        assert chain.head.epoch >= 1


class ChainCommits:
    """Executes the same commits in every process; a workload to be killed.

    Step 1 is genesis, and step n + 1 the commit at height n.
    """

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        asyncio.run(self._run(folder, acknowledge))

    def check(self, folder: Path) -> int:
        """Compare what a killed process left with what it tells about itself."""
        with chain_at(folder, genesis=BRIEF) as chain:
            head = chain.head
            record = chain.record_at(head.height)
            assert record is not None
            if head.height:
                receipts = chain.receipts(head.height)
                assert receipts is not None
                found = chain.find_transaction(receipts[0].transaction_id)
                assert found == (head.height, 0)
            with chain.view() as view:
                assert view.root == head.state_root
                assert read_account(view, address_of("alice")).nonce == head.height
            return head.height + 1

    async def _run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        with chain_at(folder, genesis=BRIEF) as chain:
            proposer = Proposer(chain)
            acknowledge(chain.head.height + 1)
            while True:
                executed = await proposer.send(PAY_BOB)
                acknowledge(executed.height + 1)


def test_killed_chain_is_found_at_a_commit_boundary(tmp_path: Path) -> None:
    tally = kill_repeatedly(ChainCommits, tmp_path, kills=2, seed=5)
    assert tally.steps > tally.kills


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_chain_killed_twenty_times_is_found_at_commit_boundaries(seed: int, tmp_path: Path) -> None:
    tally = kill_repeatedly(ChainCommits, tmp_path, kills=20, seed=seed)
    assert tally.steps > tally.kills


@pytest.mark.asyncio
async def test_what_a_validator_signed_before_a_crash_is_what_it_signs_after(
    tmp_path: Path,
) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        signed = [(await proposer.commit()).checkpoint for _ in range(2)]
        heights = [chain.head.height - 1, chain.head.height]
        last = proposer.order()
        assert await chain.execute(last) is not None
    with chain_at(tmp_path) as chain:
        assert [chain.checkpoint_at(Height(height)) for height in heights] == signed
        before = chain.checkpoint_at(chain.head.height)
        assert await chain.execute(last) is None
        assert chain.checkpoint_at(chain.head.height) == before
