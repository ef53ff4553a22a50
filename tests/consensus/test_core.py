"""Whole cores on a perfect network: latency, agreement, order of effects, and the good case."""

import pytest

from consensus.block import Block
from consensus.committee import EpochContext
from consensus.events import (
    DURABLE_FIRST,
    AppendJournal,
    BlocksReceived,
    Broadcast,
    Origin,
    PayloadReturned,
    PayloadSubmitted,
    SetTimer,
    SubscribersChanged,
    Timer,
    TimerFired,
)
from consensus.messages import AnyMessage
from consensus.parameters import Parameters, Tuning
from consensus.schedule import first_schedule
from consensus.signer import SigningState
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge, at, boot, core_of, flat, refs_of
from tests.consensus.lockstep import LATENCY_MS, Network, Seat, assert_prefix_agreement
from tests.dsl.committee import context_of

PARAMETERS = Parameters(gc_depth=10, schedule_window=5)
POWERS = [(1,) * 4, (1,) * 7, (1,) * 10, (4, 3, 2, 1, 1, 1, 1)]

over_powers = pytest.mark.parametrize("powers", POWERS, ids=["4", "7", "10", "uneven"])


def network_of(
    powers: tuple[int, ...] = (1,) * 4, *, leaders: int = 1, silent: tuple[int, ...] = ()
) -> Network:
    """Return a network with short windows."""
    parameters = Parameters(gc_depth=10, schedule_window=5, leaders_per_round=leaders)
    return Network(context_of(powers, parameters=parameters), silent=silent)


def rounds_of(seat: Seat) -> list[int]:
    """Return the rounds that a seat has proposed in."""
    return list(seat.proposed_ms)


@over_powers
@pytest.mark.parametrize("leaders", [1, 2])
def test_leader_commits_after_three_delays_and_everybody_within_four(
    powers: tuple[int, ...], leaders: int
) -> None:
    network = network_of(powers, leaders=leaders)
    network.run(1_400)
    for seat in network.seats:
        assert len(seat.delivered) >= 8
        for sub_dag, delivered_ms in zip(seat.delivered, seat.delivered_ms, strict=True):
            for ref in sub_dag.commit.blocks:
                proposed_ms = network.seats[ref.author].proposed_ms[ref.round]
                delays = (delivered_ms - proposed_ms) / LATENCY_MS
                assert delays in ({3} if ref == sub_dag.commit.leader else {3, 4})
    assert_prefix_agreement(network)


@over_powers
def test_everybody_delivers_every_block_once_in_one_order(powers: tuple[int, ...]) -> None:
    network = network_of(powers)
    network.run(1_200)
    assert_prefix_agreement(network)
    for seat in network.seats:
        refs = [ref for sub_dag in seat.delivered for ref in sub_dag.commit.blocks]
        assert len(refs) == len(set(refs))
        top = seat.delivered[-1].commit.leader.round
        expected = {(number, a) for number in range(1, top) for a in range(len(powers))}
        assert expected <= {(ref.round, ref.author) for ref in refs}
        assert not seat.notices


def test_every_round_is_proposed_in_once() -> None:
    network = network_of()
    network.run(2_000)
    for seat in network.seats:
        entries = [entry.round for entry in seat.journal.entries]
        assert entries == rounds_of(seat) == list(range(1, len(entries) + 1))


def test_silent_seat_costs_no_progress() -> None:
    network = network_of((1,) * 4, silent=(2,))
    network.run_until_commit(12)
    assert_prefix_agreement(network)


def test_more_than_faulty_power_that_is_silent_stops_everything_and_breaks_nothing() -> None:
    network = network_of((1,) * 4, silent=(2, 3))
    network.run(10_000)
    assert [len(seat.delivered) for seat in network.running] == [0, 0]
    assert all(seat.core.clock_round == 1 for seat in network.running)


def test_partition_heals() -> None:
    network = network_of()
    network.run_until_commit(5)
    halves = ({0, 1}, {2, 3})
    network.passes = lambda sender, peer, _: any({sender, peer} <= half for half in halves)
    network.run(network.now_ms + 5_000)
    assert all(len(seat.delivered) < 12 for seat in network.seats)
    network.passes = lambda *_: True
    network.run_until_commit(25)
    assert_prefix_agreement(network)


def test_seat_that_was_cut_off_catches_up_by_commits() -> None:
    tuning = Tuning(min_round_delay_ms=0, commit_batch=5)
    network = Network(context_of((1,) * 4, parameters=PARAMETERS), tuning=tuning)
    network.run_until_commit(2)
    network.passes = lambda sender, peer, _: 3 not in (sender, peer)
    network.run(network.now_ms + 4_000)
    ahead = len(network.seats[0].delivered)
    assert ahead > 20
    network.passes = lambda *_: True
    network.run_until(lambda: len(network.seats[3].delivered) > ahead)
    assert_prefix_agreement(network)


def test_lost_messages_are_fetched() -> None:
    network = network_of()
    count = 0

    def passes(sender: int, peer: int, message: AnyMessage) -> bool:
        nonlocal count
        count += 1
        return count % 5 != 0

    network.passes = passes
    network.run_until_commit(15)
    assert_prefix_agreement(network)


def test_effects_of_every_input_are_durable_first() -> None:
    network = network_of(silent=(2,))
    network.run(3_000)
    inputs = [effects for seat in network.running for effects in seat.history]
    for effects in inputs:
        journalled = {
            entry.digest
            for effect in effects
            if isinstance(effect, AppendJournal)
            for entry in effect.entries
        }
        for place, effect in enumerate(effects):
            if isinstance(effect, Broadcast) and effect.block.ref.digest not in journalled:
                continue  # a block from an earlier input, repeated because the clock stood still
            before = {type(earlier) for earlier in effects[:place]}
            assert set(DURABLE_FIRST.get(type(effect), ())) <= before
    kinds = {type(effect) for effects in inputs for effect in effects}
    assert kinds >= DURABLE_FIRST.keys()


def test_seat_without_subscribers_stops_proposing_until_it_has_some() -> None:
    network = network_of()
    network.run_until_commit(3)
    seat = network.seats[0]
    seat.feed(SubscribersChanged(0))
    before = len(rounds_of(seat))
    network.run(network.now_ms + 1_000)
    assert len(rounds_of(seat)) == before
    commits = len(seat.delivered)
    seat.feed(SubscribersChanged(3))
    network.run(network.now_ms + 1_000)
    assert len(rounds_of(seat)) > before
    assert len(seat.delivered) > commits


def test_lone_seat_commits_alone_and_stalls_in_peace() -> None:
    network = Network(context_of((1,)), tuning=Tuning(min_round_delay_ms=50))
    network.run(1_000)
    seat = network.seats[0]
    assert len(seat.delivered) > 10
    seat.feed(SubscribersChanged(0))
    network.run(2_000)
    commits = len(seat.delivered)
    network.run(10_000)
    assert len(seat.delivered) == commits


def test_payload_is_delivered_once_in_the_order_it_came() -> None:
    network = network_of()
    items = tuple(f"item {number}".encode() for number in range(5))
    network.seats[1].feed(PayloadSubmitted(items))
    network.run(1_500)
    for seat in network.seats:
        blocks = [block for sub_dag in seat.delivered for block in sub_dag.blocks]
        assert [item for block in blocks for item in block.signed.payload] == list(items)


def test_payload_that_does_not_fit_comes_back_at_once() -> None:
    context = context_of((1,) * 4, parameters=Parameters(transaction_bytes_max=4))
    core = core_of(context)
    assert core.handle(PayloadSubmitted((b"small", b"fits")), now=at(0)) == [
        PayloadReturned((b"small",))
    ]


def test_payload_of_a_block_that_never_commits_comes_back_once() -> None:
    network = network_of()
    seat = network.seats[0]
    network.passes = lambda sender, _, message: sender != 0
    for number in range(20):
        seat.feed(PayloadSubmitted((bytes([number]),)))
        network.run(network.now_ms + 100)
    network.run(network.now_ms + 4_000)
    returned = [item for notice in seat.of(PayloadReturned) for item in notice.items]
    assert len(returned) == len(set(returned))
    assert returned


def undecided_rounds(forge: Forge, last: int) -> list[Block]:
    """Return rounds of all seats but the last, of which no leader slot can be decided.

    Two of six blocks leave the leader out: four votes and two blames, and five are a quorum.
    """
    leaders = first_schedule(forge.context).leaders
    rounds: list[list[Block]] = []
    for number in range(1, last + 1):
        below = refs_of(rounds[-1]) if rounds else forge.genesis()
        leader = leaders(number - 1)[0] if rounds else None
        without = [ref for ref in below if ref.author != leader]
        rounds.append(
            [
                forge.block(number, author, without if author in _deniers(leader) else below)
                for author in range(6)
            ]
        )
    return flat(rounds)


def _deniers(leader: int | None) -> list[int]:
    return [author for author in range(6) if author != leader][:2]


def context_that_never_elects_the_last_seat(last: int) -> EpochContext:
    """Return a committee of seven whose first leaders are all among the first six."""
    contexts = (context_of((1,) * 7, chain=chain) for chain in range(1, 1_000))
    return next(
        context
        for context in contexts
        if all(first_schedule(context).leaders(number)[0] < 6 for number in range(1, last + 1))
    )


def test_late_seat_makes_every_undecided_round_anew_and_without_payload() -> None:
    context = context_that_never_elects_the_last_seat(8)
    core = core_of(context, own=6)
    boot(core, context, own=6)
    core.handle(PayloadSubmitted((b"mine",)), now=at(0))
    blocks = tuple(undecided_rounds(Forge(context), 8))
    core.handle(BlocksReceived(AuthorityIndex(0), blocks, Origin.RELAYED), now=at(5))
    effects = core.handle(TimerFired(Timer.PROPOSE), now=at(5))
    *late, frontier = [effect.block for effect in effects if isinstance(effect, Broadcast)]
    assert [block.round for block in late] == list(range(1, 9))
    assert not any(block.signed.payload for block in late)
    assert (frontier.round, frontier.signed.payload) == (9, (b"mine",))


def test_boot_asks_everybody_and_signs_after_a_quorum_answered() -> None:
    context = context_of((1,) * 4)
    core = core_of(context)
    states = [core.signing_state]
    effects = boot(core, context)
    states.append(core.signing_state)
    assert states == [SigningState.ASKING, SigningState.SIGNING]
    timers = [effect for effect in effects if isinstance(effect, SetTimer)]
    assert {timer.timer for timer in timers} == {Timer.TICK, Timer.PROPOSE}


def test_novelty_budget_goes_on_with_a_timer() -> None:
    context = context_of((1,) * 4)
    core = core_of(context, own=3, tuning=Tuning(novelty_max=4))
    rounds = Forge(context).layers(3, authors=(0, 1, 2))
    event = BlocksReceived(AuthorityIndex(0), tuple(flat(rounds)), Origin.RELAYED)
    effects = core.handle(event, now=at(7))
    assert SetTimer(Timer.CONTINUE, 7) in effects
    assert core.memory == {"vertices": 4, "suspended": 0, "wanted": 0, "backlog": 5}


def test_everybody_elects_the_same_distinct_leaders() -> None:
    network = network_of((1,) * 4, leaders=2)
    network.run_until_commit(12)
    top = min(seat.core.clock_round for seat in network.seats)
    for number in range(1, top):
        (leaders,) = {seat.core.leaders(number) for seat in network.seats}
        assert len(set(leaders)) == 2
