"""The committer and the linearizer against the slow reference, and against themselves.

Each random DAG is seen whole in two orders of arrival and through several cone-closed views.
Every view must be decided exactly as the reference decides it, and what two views put out must
be one a prefix of the other: that is what "cannot fork" means.
"""

import itertools
import os
import time
from dataclasses import dataclass

import pytest

from consensus.block import Block, BlockRef
from consensus.committer import Committer
from consensus.dag import Dag
from consensus.linearizer import Linearizer
from tests.dsl.dag import Drawing, rotation
from tests.dsl.randomdag import RandomDag
from tests.dsl.reference import Reference, SubDag

VIEWS = 4
FAST_SEEDS = range(240)
SEEDS_PER_TEST = 15
SLOW_SECONDS = float(os.environ.get("HANSE_DAG_SECONDS", "60"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one node puts out: slot by slot, and the sub-DAGs of the commits."""

    slots: list[tuple[int, int, BlockRef | None]]
    commits: list[SubDag]


def _run(drawing: Drawing, blocks: list[Block], *, leader_count: int) -> Outcome:
    """Feed a node block by block; it decides after each, commits, and collects garbage."""
    context = drawing.context
    dag = Dag(context.committee.size)
    leaders = rotation(context.committee.size, leader_count)
    committer = Committer(dag, committee=context.committee, leaders=leaders)
    linearizer = Linearizer(context, dag)
    slots: list[tuple[int, int, BlockRef | None]] = []
    commits: list[SubDag] = []
    for block in blocks:
        if block.round <= dag.gc_round:
            continue
        assert not dag.missing(block)
        dag.add(block)
        for decision in committer.decide():
            committer.take(decision)
            ref = None if decision.leader is None else decision.leader.ref
            slots.append((decision.round, decision.offset, ref))
            if decision.leader is not None:
                sub_dag, _ = linearizer.extend(decision.leader)
                commit = sub_dag.commit
                commits.append(
                    SubDag(commit.leader, commit.blocks, commit.void, commit.timestamp_ms)
                )
                dag.collect(linearizer.floor)
    assert committer.conflict is None
    return Outcome(slots, commits)


def _expect(drawing: Drawing, blocks: list[Block], *, leader_count: int) -> Outcome:
    committee = drawing.context.committee
    leaders = rotation(committee.size, leader_count)
    reference = Reference(blocks, powers=committee.powers, leaders=leaders)
    decided = reference.decided()
    return Outcome(
        [(slot.round, slot.offset, status.leader) for slot, status in decided],
        reference.linearise(
            [status.leader for _, status in decided if status.leader is not None],
            gc_depth=drawing.context.parameters.gc_depth,
        ),
    )


def _check(seed: int) -> None:
    shape = RandomDag(seed)
    drawing, count = shape.drawing, shape.leaders_per_round
    whole = list(drawing.blocks.values())
    outcomes = [_run(drawing, order, leader_count=count) for order in (whole, shape.order())]
    assert outcomes[0] == outcomes[1], f"seed {seed}: the order of arrival matters"
    assert outcomes[0] == _expect(drawing, whole, leader_count=count), f"seed {seed}: whole"
    for _ in range(VIEWS):
        view = shape.view()
        outcome = _run(drawing, view, leader_count=count)
        assert outcome == _expect(drawing, view, leader_count=count), f"seed {seed}: view"
        outcomes.append(outcome)
    longest = max(outcomes, key=lambda outcome: len(outcome.slots))
    for outcome in outcomes:
        assert outcome.slots == longest.slots[: len(outcome.slots)], f"seed {seed}: fork"
        assert outcome.commits == longest.commits[: len(outcome.commits)], f"seed {seed}: fork"


@pytest.mark.parametrize("first", FAST_SEEDS[::SEEDS_PER_TEST])
def test_committer_agrees_with_the_reference_and_with_every_other_view(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        _check(seed)


@pytest.mark.slow
def test_committer_agrees_with_the_reference_on_many_more_dags() -> None:
    start = time.perf_counter()
    for seed in itertools.count(1_000_000):
        _check(seed)
        if time.perf_counter() - start > SLOW_SECONDS:
            return


def test_random_dags_reach_every_kind_of_verdict() -> None:
    direct = indirect = skips = twins = void = 0
    for seed in range(40):
        shape = RandomDag(seed)
        drawing = shape.drawing
        committee = drawing.context.committee
        leaders = rotation(committee.size, shape.leaders_per_round)
        reference = Reference(drawing.blocks.values(), powers=committee.powers, leaders=leaders)
        decided = reference.decided()
        committed = [status.leader for _, status in decided if status.leader is not None]
        direct += sum(reference.direct(slot).is_decided for slot, _ in decided)
        indirect += sum(not reference.direct(slot).is_decided for slot, _ in decided)
        skips += sum(status.is_skipped for _, status in decided)
        twins += sum("'" in drawing.names[leader] for leader in committed)
        void += sum(len(commit.void) for commit in reference.linearise(committed, gc_depth=6))
    assert direct > 100
    assert min(indirect, skips, twins, void) > 5
