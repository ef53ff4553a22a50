"""Whether and when own blocks are made: timers set once, pauses that end, and C1 before C2."""

from itertools import pairwise

import pytest

from consensus.events import (
    BlocksReceived,
    Broadcast,
    Effect,
    Origin,
    PayloadSubmitted,
    SetTimer,
    Timer,
    TimerFired,
)
from consensus.parameters import Parameters, Tuning
from consensus.schedule import first_schedule
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge, at, boot, core_of
from tests.consensus.lockstep import Network
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=12, schedule_window=50))
FORGE = Forge(CONTEXT)
TUNING = Tuning(min_round_delay_ms=50, delta_initial_ms=200)
LEADER = first_schedule(CONTEXT).leaders(1)[0]
OWN = next(author for author in range(4) if author != LEADER)
OTHERS = [author for author in range(4) if author not in {OWN, LEADER}]


def proposals(effects: list[Effect]) -> list[int]:
    """Return when proposals are due, as far as timers were set for them."""
    timers = [effect for effect in effects if isinstance(effect, SetTimer)]
    return [timer.at_ms for timer in timers if timer.timer is Timer.PROPOSE]


def made(effects: list[Effect]) -> list[int]:
    """Return the rounds of the blocks that are sent."""
    return [effect.block.round for effect in effects if isinstance(effect, Broadcast)]


def test_first_block_is_due_as_soon_as_the_node_may_sign() -> None:
    core = core_of(CONTEXT, own=OWN, tuning=TUNING)
    assert proposals(boot(core, CONTEXT, own=OWN, now_ms=70)) == [70]
    assert made(core.handle(TimerFired(Timer.PROPOSE), now=at(70))) == [1]


def test_block_waits_for_the_leader_up_to_two_delays_after_readiness() -> None:
    core = core_of(CONTEXT, own=OWN, tuning=TUNING)
    boot(core, CONTEXT, own=OWN)
    core.handle(TimerFired(Timer.PROPOSE), now=at(0))
    blocks = tuple(FORGE.block(1, author) for author in OTHERS)
    event = BlocksReceived(AuthorityIndex(OTHERS[0]), blocks, Origin.RELAYED)
    assert proposals(core.handle(event, now=at(100))) == [100 + 2 * 200]
    leader = BlocksReceived(LEADER, (FORGE.block(1, LEADER),), Origin.STREAM)
    assert proposals(core.handle(leader, now=at(120))) == [120]
    assert made(core.handle(TimerFired(Timer.PROPOSE), now=at(120))) == [2]


def test_block_without_the_leader_is_made_at_the_timeout() -> None:
    core = core_of(CONTEXT, own=OWN, tuning=TUNING)
    boot(core, CONTEXT, own=OWN)
    core.handle(TimerFired(Timer.PROPOSE), now=at(0))
    blocks = tuple(FORGE.block(1, author) for author in OTHERS)
    core.handle(BlocksReceived(LEADER, blocks, Origin.RELAYED), now=at(100))
    assert made(core.handle(TimerFired(Timer.PROPOSE), now=at(499))) == []
    assert made(core.handle(TimerFired(Timer.PROPOSE), now=at(500))) == [2]


def test_timer_that_is_set_is_not_set_again() -> None:
    core = core_of(CONTEXT, own=OWN, tuning=TUNING)
    boot(core, CONTEXT, own=OWN)
    core.handle(TimerFired(Timer.PROPOSE), now=at(0))
    first, second = (FORGE.block(1, author) for author in OTHERS)
    core.handle(BlocksReceived(first.author, (first,), Origin.STREAM), now=at(100))
    armed = core.handle(BlocksReceived(second.author, (second,), Origin.STREAM), now=at(110))
    assert proposals(armed) == [510]
    assert proposals(core.handle(TimerFired(Timer.CONTINUE), now=at(120))) == []


def test_timer_that_fires_too_early_is_set_again() -> None:
    core = core_of(CONTEXT, own=OWN, tuning=TUNING)
    boot(core, CONTEXT, own=OWN)
    core.handle(TimerFired(Timer.PROPOSE), now=at(0))
    blocks = tuple(FORGE.block(1, author) for author in (*OTHERS, LEADER))
    event = BlocksReceived(LEADER, blocks, Origin.RELAYED)
    assert proposals(core.handle(event, now=at(10))) == [50]
    early = core.handle(TimerFired(Timer.PROPOSE), now=at(30))
    assert (made(early), proposals(early)) == ([], [50])


def test_no_more_than_one_block_is_made_in_the_least_delay() -> None:
    tuning = Tuning(min_round_delay_ms=300)
    network = Network(CONTEXT, tuning=tuning)
    network.run(4_000)
    for seat in network.seats:
        times = list(seat.proposed_ms.values())
        assert len(times) > 10
        assert all(later - earlier >= 300 for earlier, later in pairwise(times))


def test_chain_without_payload_goes_slowly_and_wakes_for_the_first_item() -> None:
    tuning = Tuning(min_round_delay_ms=0, idle_round_delay_ms=200)
    network = Network(CONTEXT, tuning=tuning, latency_ms=10)
    network.run(4_000)
    for seat in network.seats:
        times = list(seat.proposed_ms.values())[-10:]
        assert all(later - earlier >= 200 for earlier, later in pairwise(times))
    assert len(network.seats[0].delivered) >= 14

    start_ms = network.now_ms
    network.seats[2].feed(PayloadSubmitted((b"item",)))
    network.run(start_ms + 6 * 10)
    for seat in network.seats:
        blocks = [block for sub_dag in seat.delivered for block in sub_dag.blocks]
        assert [item for block in blocks for item in block.signed.payload] == [b"item"]


def test_rounds_are_fewer_while_they_are_full() -> None:
    tuning = Tuning(min_round_delay_ms=0, laden_round_delay_ms=300, laden_after=6)
    network = Network(CONTEXT, tuning=tuning, latency_ms=10)
    network.run_until_commit(3)
    start_ms = network.now_ms
    items = tuple(f"item {number}".encode() for number in range(10 * 2 * 512))
    for seat in network.seats[:2]:
        seat.feed(PayloadSubmitted(items))
    network.run(start_ms + 2_000)
    for seat in network.seats:
        times = [at_ms for at_ms in seat.proposed_ms.values() if at_ms >= start_ms + 50]
        assert len(times) > 4
        assert all(later - earlier >= 300 for earlier, later in pairwise(times))
    network.run(start_ms + 12_000)
    taken = [
        item
        for sub_dag in network.seats[3].delivered
        for block in sub_dag.blocks
        for item in block.signed.payload
    ]
    assert sorted(taken) == sorted(items * 2)


@pytest.mark.parametrize("restarts", [False, True])
def test_seat_that_nobody_hears_pauses_and_goes_on_when_it_is_heard(restarts: bool) -> None:
    tuning = Tuning(min_round_delay_ms=0, unacknowledged_rounds_max=15)
    network = Network(CONTEXT, tuning=tuning)
    network.run_until_commit(20)
    seat = network.seats[0]
    network.passes = lambda sender, *_: sender != 0
    network.run(network.now_ms + 4_000)
    unheard = len(seat.proposed_ms)
    assert network.seats[1].core.clock_round > unheard
    network.passes = lambda *_: True
    if restarts:
        seat.crash()
        seat.restart()
    network.run(network.now_ms + 2_500)
    assert len(seat.proposed_ms) > unheard
    assert seat.core.clock_round >= network.seats[1].core.clock_round - 1


def test_round_that_was_left_out_is_never_made_later() -> None:
    network = Network(CONTEXT, silent=(0,))
    network.run_until_commit(20)
    late = network.seats[0]
    late.is_down = False
    late.restart()
    network.run(network.now_ms + 2_000)
    rounds = list(late.proposed_ms)
    assert rounds == sorted(rounds)
    assert max(later - earlier for earlier, later in pairwise(rounds)) > 10
    assert len(late.delivered) > 20
