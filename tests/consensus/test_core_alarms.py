"""What a node does when something is wrong that should not be: it stops signing, never crashes."""

import pytest

from consensus.block import Block
from consensus.committee import EpochContext
from consensus.core import Core
from consensus.events import (
    AlarmKind,
    AppendJournal,
    BlocksReceived,
    BlocksRequested,
    Booted,
    Broadcast,
    CommitsReceived,
    Effect,
    LatestAnswered,
    LatestQueried,
    Origin,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    Send,
    StoreBlocks,
    Timer,
    TimerFired,
)
from consensus.evidence import verify_evidence
from consensus.parameters import Parameters
from consensus.recovery import EMPTY_STATE, Durable
from consensus.schedule import first_schedule
from consensus.signer import FENCE_ROUND, SigningState, StoredJournal
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import Forge, at, boot, core_of, digest_of, flat, refs_of, vote
from tests.consensus.lockstep import Network, assert_prefix_agreement
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=10, schedule_window=5))
FORGE = Forge(CONTEXT)
PEER = AuthorityIndex(1)


def alarms(effects: list[Effect]) -> list[AlarmKind]:
    """Return the alarms among the effects."""
    return [effect.kind for effect in effects if isinstance(effect, RaiseAlarm)]


def relay(core: Core, *blocks: Block, now_ms: int = 0) -> list[Effect]:
    """Let a peer relay blocks, one message each."""
    effects = []
    for block in blocks:
        effects += core.handle(BlocksReceived(PEER, (block,), Origin.RELAYED), now=at(now_ms))
    return effects


def test_node_without_a_journal_says_so_and_never_signs() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(3)
    seat = network.seats[0]
    seat.crash()
    seat.journal.lose()
    rounds = len(seat.proposed_ms)
    seat.restart()
    commits = len(seat.delivered)
    network.run(network.now_ms + 2_000)
    assert [alarm.kind for alarm in seat.of(RaiseAlarm)] == [AlarmKind.JOURNAL_LOST]
    assert seat.core.signing_state is SigningState.ABSTAINING
    assert len(seat.proposed_ms) == rounds
    assert len(seat.delivered) > commits
    assert_prefix_agreement(network)


def test_own_block_that_we_never_signed_stops_our_signing() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(3)
    seat = network.seats[0]
    number = seat.core.clock_round + 5
    foreign = FORGE.block(number, 0, [FORGE.block(1, author).ref for author in range(4)])
    seat.feed(BlocksReceived(PEER, (foreign,), Origin.RELAYED))
    seat.feed(BlocksReceived(PEER, (foreign,), Origin.RELAYED))
    rounds = len(seat.proposed_ms)
    network.run(network.now_ms + 1_000)
    assert [alarm.kind for alarm in seat.of(RaiseAlarm)] == [AlarmKind.FOREIGN_OWN_BLOCK]
    assert len(seat.proposed_ms) == rounds
    assert_prefix_agreement(network)


def test_twin_of_our_own_block_stops_our_signing() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(3)
    seat = network.seats[0]
    number = max(seat.proposed_ms)
    parents = [block.ref for block in network.blocks_of(number - 1)]
    twin = FORGE.block(number, 0, parents, timestamp_ms=1)
    effects = seat.feed(BlocksReceived(PEER, (twin,), Origin.RELAYED))
    assert alarms(effects) == [AlarmKind.FOREIGN_OWN_BLOCK]
    assert seat.core.signing_state is SigningState.ABSTAINING


def test_answer_with_a_foreign_own_block_stops_the_boot() -> None:
    core = core_of(CONTEXT)
    core.handle(Booted(), now=at(0))
    effects = core.handle(LatestAnswered(PEER, FORGE.block(1, 0)), now=at(0))
    for peer in (2, 3):
        effects += core.handle(LatestAnswered(AuthorityIndex(peer), None), now=at(0))
    assert alarms(effects) == [AlarmKind.FOREIGN_OWN_BLOCK]
    assert core.signing_state is SigningState.ABSTAINING


def test_abstention_for_a_foreign_own_block_outlives_a_restart() -> None:
    core = core_of(CONTEXT)
    core.handle(Booted(), now=at(0))
    effects = core.handle(LatestAnswered(PEER, FORGE.block(1, 0)), now=at(0))
    (entry,) = [one for e in effects if isinstance(e, AppendJournal) for one in e.entries]
    assert entry.round == FENCE_ROUND
    again = core_of(CONTEXT, durable=Durable(state=EMPTY_STATE, watermark=entry.round))
    assert again.signing_state is SigningState.ABSTAINING
    assert alarms(again.handle(Booted(), now=at(0))) == [AlarmKind.JOURNAL_LOST]


def test_answer_with_a_block_of_our_journal_gives_us_our_block_back() -> None:
    journal = Durable(state=EMPTY_STATE, watermark=Round(1))
    core = core_of(CONTEXT, durable=journal)
    core.handle(Booted(), now=at(0))
    own = FORGE.block(1, 0)
    effects = core.handle(LatestAnswered(PEER, own), now=at(0))
    assert StoreBlocks((own,)) in effects
    assert alarms(effects) == []


def test_lost_journal_is_told_again_on_every_boot() -> None:
    lost = Durable(state=EMPTY_STATE, journal=StoredJournal.LOST)
    for _ in range(2):
        effects = boot(core_of(CONTEXT, durable=lost), CONTEXT)
        assert alarms(effects) == [AlarmKind.JOURNAL_LOST]


def forked(author: int, index: int) -> Block:
    """Return a block that votes for a commit nobody made."""
    return FORGE.block(1, author, votes=(vote(index, digest_of("fork")),), timestamp_ms=77)


def test_votes_of_faulty_power_for_another_commit_change_nothing() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(5)
    seat = network.seats[0]
    effects = seat.feed(BlocksReceived(PEER, (forked(1, 3),), Origin.RELAYED))
    assert alarms(effects) == []
    network.run_until_commit(8)


def test_votes_of_validity_power_for_another_commit_halt() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(5)
    seat = network.seats[0]
    blocks = (forked(1, 3), forked(2, 3))
    effects = seat.feed(BlocksReceived(PEER, blocks, Origin.RELAYED))
    assert alarms(effects) == [AlarmKind.COMMIT_MISMATCH]
    rounds, commits = len(seat.proposed_ms), len(seat.delivered)
    network.run(network.now_ms + 2_000)
    assert (len(seat.proposed_ms), len(seat.delivered)) == (rounds, commits)
    assert seat.core.signing_state is SigningState.ABSTAINING


def network_with_a_seat_that_will_halt() -> Network:
    """Return a network whose first seat has heard of another third commit than there will be."""
    network = Network(CONTEXT)
    certifiers = forked(1, 3), forked(2, 3)
    network.seats[0].feed(CommitsReceived(PEER, (), certifiers))
    return network


def test_votes_that_came_first_halt_when_our_commit_differs() -> None:
    network = network_with_a_seat_that_will_halt()
    network.run(3_000)
    seat = network.seats[0]
    assert len(seat.delivered) == 3
    assert [alarm.kind for alarm in seat.of(RaiseAlarm)] == [AlarmKind.COMMIT_MISMATCH]


def test_halted_node_does_not_grow() -> None:
    network = network_with_a_seat_that_will_halt()
    network.run(3_000)
    seat = network.seats[0]
    before = seat.core.memory
    network.run(9_000)
    assert len(network.seats[1].delivered) > 20
    assert seat.core.memory == before
    answer = seat.feed(LatestQueried(PEER))
    assert [type(effect) for effect in answer] == [Send]


FAULTY = (3, 4)
HALTING = context_of((1, 10, 10, 10, 10))


def twin_leader_round(context: EpochContext) -> int:
    """Return the first round after the first two that a faulty seat leads."""
    leaders = first_schedule(context).leaders
    return next(number for number in range(3, 99) if leaders(number)[0] in FAULTY)


def certified_twins(context: EpochContext) -> list[Block]:
    """Return a DAG in which more than f power certifies two blocks of one leader slot.

    Seat 0 is light and watches. Seats 3 and 4 hold 20 of 41 and are faulty: each side of the
    split has one honest seat, and the faulty ones vote on both.
    """
    forge = Forge(context)
    number = twin_leader_round(context)
    leader = first_schedule(context).leaders(number)[0]
    rounds = forge.layers(number, authors=(1, 2, 3, 4))
    below = refs_of(rounds[-2])
    twin = forge.block(number, leader, below, timestamp_ms=1)
    one_side = refs_of(rounds[-1])
    other_side = [twin.ref if ref.author == leader else ref for ref in one_side]
    left = [forge.block(number + 1, author, one_side) for author in (1, *FAULTY)]
    right = [forge.block(number + 1, author, other_side) for author in (2, *FAULTY)]
    tops = [
        forge.block(number + 2, 1, refs_of(left)),
        forge.block(number + 2, 2, refs_of(right)),
    ]
    return [*flat(rounds), *left, tops[0], tops[1], *right, twin]


def test_two_certified_twins_halt_the_node_and_do_not_crash_it() -> None:
    core = core_of(HALTING)
    boot(core, HALTING)
    effects = relay(core, *certified_twins(HALTING), now_ms=5)
    assert alarms(effects) == [AlarmKind.CERTIFIED_TWINS]
    assert core.signing_state is SigningState.ABSTAINING
    proofs = [effect for effect in effects if isinstance(effect, PublishEvidence)]
    assert {proof.author for proof in proofs} == set(FAULTY)
    for proof in proofs:
        assert verify_evidence(proof.evidence, HALTING).author == proof.author
    later = core.handle(TimerFired(Timer.PROPOSE), now=at(10_000))
    assert not [effect for effect in later if isinstance(effect, Broadcast)]
    ref = certified_twins(HALTING)[0].ref
    assert core.handle(BlocksRequested(PEER, (ref,), ()), now=at(10_000))


def test_report_leads_a_node_that_saw_one_twin_to_the_proof() -> None:
    core = core_of(CONTEXT, own=3)
    block, twin = (FORGE.block(1, 0, timestamp_ms=stamp) for stamp in (0, 1))
    others = FORGE.layer(1, [], authors=(1, 2))
    below = refs_of([block, *others])
    reporter = FORGE.block(2, 1, below, reports=(FORGE.report(block, twin),))
    effects = relay(core, block, *others, reporter)
    (fetch,) = [e for e in effects if isinstance(e, Send)]
    assert fetch.peer == 1
    assert getattr(fetch.message, "refs", ()) == (twin.ref,)
    effects = relay(core, twin)
    (proof,) = [effect for effect in effects if isinstance(effect, PublishEvidence)]
    assert verify_evidence(proof.evidence, CONTEXT).author == 0
    assert relay(core, twin) == []


def test_commits_that_are_refused_cost_the_peer_and_late_ones_do_not() -> None:
    core = core_of(CONTEXT)
    event = CommitsReceived(PEER, (), ())
    assert not [e for e in core.handle(event, now=at(0)) if isinstance(e, ReportPeer)]


@pytest.mark.parametrize("kind", list(AlarmKind))
def test_alarm_tells_a_human_what_to_look_at(kind: AlarmKind) -> None:
    assert len(kind.value) > 20
