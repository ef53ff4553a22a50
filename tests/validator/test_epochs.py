import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from consensus.commit import Commit, CommittedSubDag, genesis_commit_digest
from consensus.committee import Authority, Committee, EpochContext
from consensus.events import JournalEntry
from consensus.parameters import Parameters
from consensus.ports import CommitSink, Notice, Seat
from node.execution.local_chain import key_named
from node.storage.block_store import LmdbBlockStore
from node.storage.environment import Environment
from node.storage.errors import StorageInUseError
from node.storage.writer import Writer
from node.validator.epochs import JOURNALS_KEPT, ChainEpochs, Post, seat_in
from node.validator.errors import SeatLostError
from primitives.errors import StorageError
from primitives.ids import (
    AuthorityIndex,
    ChainId,
    CommitIndex,
    Digest,
    Epoch,
    Power,
    Round,
    TimestampMs,
)
from tests.chain.founded import chain_at
from tests.chain.proposer import sub_dag

KEY = key_named("validator-0 consensus")
STRANGER = key_named("validator-9 consensus")
DESCRIPTORS = Path("/proc/self/fd")
CHAIN = ChainId(b"\xc1" * 32)


def context_of(epoch: int, *, previous: bytes = bytes(32), seats: int = 4) -> EpochContext:
    keys = [key_named(f"validator-{number} consensus").public.raw for number in range(seats)]
    return EpochContext(
        chain_id=CHAIN,
        epoch=Epoch(epoch),
        committee=Committee([Authority(Power(1), key) for key in keys]),
        parameters=Parameters(),
        previous=Digest(previous),
    )


class NoSink(CommitSink):
    @override
    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        raise AssertionError("nothing is delivered here")

    @override
    async def notify(self, notice: Notice) -> None:
        raise AssertionError("nothing is told here")

    @override
    def last_index(self) -> CommitIndex:
        return CommitIndex(0)


@dataclass
class Ledger:
    """An environment for blocks, and the epoch that the chain would say."""

    environment: Environment
    writer: Writer
    running: EpochContext = field(default_factory=lambda: context_of(0))
    opened: list[tuple[Epoch, AuthorityIndex]] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)

    def context(self) -> EpochContext:
        return self.running


@contextmanager
def ledger_at(folder: Path) -> Iterator[Ledger]:
    folder.mkdir(exist_ok=True)
    with chain_at(folder) as chain:
        yield Ledger(chain.environment, chain.writer)


@contextmanager
def epochs_of(ledger: Ledger, journals: Path) -> Iterator[ChainEpochs]:
    async def settled() -> None:
        ledger.settled.append("asked")

    with ChainEpochs(
        ledger,
        Post(key=KEY, folder=journals),
        make_sink=lambda _: NoSink(),
        settled=settled,
        opened=lambda context, own: ledger.opened.append((context.epoch, own)),
    ) as epochs:
        yield epochs


def closing_commit(context: EpochContext) -> Commit:
    closing = sub_dag(
        context,
        index=CommitIndex(1),
        previous=genesis_commit_digest(context.genesis_digest),
        payload=(),
        time_ms=TimestampMs(0),
    )
    return closing.commit


def sign(seat: Seat, number: int, *, epoch: int = 0) -> None:
    seat.journal.append((JournalEntry(Epoch(epoch), Round(number), Digest(bytes(32))),))


def last_round(seat: Seat) -> int | None:
    last = seat.journal.last()
    return None if last is None else last.round


def is_mourned(seat: Seat) -> bool:
    try:
        seat.journal.last()
    except StorageError:
        return True
    return False


def test_an_epoch_that_begins_gets_an_empty_journal_and_the_seat_is_told(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        seat = epochs.open(context_of(0))
        assert (seat.own, last_round(seat)) == (0, None)
        assert ledger.opened == [(0, 0)]


def test_an_epoch_that_is_opened_again_keeps_what_was_signed(tmp_path: Path) -> None:
    for expected in (None, 7):
        with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
            seat = epochs.open(context_of(0))
            assert last_round(seat) == expected
            if expected is None:
                sign(seat, 7)


def test_a_journal_that_is_missing_from_an_epoch_that_began_is_mourned(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        sign(epochs.open(context_of(0)), 7)
    shutil.rmtree(tmp_path / "j")
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        seat = epochs.open(context_of(0))
        assert is_mourned(seat)
        with pytest.raises(StorageError):
            sign(seat, 8)


def test_a_ledger_that_was_emptied_leaves_the_journal_in_force(tmp_path: Path) -> None:
    with ledger_at(tmp_path / "old") as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        sign(epochs.open(context_of(0)), 7)
    with ledger_at(tmp_path / "new") as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        assert last_round(epochs.open(context_of(0))) == 7


def test_an_epoch_before_one_that_was_signed_in_is_mourned_on_an_older_ledger(
    tmp_path: Path,
) -> None:
    with ledger_at(tmp_path / "old") as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        for epoch in range(JOURNALS_KEPT + 2):
            epochs.open(context_of(epoch))
    with ledger_at(tmp_path / "backup") as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        assert is_mourned(epochs.open(context_of(0)))


def test_a_journal_of_another_key_is_mourned(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        epochs.open(context_of(0))
    (journal,) = (tmp_path / "j").iterdir()
    raw = journal.read_bytes()
    journal.write_bytes(raw[:60] + bytes(8) + raw[68:])
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        assert is_mourned(epochs.open(context_of(0)))


def test_two_processes_never_sign_with_one_journal(tmp_path: Path) -> None:
    with (
        ledger_at(tmp_path / "one") as one,
        ledger_at(tmp_path / "two") as two,
        epochs_of(one, tmp_path / "j") as first,
        epochs_of(two, tmp_path / "j") as second,
    ):
        first.open(context_of(0))
        with pytest.raises(StorageInUseError):
            second.open(context_of(0))


def test_journals_of_old_epochs_are_closed_and_deleted(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        (tmp_path / "j").mkdir()
        (tmp_path / "j" / "epoch-x-notes").touch()
        for epoch in range(JOURNALS_KEPT):
            epochs.open(context_of(epoch))
        files_open = len(list(DESCRIPTORS.iterdir()))
        for epoch in range(JOURNALS_KEPT, 3 * JOURNALS_KEPT):
            epochs.open(context_of(epoch))
        assert len(list(DESCRIPTORS.iterdir())) == files_open
        names = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "j").iterdir())
        kept = [f"epoch-{epoch}" for epoch in range(2 * JOURNALS_KEPT, 3 * JOURNALS_KEPT)]
        assert names == sorted([*kept, "epoch-x"])


def test_the_next_epoch_begins_when_the_closing_commit_is_executed(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        ledger.running = context_of(1)
        following = asyncio.run(epochs.next_epoch(context_of(0), closing_commit(context_of(0))))
        assert (following.epoch, ledger.settled) == (1, ["asked"])


def test_an_epoch_without_our_seat_is_told_by_an_error() -> None:
    with pytest.raises(SeatLostError, match="no seat in epoch 3"):
        seat_in(context_of(3), STRANGER)


def test_blocks_are_stored_under_the_epoch(tmp_path: Path) -> None:
    with ledger_at(tmp_path) as ledger, epochs_of(ledger, tmp_path / "j") as epochs:
        assert isinstance(epochs.open(context_of(0)).store, LmdbBlockStore)
