"""What every block store and every signer journal must do, as functions that take a factory.

A factory makes a fresh disk; opening the disk again is a restart. Stores whose disk can lose what
was not synced pass the crash cases as well. Use:

    @pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
    def test_my_store(case: StoreCase) -> None:
        case(MyDisk)
"""

from collections.abc import Callable
from typing import Final, Protocol

import pytest

from consensus.block import Block, SignedBlock
from consensus.commit import Commit, commit_digest, genesis_commit_digest
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.parameters import Parameters
from consensus.ports import BlockStore, SignerJournal
from consensus.schedule import ScheduleRecord
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Epoch, Round
from tests.consensus.builders import Forge, digest_of, flat, phantom, refs_of, vote
from tests.dsl.committee import context_of

CONTEXT: Final = context_of((1,) * 4, parameters=Parameters(gc_depth=3))
FORGE: Final = Forge(CONTEXT)
GC_DEPTH: Final = 3
ROUNDS: Final = FORGE.layers(8)


class StoreDisk(Protocol):
    """What outlives the process: each opening is a process that starts on it."""

    def open(self) -> BlockStore:
        """Open the store as it is now."""
        ...


class CrashingDisk(StoreDisk, Protocol):
    """A disk that can lose what was not synced."""

    @property
    def unsynced_count(self) -> int:
        """Return how many of the last writes a crash may lose."""
        ...

    def crash(self, *, lost: int) -> None:
        """Lose the last writes."""
        ...


class JournalDisk(Protocol):
    """What outlives the process of a signer."""

    def open(self) -> SignerJournal:
        """Open the journal as it is now."""
        ...

    def lose(self) -> None:
        """Lose the journal altogether."""
        ...


StoreCase = Callable[[Callable[[], StoreDisk]], None]
CrashCase = Callable[[Callable[[], CrashingDisk]], None]
JournalCase = Callable[[Callable[[], JournalDisk]], None]


def commit_of(index: int, *blocks: Block) -> Commit:
    """Return a commit of these blocks; the last one leads."""
    previous = genesis_commit_digest(CONTEXT.genesis_digest)
    return Commit(
        genesis=CONTEXT.genesis_digest,
        index=index,
        previous=previous if index == 1 else digest_of(index - 1),
        timestamp_ms=index,
        leader=blocks[-1].ref,
        blocks=tuple(refs_of(blocks)),
        void=(),
    )


def write_of(commit: Commit, *, boundary: bool = False) -> StoreCommit:
    """Return the write of a commit."""
    index = CommitIndex(commit.index)
    record = ScheduleRecord(index, (AuthorityIndex(3),)) if boundary else None
    return StoreCommit(commit, commit_digest(commit), record)


COMMITS: Final = [commit_of(index, *ROUNDS[index - 1]) for index in range(1, 7)]


def fill(store: BlockStore, *, boundaries: tuple[int, ...] = ()) -> None:
    """Write six rounds with one commit each, some of them at a schedule boundary."""
    for blocks, commit in zip(ROUNDS, COMMITS, strict=False):
        store.append(StoreBlocks(tuple(blocks)))
        store.append(write_of(commit, boundary=commit.index in boundaries))


def signed(*blocks: Block) -> tuple[SignedBlock, ...]:
    """Return blocks as they travel."""
    return tuple(block.signed for block in blocks)


def new_store_is_empty(new_disk: Callable[[], StoreDisk]) -> None:
    """Nothing is found in a store that nothing was written to."""
    store = new_disk().open()
    state = store.recover(gc_depth=GC_DEPTH)
    assert (state.schedule, state.commits, state.blocks, state.floor) == (None, (), (), 0)
    assert store.read_blocks((phantom(1, 0),)) == ()
    assert store.read_commits(CommitIndex(1), CommitIndex(9)) == ()
    assert store.read_voters(CommitIndex(1)) == ()


def blocks_come_in_the_order_asked(new_disk: Callable[[], StoreDisk]) -> None:
    """What is written can be read at once; what is not there is left out."""
    store = new_disk().open()
    first, second, third, _ = ROUNDS[0]
    store.append(StoreBlocks((first, second, third)))
    asked = (third.ref, phantom(1, 3), first.ref)
    assert store.read_blocks(asked) == signed(third, first)
    assert store.read_blocks(()) == ()


def refs_are_matched_in_full(new_disk: Callable[[], StoreDisk]) -> None:
    """A ref whose digest fits and whose round or author does not names no block."""
    store = new_disk().open()
    block = ROUNDS[0][0]
    store.append(StoreBlocks((block,)))
    digest = block.ref.digest
    for number, author in ((2, 0), (1, 1)):
        other = type(block.ref)(Round(number), AuthorityIndex(author), digest)
        assert store.read_blocks((other,)) == ()


def twins_are_both_kept(new_disk: Callable[[], StoreDisk]) -> None:
    """Two blocks of one slot have two places."""
    store = new_disk().open()
    twins = [FORGE.block(1, 0, timestamp_ms=stamp) for stamp in (0, 1)]
    store.append(StoreBlocks(tuple(twins)))
    assert store.read_blocks(tuple(refs_of(twins))) == signed(*twins)


def block_that_is_written_twice_is_one_block(new_disk: Callable[[], StoreDisk]) -> None:
    """A restarted node may store what it has."""
    store = new_disk().open()
    block = ROUNDS[0][0]
    store.append(StoreBlocks((block,)))
    store.append(StoreBlocks((block,)))
    (found,) = store.recover(gc_depth=GC_DEPTH).blocks
    assert found.ref == block.ref


def commits_are_read_up_to_the_first_gap(new_disk: Callable[[], StoreDisk]) -> None:
    """A range ends where it was asked to, or where the store does."""
    store = new_disk().open()
    fill(store)
    assert store.read_commits(CommitIndex(2), CommitIndex(4)) == tuple(COMMITS[1:4])
    assert store.read_commits(CommitIndex(6), CommitIndex(6)) == (COMMITS[5],)
    assert store.read_commits(CommitIndex(5), CommitIndex(99)) == tuple(COMMITS[4:])
    assert store.read_commits(CommitIndex(7), CommitIndex(99)) == ()
    assert store.read_commits(CommitIndex(4), CommitIndex(3)) == ()
    assert store.read_commits(CommitIndex(2**63 - 1), CommitIndex(2**63 + 98)) == ()


def voters_are_one_per_author_and_digest(new_disk: Callable[[], StoreDisk]) -> None:
    """Whoever votes for two digests is told twice, whoever repeats itself once."""
    store = new_disk().open()
    right, wrong = vote(1, digest_of("right")), vote(1, digest_of("wrong"))
    first = FORGE.block(1, 0, votes=(right,))
    again = FORGE.block(2, 0, refs_of(ROUNDS[0]), votes=(right, vote(2, digest_of(2))))
    other = FORGE.block(1, 1, votes=(wrong,))
    both = FORGE.block(1, 0, votes=(wrong,))
    silent = FORGE.block(1, 2)
    store.append(StoreBlocks((first, again, other, both, silent)))
    assert sorted(store.read_voters(CommitIndex(1)), key=repr) == sorted(
        signed(first, other, both), key=repr
    )
    assert store.read_voters(CommitIndex(2)) == signed(again)
    assert store.read_voters(CommitIndex(3)) == ()


def restart_finds_everything_that_was_synced(new_disk: Callable[[], StoreDisk]) -> None:
    """All reads answer after a restart as before it."""
    disk = new_disk()
    store = disk.open()
    fill(store, boundaries=(2,))
    store.append(StoreBlocks((FORGE.block(1, 0, votes=(vote(1, digest_of(1)),)),)))
    store.sync()
    again = disk.open()
    refs = tuple(refs_of(flat(ROUNDS[:6])))
    assert again.read_blocks(refs) == store.read_blocks(refs) == signed(*flat(ROUNDS[:6]))
    span = CommitIndex(1), CommitIndex(9)
    assert again.read_commits(*span) == store.read_commits(*span)
    assert again.read_voters(CommitIndex(1)) == store.read_voters(CommitIndex(1))
    assert _summary(again) == _summary(store)


def recovery_without_a_boundary_returns_everything(new_disk: Callable[[], StoreDisk]) -> None:
    """Before the first boundary replay starts from genesis."""
    store = new_disk().open()
    fill(store)
    state = store.recover(gc_depth=GC_DEPTH)
    assert (state.schedule, state.floor) == (None, 0)
    assert state.commits == tuple(COMMITS)
    assert sorted(refs_of(state.blocks)) == sorted(refs_of(flat(ROUNDS[:6])))


def recovery_starts_below_the_last_boundary(new_disk: Callable[[], StoreDisk]) -> None:
    """The floor is the boundary leader's round minus the GC depth; what is above it comes back."""
    store = new_disk().open()
    fill(store, boundaries=(2, 5))
    state = store.recover(gc_depth=GC_DEPTH)
    assert state.schedule == ScheduleRecord(CommitIndex(5), (AuthorityIndex(3),))
    assert state.floor == 2
    assert state.commits == tuple(COMMITS[2:])
    assert sorted(refs_of(state.blocks)) == sorted(refs_of(flat(ROUNDS[2:6])))


def floor_is_never_negative(new_disk: Callable[[], StoreDisk]) -> None:
    """A boundary in the first rounds drops nothing."""
    store = new_disk().open()
    fill(store, boundaries=(2,))
    state = store.recover(gc_depth=GC_DEPTH)
    assert state.floor == 0
    assert state.commits == tuple(COMMITS)


def parents_come_before_children(new_disk: Callable[[], StoreDisk]) -> None:
    """A block comes back after those of its ancestors that come back."""
    store = new_disk().open()
    fill(store, boundaries=(5,))
    seen: set[object] = set()
    state = store.recover(gc_depth=GC_DEPTH)
    for block in state.blocks:
        assert all(ref in seen for ref in block.header.ancestors if ref.round > state.floor)
        seen.add(block.ref)


def crash_loses_a_suffix_and_nothing_that_was_synced(
    new_disk: Callable[[], CrashingDisk],
) -> None:
    """Whatever a crash loses of the unsynced writes, the rest is a prefix of what was written."""
    for lost in range(5):
        disk = new_disk()
        store = disk.open()
        fill(store)
        store.sync()
        assert disk.unsynced_count == 0
        late = [StoreBlocks((block,)) for block in ROUNDS[6]]
        for write in late:
            store.append(write)
        assert disk.unsynced_count == len(late)
        disk.crash(lost=lost)
        again = disk.open()
        assert len(again.read_commits(CommitIndex(1), CommitIndex(9))) == 6
        found = again.read_blocks(tuple(refs_of(ROUNDS[6])))
        assert found == signed(*ROUNDS[6][: len(late) - lost])


def crash_never_parts_a_commit_from_its_schedule(new_disk: Callable[[], CrashingDisk]) -> None:
    """A boundary commit and the schedule it begins are one write."""
    for lost in range(3):
        disk = new_disk()
        store = disk.open()
        store.append(StoreBlocks(tuple(flat(ROUNDS[:2]))))
        store.append(write_of(COMMITS[0]))
        store.sync()
        store.append(write_of(COMMITS[1], boundary=True))
        store.append(StoreBlocks(tuple(ROUNDS[2])))
        disk.crash(lost=lost)
        state = disk.open().recover(gc_depth=GC_DEPTH)
        assert (state.schedule is not None) == (len(state.commits) == 2) == (lost < 2)


def journal_keeps_its_last_entry(new_disk: Callable[[], JournalDisk]) -> None:
    """Every append is durable when it returns."""
    disk = new_disk()
    journal = disk.open()
    assert journal.last() is None
    entries = [JournalEntry(Epoch(0), Round(number), digest_of(number)) for number in (1, 2, 5)]
    journal.append((entries[0],))
    assert disk.open().last() == entries[0]
    journal.append(tuple(entries[1:]))
    assert journal.last() == entries[2]
    assert disk.open().last() == entries[2]


def lost_journal_is_no_empty_journal(new_disk: Callable[[], JournalDisk]) -> None:
    """A journal that is gone is an error, or a node would sign as if for the first time."""
    disk = new_disk()
    disk.open().append((JournalEntry(Epoch(0), Round(7), digest_of(7)),))
    disk.lose()
    with pytest.raises(StorageError):
        disk.open().last()


def _summary(store: BlockStore) -> object:
    state = store.recover(gc_depth=GC_DEPTH)
    return state.schedule, state.commits, sorted(refs_of(state.blocks)), state.floor


STORE_CASES: Final[tuple[StoreCase, ...]] = (
    new_store_is_empty,
    blocks_come_in_the_order_asked,
    refs_are_matched_in_full,
    twins_are_both_kept,
    block_that_is_written_twice_is_one_block,
    commits_are_read_up_to_the_first_gap,
    voters_are_one_per_author_and_digest,
    restart_finds_everything_that_was_synced,
    recovery_without_a_boundary_returns_everything,
    recovery_starts_below_the_last_boundary,
    floor_is_never_negative,
    parents_come_before_children,
)
CRASH_CASES: Final[tuple[CrashCase, ...]] = (
    crash_loses_a_suffix_and_nothing_that_was_synced,
    crash_never_parts_a_commit_from_its_schedule,
)
JOURNAL_CASES: Final[tuple[JournalCase, ...]] = (
    journal_keeps_its_last_entry,
    lost_journal_is_no_empty_journal,
)
