"""Commits and schedule boundaries, against the slow reference and case by case."""

import msgspec
import pytest

from consensus.block import Block
from consensus.commit import commit_digest
from consensus.dag import Dag
from consensus.errors import CommitChainError
from consensus.ordering import OrderedCommit, Ordering
from consensus.parameters import Parameters
from primitives.ids import AuthorityIndex, Digest
from tests.dsl.committee import over_leader_counts
from tests.dsl.dag import Drawing, draw, letter
from tests.dsl.randomdag import RandomDag
from tests.dsl.reference_order import Step, expected_order

Powers = tuple[int, ...]

SEEDS = range(120)
SEEDS_PER_TEST = 20


def _order(drawing: Drawing, blocks: list[Block], *, is_eager: bool) -> list[OrderedCommit]:
    """Run an ordering over the blocks; eager: ask after each block, else once they are all in."""
    dag = Dag(drawing.context.committee.size)
    ordering = Ordering(drawing.context, dag)
    ordered: list[OrderedCommit] = []
    for block in blocks:
        if block.round > dag.gc_round:
            dag.add(block)
        if is_eager:
            ordered += _advance(ordering, dag)
    return ordered + _advance(ordering, dag)


def _advance(ordering: Ordering, dag: Dag) -> list[OrderedCommit]:
    ordered = []
    while (commit := ordering.advance()) is not None:
        ordered.append(commit)
        dag.collect(ordering.linearizer.floor)
    return ordered


def _steps(ordered: list[OrderedCommit]) -> list[Step]:
    return [Step(o.sub_dag.commit, o.sub_dag.digest, o.schedule) for o in ordered]


def _silent_rounds(powers: Powers, *, count: int, rounds: int, window: int) -> Drawing:
    """Draw rounds in which the first author never speaks."""
    return draw(
        "/".join(f"r{number}: all -A" for number in range(1, rounds + 1)),
        powers=powers,
        parameters=Parameters(leaders_per_round=count, schedule_window=window),
    )


@pytest.mark.parametrize("first", SEEDS[::SEEDS_PER_TEST])
def test_order_is_that_of_the_reference_in_every_order_of_arrival(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        shape = RandomDag(seed)
        drawing = shape.drawing
        blocks = list(drawing.blocks.values())
        expected = expected_order(blocks, drawing.context)
        assert _steps(_order(drawing, blocks, is_eager=False)) == expected, f"seed {seed}"
        assert _steps(_order(drawing, shape.order(), is_eager=True)) == expected, f"seed {seed}"


def test_random_dags_cross_boundaries_that_exclude_somebody() -> None:
    excluded = 0
    for seed in SEEDS[::2]:
        drawing = RandomDag(seed).drawing
        steps = expected_order(list(drawing.blocks.values()), drawing.context)
        excluded += sum(bool(step.record and step.record.excluded) for step in steps[:-1])
    assert excluded > 3


@over_leader_counts
def test_each_leader_is_of_the_schedule_in_force_at_its_index(powers: Powers, count: int) -> None:
    window = 4
    drawing = _silent_rounds(powers, count=count, rounds=16, window=window)
    dag = drawing.dag()
    ordering = Ordering(drawing.context, dag)
    boundary_round = 0
    for index in range(1, 100):
        schedule = ordering.schedule
        ordered = ordering.advance()
        if ordered is None:
            break
        leader = ordered.sub_dag.commit.leader
        assert ordered.sub_dag.index == index
        assert leader.author in schedule.leaders(leader.round)
        assert leader.round > boundary_round
        assert (ordered.schedule is not None) == (index % window == 0)
        assert (ordering.schedule is not schedule) == (index % window == 0)
        if ordered.schedule is not None:
            boundary_round = leader.round
    assert boundary_round > 0


@over_leader_counts
def test_silent_author_leads_no_more_after_the_first_boundary(powers: Powers, count: int) -> None:
    drawing = _silent_rounds(powers, count=count, rounds=24, window=8 * count)
    ordered = _order(drawing, list(drawing.blocks.values()), is_eager=True)
    records = [commit.schedule for commit in ordered if commit.schedule is not None]
    assert records
    expected = (AuthorityIndex(0),) if count < len(powers) else ()
    assert all(record.excluded == expected for record in records)


def test_open_slots_of_the_boundary_round_are_void() -> None:
    # Four leaders a round and a boundary at every commit: one commit a round at most.
    drawing = draw(
        "/".join(f"r{number}: all" for number in range(1, 9)),
        parameters=Parameters(leaders_per_round=4, schedule_window=1),
    )
    ordered = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    assert [commit.sub_dag.commit.leader.round for commit in ordered] == [1, 2, 3, 4, 5, 6]


def _adopting(drawing: Drawing) -> Ordering:
    return Ordering(drawing.context, drawing.dag())


@over_leader_counts
def test_adopting_certified_commits_leads_to_the_same_order(powers: Powers, count: int) -> None:
    drawing = _silent_rounds(powers, count=count, rounds=12, window=3)
    decided = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    adopting = _adopting(drawing)
    half = len(decided) // 2
    adopted = [adopting.adopt(o.sub_dag.commit, o.sub_dag.digest) for o in decided[:half]]
    own = []
    while (ordered := adopting.advance()) is not None:
        own.append(ordered)
    assert _steps(adopted + own) == _steps(decided)


def test_adopting_drops_what_was_decided_before() -> None:
    drawing = _silent_rounds((1, 1, 1, 1), count=2, rounds=10, window=100)
    decided = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    mixed = _adopting(drawing)
    found = [mixed.advance()]
    found += [mixed.adopt(o.sub_dag.commit, o.sub_dag.digest) for o in decided[1:3]]
    found.append(mixed.advance())
    assert _steps([ordered for ordered in found if ordered is not None]) == _steps(decided[:4])


def test_certified_commit_of_an_author_who_does_not_lead_is_refused() -> None:
    drawing = _silent_rounds((1, 1, 1, 1), count=1, rounds=6, window=100)
    first, *_ = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    adopting = _adopting(drawing)
    commit = first.sub_dag.commit
    leader = drawing.context.committee.size - 1
    while AuthorityIndex(leader) in adopting.schedule.leaders(commit.leader.round):
        leader -= 1
    other = drawing.blocks[f"{letter(leader)}{commit.leader.round}"].ref
    forged = msgspec.structs.replace(commit, leader=other)
    with pytest.raises(CommitChainError):
        adopting.adopt(forged, commit_digest(forged))


@pytest.mark.parametrize(
    "change", [{"timestamp_ms": 1}, {"blocks": ()}, {"previous": Digest(bytes(32))}, {"index": 2}]
)
def test_certified_commit_that_its_leader_does_not_yield_is_refused(
    change: dict[str, object],
) -> None:
    drawing = _silent_rounds((1, 1, 1, 1), count=1, rounds=6, window=100)
    first, *_ = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    forged = msgspec.structs.replace(first.sub_dag.commit, **change)
    with pytest.raises(CommitChainError):
        _adopting(drawing).adopt(forged, commit_digest(forged))


@over_leader_counts
def test_order_resumes_at_a_stored_boundary(powers: Powers, count: int) -> None:
    drawing = _silent_rounds(powers, count=count, rounds=14, window=3)
    decided = _order(drawing, list(drawing.blocks.values()), is_eager=False)
    dag = drawing.dag()
    restarted = Ordering(drawing.context, dag)
    for ordered in decided[:3]:
        for ref in ordered.sub_dag.commit.blocks:
            vertex = dag.get(ref)
            assert vertex is not None
            dag.mark_committed(vertex)
    boundary = decided[2]
    assert boundary.schedule is not None
    restarted.resume_at_boundary(
        boundary.sub_dag.commit, boundary.sub_dag.digest, boundary.schedule
    )
    assert _steps(_advance(restarted, dag)) == _steps(decided[3:])
