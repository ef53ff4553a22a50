"""The order in which effects leave: durable before visible, whatever order they were staged in."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from consensus.block import Block
from consensus.commit import Commit, CommittedSubDag
from consensus.events import (
    DURABLE_FIRST,
    AppendJournal,
    Broadcast,
    CloseEpoch,
    Deliver,
    Effect,
    JournalEntry,
    SetTimer,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    Timer,
)
from consensus.ordering import OrderedCommit
from consensus.outbox import Outbox
from primitives.ids import CommitIndex, Epoch
from tests.consensus.builders import Forge, digest_of, phantom
from tests.dsl.committee import context_of

FORGE = Forge(context_of((1,) * 4))
BLOCKS = FORGE.layers(1)[0]
TIMER = SetTimer(Timer.TICK, 5)
CLOSE = CloseEpoch(CommitIndex(1), digest_of(1))


def entry_of(block: Block) -> JournalEntry:
    """Return the journal entry of a block."""
    return JournalEntry(Epoch(0), block.round, block.ref.digest)


def ordered(index: int) -> OrderedCommit:
    """Return a commit of no blocks."""
    commit = Commit(
        genesis=FORGE.context.genesis_digest,
        index=index,
        previous=digest_of(index - 1),
        timestamp_ms=0,
        leader=phantom(index, 0),
        blocks=(),
        void=(),
    )
    return OrderedCommit(CommittedSubDag(commit, digest=digest_of(index), blocks=()), None)


STAGES: dict[str, Callable[[Outbox], None]] = {
    "store": lambda outbox: outbox.store(BLOCKS[0]),
    "announce": lambda outbox: outbox.announce(BLOCKS[1], entry_of(BLOCKS[1])),
    "announce more": lambda outbox: outbox.announce(BLOCKS[2], entry_of(BLOCKS[2])),
    "confirm": lambda outbox: outbox.confirm(BLOCKS[1], entry_of(BLOCKS[1])),
    "commit": lambda outbox: outbox.commit(ordered(1)),
    "commit more": lambda outbox: outbox.commit(ordered(2)),
    "timer": lambda outbox: outbox.add(TIMER),
    "close": lambda outbox: outbox.close(CLOSE),
}


def released(*stages: str) -> list[Effect]:
    """Return what comes out after these were staged."""
    outbox = Outbox()
    for stage in stages:
        STAGES[stage](outbox)
    return outbox.release()


def test_own_block_is_stored_synced_and_journalled_before_it_is_sent() -> None:
    own = BLOCKS[1]
    assert released("announce") == [
        StoreBlocks((own,)),
        SyncStore(),
        AppendJournal((entry_of(own),)),
        Broadcast(own),
    ]


def test_own_block_that_was_stored_before_a_crash_is_journalled_before_it_is_sent() -> None:
    own = BLOCKS[1]
    assert released("confirm") == [AppendJournal((entry_of(own),)), Broadcast(own)]


def test_commit_is_stored_after_its_blocks_and_synced_before_it_is_delivered() -> None:
    effects = released("store", "commit", "timer", "close")
    assert [type(effect) for effect in effects] == [
        StoreBlocks,
        StoreCommit,
        SyncStore,
        Deliver,
        SetTimer,
        CloseEpoch,
    ]


def test_blocks_of_others_wait_for_no_sync() -> None:
    assert released("store", "timer") == [StoreBlocks((BLOCKS[0],)), TIMER]


def test_many_blocks_and_commits_cost_one_sync() -> None:
    effects = released("announce", "commit", "store", "commit more", "announce more")
    assert [type(effect) for effect in effects] == [
        StoreBlocks,
        StoreCommit,
        StoreBlocks,
        StoreCommit,
        StoreBlocks,
        SyncStore,
        AppendJournal,
        Deliver,
        Deliver,
        Broadcast,
        Broadcast,
    ]


def test_what_was_released_does_not_come_again() -> None:
    outbox = Outbox()
    outbox.announce(BLOCKS[1], entry_of(BLOCKS[1]))
    outbox.release()
    assert outbox.release() == []


@given(st.lists(st.sampled_from(sorted(STAGES.keys() - {"confirm"})), max_size=12))
def test_any_staging_comes_out_durable_first(stages: list[str]) -> None:
    effects = released(*stages)
    for place, effect in enumerate(effects):
        before = {type(earlier) for earlier in effects[:place]}
        assert set(DURABLE_FIRST.get(type(effect), ())) <= before
    kinds = [type(effect) for effect in effects]
    if SyncStore in kinds:
        last_write = max(
            place for place, kind in enumerate(kinds) if kind in {StoreBlocks, StoreCommit}
        )
        assert kinds.index(SyncStore) > last_write
        assert kinds.count(SyncStore) == 1
    assert kinds.count(CloseEpoch) == stages.count("close")
