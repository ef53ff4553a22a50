"""Restart: whatever prefix of the writes survives, the node goes on as if nothing had happened."""

import functools
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from consensus.block import Block
from consensus.core import Core
from consensus.events import (
    AppendJournal,
    BlocksReceived,
    Booted,
    Broadcast,
    Effect,
    Origin,
    StoreBlocks,
    StoreCommit,
    SyncStore,
    Timer,
    TimerFired,
)
from consensus.parameters import Parameters
from consensus.recovery import Durable, StoredState
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Round
from tests.conformance.memory import MemoryDisk, Write
from tests.consensus.builders import TUNING, at
from tests.consensus.lockstep import Network, assert_prefix_agreement
from tests.dsl.committee import context_of, key_of

GC_DEPTH = 4
WINDOW = 3
CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=GC_DEPTH, schedule_window=WINDOW))
WATCHER = AuthorityIndex(3)


@functools.cache
def history() -> tuple[Write, ...]:
    """Return what a seat wrote while seat 2 was silent for a while, several boundaries long."""
    network = Network(CONTEXT)
    network.run_until_commit(4)
    network.passes = lambda sender, *_: sender != 2
    network.run(network.now_ms + 2_500)
    network.passes = lambda *_: True
    network.run(network.now_ms + 1_500)
    writes = network.seats[WATCHER].disk.writes
    assert sum(isinstance(w, StoreCommit) and w.schedule is not None for w in writes) > 5
    return tuple(writes)


def disk_after(count: int) -> MemoryDisk:
    """Return a disk on which the first writes survived."""
    disk = MemoryDisk()
    store = disk.open()
    for write in history()[:count]:
        store.append(write)
    store.sync()
    return disk


def recovered(state: StoredState, *, watermark: int = 0) -> Core:
    """Return a core built from a state."""
    return Core.recover(
        CONTEXT,
        own=WATCHER,
        key=key_of(WATCHER),
        tuning=TUNING,
        durable=Durable(state=state, watermark=Round(watermark)),
    )


def state_after(count: int) -> StoredState:
    """Return what a restart finds after so many writes."""
    return disk_after(count).open().recover(gc_depth=GC_DEPTH)


def blocks_of(writes: Sequence[Write]) -> list[Block]:
    """Return the blocks that were written."""
    return [block for write in writes if isinstance(write, StoreBlocks) for block in write.blocks]


def commits_of(effects: Sequence[Write] | Sequence[Effect]) -> list[StoreCommit]:
    """Return the commits that were written."""
    return [write for write in effects if isinstance(write, StoreCommit)]


def continued(core: Core, blocks: Sequence[Block]) -> Iterator[StoreCommit]:
    """Feed the blocks to the core one at a time and yield the commits that it makes of them."""
    for block in blocks:
        event = BlocksReceived(AuthorityIndex(0), (block,), Origin.RELAYED)
        yield from commits_of(core.handle(event, now=at(0)))
        while core.memory["backlog"]:
            yield from commits_of(core.handle(TimerFired(Timer.CONTINUE), now=at(0)))


def assert_same_future(count: int) -> None:
    """Check that a core that lost all but the first writes makes the very commits it lost."""
    writes = history()
    stored = commits_of(writes[:count])
    core = recovered(state_after(count), watermark=10_000)
    assert core.commit_index == len(stored)
    lost = commits_of(writes[count:])
    made = list(continued(core, blocks_of(writes[count:])))
    assert made[: len(lost)] == lost


def boundaries() -> list[int]:
    """Return the numbers of writes after which the last commit is on a schedule boundary."""
    return [
        place + 1
        for place, write in enumerate(history())
        if isinstance(write, StoreCommit) and write.schedule is not None
    ]


@pytest.mark.parametrize("count", boundaries())
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_crash_around_a_schedule_boundary_changes_nothing(count: int, shift: int) -> None:
    assert_same_future(min(count + shift, len(history())))


@pytest.mark.parametrize("count", range(0, len(history()), 5))
def test_crash_after_any_write_changes_nothing(count: int) -> None:
    assert_same_future(count)


@pytest.mark.slow
def test_crash_after_every_write_changes_nothing() -> None:
    for count in range(len(history()) + 1):
        assert_same_future(count)


def test_recovered_core_elects_as_before() -> None:
    whole = recovered(state_after(len(history())))
    network = Network(CONTEXT)
    network.run_until_commit(4)
    seat = network.seats[WATCHER]
    again = Core.recover(
        CONTEXT,
        own=WATCHER,
        key=key_of(WATCHER),
        tuning=TUNING,
        durable=Durable(state=seat.store.recover(gc_depth=GC_DEPTH)),
    )
    numbers = range(1, 60)
    assert [again.leaders(n) for n in numbers] == [seat.core.leaders(n) for n in numbers]
    assert whole.commit_index == len(commits_of(history()))


def test_recovered_memory_is_what_the_running_node_held() -> None:
    network = Network(CONTEXT)
    network.run(2_350)
    for seat in network.seats:
        running = seat.core.memory
        seat.crash(lost=0)
        seat.start()
        assert seat.core.memory == running
        assert seat.core.clock_round in {running_round(network), running_round(network) - 1}


def running_round(network: Network) -> int:
    """Return the round that the fastest seat has reached."""
    return max(seat.core.clock_round for seat in network.seats)


def test_whole_network_that_restarts_goes_on() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(7)
    for seat in network.seats:
        seat.crash(lost=seat.disk.unsynced_count)
    network.run(network.now_ms + 1_000)
    for seat in network.seats:
        seat.restart()
    network.run_until_commit(14)
    assert_prefix_agreement(network)
    for seat in network.seats:
        rounds = [entry.round for entry in seat.journal.entries]
        assert rounds == sorted(set(rounds))


@pytest.mark.parametrize("step", range(6))
def test_seat_that_crashes_between_two_effects_never_signs_twice(step: int) -> None:
    network = Network(CONTEXT)
    network.run_until_commit(4)
    seat = network.seats[0]
    for _ in range(4):
        crash_within(network, step)
        network.run(network.now_ms + 300)
        seat.restart()
        network.run(network.now_ms + 400)
    network.run_until_commit(10)
    assert_prefix_agreement(network)
    signed: dict[int, set[bytes]] = {}
    for other in network.seats:
        for block in blocks_of(other.disk.writes):
            if block.author == 0:
                signed.setdefault(block.round, set()).add(block.ref.digest)
    assert all(len(digests) == 1 for digests in signed.values())


def crash_within(network: Network, step: int) -> None:
    """Let seat 0 crash after so many effects of its next proposal, losing what was not synced."""
    seat = network.seats[0]
    before = len(seat.history)
    seat.crash_at = step
    network.run_until(lambda: seat.is_down)
    assert len(seat.history) > before


def test_own_block_that_was_stored_and_not_journalled_is_journalled_then_sent() -> None:
    writes = history()
    state = state_after(len(writes))
    last = max(
        (block for block in blocks_of(writes) if block.author == WATCHER),
        key=lambda block: block.round,
    )
    core = recovered(state, watermark=last.round - 1)
    effects = core.handle(Booted(), now=at(0))
    kinds = [type(effect) for effect in effects]
    assert kinds.index(AppendJournal) < kinds.index(Broadcast)
    assert effects[kinds.index(Broadcast)] == Broadcast(last)
    assert SyncStore not in kinds


def test_last_own_block_is_sent_again_on_boot() -> None:
    writes = history()
    last = max((b for b in blocks_of(writes) if b.author == WATCHER), key=lambda b: b.round)
    effects = recovered(state_after(len(writes)), watermark=last.round).handle(Booted(), now=at(0))
    assert Broadcast(last) in effects
    assert not [effect for effect in effects if isinstance(effect, AppendJournal)]


def damaged(**changes: object) -> StoredState:
    """Return a sound state with some fields replaced."""
    return msgspec.structs.replace(state_after(len(history())), **changes)


def test_missing_block_is_damage() -> None:
    state = state_after(boundaries()[-1] - 1)
    last = state.commits[-1]
    blocks = tuple(block for block in state.blocks if block.ref != last.leader)
    assert len(blocks) == len(state.blocks) - 1
    with pytest.raises(StorageError):
        recovered(msgspec.structs.replace(state, blocks=blocks))


@pytest.mark.parametrize(
    "changes",
    [{"timestamp_ms": 1}, {"previous": bytes(32)}, {"index": 999}, {"blocks": ()}],
    ids=lambda changes: next(iter(changes)),
)
def test_changed_commit_is_damage(changes: dict[str, object]) -> None:
    state = state_after(boundaries()[-1] - 1)
    assert state.schedule is not None
    assert state.commits[-1].index > state.schedule.boundary_index
    commits = [*state.commits[:-1], msgspec.structs.replace(state.commits[-1], **changes)]
    with pytest.raises(StorageError):
        recovered(msgspec.structs.replace(state, commits=tuple(commits)))


def test_leader_that_the_schedule_rules_out_is_damage() -> None:
    state = state_after(boundaries()[-1] - 1)
    last = state.commits[-1]
    other = next(
        block.ref
        for block in state.blocks
        if block.round == last.leader.round and block.author != last.leader.author
    )
    commits = (*state.commits[:-1], msgspec.structs.replace(last, leader=other))
    with pytest.raises(StorageError):
        recovered(msgspec.structs.replace(state, commits=commits))


def test_missing_boundary_commit_is_damage() -> None:
    state = damaged()
    assert state.schedule is not None
    boundary = state.schedule.boundary_index
    commits = tuple(commit for commit in state.commits if commit.index < boundary)
    with pytest.raises(StorageError):
        recovered(damaged(commits=commits))


def test_block_that_is_stored_twice_is_one_block() -> None:
    state = damaged()
    twice = recovered(damaged(blocks=(*state.blocks, *state.blocks[:3])))
    assert twice.memory == recovered(state).memory
    assert twice.commit_index == CommitIndex(len(commits_of(history())))
