"""What gets into the DAG: rules of ingress, twins, certified blocks, and the novelty budget."""

from collections.abc import Iterable

import pytest

from consensus.block import Block
from consensus.events import Origin
from consensus.intake import Intake
from consensus.parameters import Parameters, Tuning
from primitives.clock import Instant
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import TUNING, Forge, at, flat, phantom, refs_of
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=10))
FORGE = Forge(CONTEXT)
NOW = at(1_000)
ROUND_AHEAD_MAX = 2 * 10 + TUNING.round_margin


def intake_of(*rounds: Iterable[Block], tuning: Tuning = TUNING) -> Intake:
    """Return the intake of seat 0 with these blocks accepted."""
    intake = Intake(CONTEXT, own=AuthorityIndex(0), tuning=tuning)
    for block in flat(rounds):
        assert offer(intake, block)
    intake.drain(now=NOW)
    return intake


def offer(
    intake: Intake, block: Block, *, origin: Origin = Origin.RELAYED, now: Instant = NOW
) -> bool:
    """Offer a block, as sent by its author."""
    return intake.offer(block, block.author, origin=origin, now=now)


def drained(intake: Intake) -> list[Block]:
    """Return the blocks that the next drain accepts."""
    vertices, _ = intake.drain(now=NOW)
    return [vertex.block for vertex in vertices]


def test_blocks_are_accepted_after_their_ancestors() -> None:
    rounds = FORGE.layers(3)
    intake = intake_of()
    for block in reversed(flat(rounds)):
        assert offer(intake, block)
    accepted = drained(intake)
    place = {block.ref: index for index, block in enumerate(accepted)}
    assert len(accepted) == 12
    for block in accepted:
        assert all(place[ref] < place[block.ref] for ref in block.header.ancestors if ref.round > 0)


def test_block_that_is_known_is_not_let_in_again() -> None:
    (first, *_), (second, *_), *_ = FORGE.layers(2)
    intake = intake_of([first])
    assert not offer(intake, first)
    assert offer(intake, second)
    assert not offer(intake, second)
    assert drained(intake) == []
    assert not offer(intake, second)
    assert intake.knows(second.ref)


def test_missing_ancestors_are_asked_of_the_sender() -> None:
    below, above = FORGE.layers(2)
    intake = intake_of(below[:2])
    offer(intake, above[1])
    _, plan = intake.drain(now=NOW)
    assert plan == {AuthorityIndex(1): refs_of(below[2:])}


def test_ancestor_that_came_in_the_same_message_is_not_asked_for() -> None:
    below, above = FORGE.layers(2)
    intake = intake_of(below[:3])
    offer(intake, above[1])
    offer(intake, below[3])
    accepted, plan = intake.drain(now=NOW)
    assert len(accepted) == 2
    assert plan == {}


@pytest.mark.parametrize("origin", Origin)
def test_round_above_the_ceiling_is_refused(origin: Origin) -> None:
    intake = intake_of(*FORGE.layers(2))
    high = [phantom(2 + ROUND_AHEAD_MAX - 1, author) for author in range(4)]
    assert offer(intake, FORGE.block(2 + ROUND_AHEAD_MAX, 1, high), origin=origin)
    higher = [phantom(2 + ROUND_AHEAD_MAX, author) for author in range(4)]
    assert not offer(intake, FORGE.block(3 + ROUND_AHEAD_MAX, 1, higher), origin=origin)


def test_block_from_the_future_is_refused_on_a_stream_alone() -> None:
    intake = intake_of()
    edge = FORGE.block(1, 1, timestamp_ms=1_000 + TUNING.drift_max_ms)
    beyond = FORGE.block(1, 2, timestamp_ms=1_001 + TUNING.drift_max_ms)
    assert offer(intake, edge, origin=Origin.STREAM)
    assert not offer(intake, beyond, origin=Origin.STREAM)
    assert offer(intake, beyond, origin=Origin.RELAYED)


def test_drift_is_judged_by_the_wall_clock() -> None:
    block = FORGE.block(1, 1, timestamp_ms=50_000)
    assert not offer(intake_of(), block, origin=Origin.STREAM, now=at(50_000, wall_ms=0))
    assert offer(intake_of(), block, origin=Origin.STREAM, now=at(0, wall_ms=50_000))


def test_block_at_or_below_gc_is_refused_and_above_is_not() -> None:
    rounds = FORGE.layers(3)
    intake = intake_of()
    intake.collect(Round(2))
    assert not offer(intake, rounds[1][0])
    assert offer(intake, rounds[2][0])
    assert drained(intake) == [rounds[2][0]]


def test_block_that_gc_passed_while_it_was_queued_is_dropped() -> None:
    rounds = FORGE.layers(1)
    intake = intake_of()
    offer(intake, rounds[0][0])
    intake.collect(Round(1))
    assert drained(intake) == []


def test_collection_releases_what_waited_for_old_ancestors() -> None:
    rounds = FORGE.layers(3)
    intake = intake_of()
    offer(intake, rounds[2][0])
    assert drained(intake) == []
    intake.collect(Round(2))
    assert drained(intake) == [rounds[2][0]]


def test_twin_from_the_stream_is_refused_and_proven() -> None:
    block, twin = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1))
    intake = intake_of([block])
    assert not offer(intake, twin, origin=Origin.STREAM)
    ((author, _),) = intake.take_evidence()
    assert author == 1
    assert intake.take_evidence() == []
    assert len(intake.dag) == 1


def test_twin_of_a_suspended_block_is_refused_and_proven() -> None:
    refs = [phantom(1, author) for author in range(4)]
    block, twin = (FORGE.block(2, 1, refs, timestamp_ms=stamp) for stamp in (0, 1))
    intake = intake_of()
    offer(intake, block)
    intake.drain(now=NOW)
    assert not offer(intake, twin)
    assert [author for author, _ in intake.take_evidence()] == [1]


def test_relayed_twins_of_one_message_are_capped_and_proven() -> None:
    block, twin, third = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1, 2))
    intake = intake_of()
    assert offer(intake, block)
    assert offer(intake, twin)
    assert not offer(intake, third)
    assert drained(intake) == [block, twin]
    assert [author for author, _ in intake.take_evidence()] == [1]


def test_relayed_block_is_accepted_though_a_forged_twin_waits_in_its_slot() -> None:
    refs = [phantom(1, author) for author in range(4)]
    forged = FORGE.block(2, 1, refs, timestamp_ms=1)
    parents = FORGE.layer(1, [])
    real = FORGE.block(2, 1, refs_of([parents[1], parents[0], *parents[2:]]))
    intake = intake_of(parents)
    offer(intake, forged)
    assert drained(intake) == []
    assert not offer(intake, real, origin=Origin.STREAM)
    assert offer(intake, real, origin=Origin.RELAYED)
    assert drained(intake) == [real]


def test_twin_that_others_built_on_is_accepted() -> None:
    block, twin = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1))
    others = FORGE.layer(1, [], authors=(0, 2, 3))
    intake = intake_of([block, *others])
    child = FORGE.block(2, 2, refs_of([twin, *others]))
    assert offer(intake, child)
    _, plan = intake.drain(now=NOW)
    assert plan == {AuthorityIndex(2): [twin.ref]}
    assert offer(intake, twin)
    assert drained(intake) == [twin, child]
    assert intake.excluded == 1 << 1
    assert [author for author, _ in intake.take_evidence()] == [1]


def test_twin_in_a_certified_commit_is_accepted() -> None:
    block, twin = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1))
    intake = intake_of([block])
    intake.required = {twin.ref: None}
    assert offer(intake, twin)
    assert drained(intake) == [twin]


def test_certified_block_is_accepted_however_far_above() -> None:
    intake = intake_of()
    far = FORGE.block(500, 1, [phantom(499, author) for author in range(4)])
    assert not offer(intake, far)
    intake.required = {far.ref: None}
    assert offer(intake, far)


def test_one_input_accepts_no_more_than_the_novelty_budget() -> None:
    tuning = Tuning(novelty_max=5)
    rounds = FORGE.layers(3)
    intake = intake_of(tuning=tuning)
    for block in flat(rounds):
        offer(intake, block)
    counts = []
    while intake.backlog:
        counts.append(len(drained(intake)))
    assert counts == [5, 5, 2]
    assert len(intake.dag) == 12


def test_queued_block_counts_as_known() -> None:
    intake = intake_of(tuning=Tuning(novelty_max=1))
    first, second = FORGE.layer(1, [], authors=(0, 1))
    offer(intake, first)
    offer(intake, second)
    assert drained(intake) == [first]
    assert intake.knows(second.ref)
    assert not offer(intake, second)
    assert not intake.knows(phantom(1, 2))


def test_frontier_is_the_highest_round_of_every_author() -> None:
    rounds = FORGE.layers(3)
    intake = intake_of(*rounds[:2], rounds[2][:1])
    assert intake.frontier() == (3, 2, 2, 2)
    assert intake_of().frontier() == (0, 0, 0, 0)


def test_block_that_a_report_named_is_kept_though_gc_passed_it() -> None:
    block, twin = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1))
    intake = intake_of()
    intake.collect(Round(5))
    report_on(intake, block, twin)
    assert not offer(intake, block)
    assert intake.take_evidence() == []
    assert not offer(intake, twin)
    assert [author for author, _ in intake.take_evidence()] == [1]


def test_block_that_a_report_named_is_let_in_if_its_slot_is_free() -> None:
    block, twin = (FORGE.block(1, 1, timestamp_ms=stamp) for stamp in (0, 1))
    intake = intake_of()
    report_on(intake, block, twin)
    assert offer(intake, twin)
    assert drained(intake) == [twin]
    assert not offer(intake, block, origin=Origin.STREAM)
    assert [author for author, _ in intake.take_evidence()] == [1]


def report_on(intake: Intake, block: Block, twin: Block) -> None:
    """Let the intake expect two twins that a report named."""
    carrier = FORGE.report(block, twin)
    assert set(intake.watch.follow(carrier)) == {block.ref, twin.ref}
