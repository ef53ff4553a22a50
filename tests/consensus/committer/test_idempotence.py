import random

import pytest

from consensus.block import Block
from tests.dsl.committee import over_leader_counts
from tests.dsl.dag import Drawing, committer_of, decided, draw, rotation

Powers = tuple[int, ...]

TEXT = """
    r1: all A'
    r2: short <- all; edge rest <- all A1'
    r3: quorum <- all -A; rest <- all
    r4: all
    r5: quorum
    r6: short <- all; edge <- all
    r7: all
    r8: all -A <- all
    r9: all -A
"""


def _shuffled(drawing: Drawing, seed: int) -> list[Block]:
    """Return the blocks in another order that puts ancestors first."""
    dice = random.Random(seed)
    waiting = list(drawing.blocks.values())
    placed: list[Block] = []
    known = set()
    while waiting:
        ready = [
            block
            for block in waiting
            if all(ref.round == 0 or ref in known for ref in block.header.ancestors)
        ]
        block = dice.choice(ready)
        waiting.remove(block)
        placed.append(block)
        known.add(block.ref)
    return placed


@over_leader_counts
def test_same_view_gives_the_same_answer_however_often_it_is_asked(
    powers: Powers, count: int
) -> None:
    drawing = draw(TEXT, powers=powers)
    committer = committer_of(drawing, drawing.dag(), rotation(len(powers), count))
    first = [drawing.name(decision) for decision in committer.decide()]
    assert first
    for _ in range(3):
        assert [drawing.name(decision) for decision in committer.decide()] == first


@over_leader_counts
def test_any_order_of_arrival_gives_the_same_answer(powers: Powers, count: int) -> None:
    drawing = draw(TEXT, powers=powers)
    leaders = rotation(len(powers), count)
    expected = decided(drawing, leaders)
    for seed in range(5):
        assert decided(drawing, leaders, blocks=_shuffled(drawing, seed)) == expected


@pytest.mark.parametrize("is_taken", [False, True])
@over_leader_counts
def test_asking_after_every_block_gives_the_same_answer(
    powers: Powers, count: int, is_taken: bool
) -> None:
    drawing = draw(TEXT, powers=powers)
    leaders = rotation(len(powers), count)
    dag = drawing.dag([])
    committer = committer_of(drawing, dag, leaders)
    found = []
    for block in _shuffled(drawing, 7):
        dag.add(block)
        decisions = committer.decide()
        if is_taken:
            found += [drawing.name(decision) for decision in decisions]
            for decision in decisions:
                committer.take(decision)
        else:
            latest = [drawing.name(decision) for decision in decisions]
            assert latest[: len(found)] == found
            found = latest
    assert found == decided(drawing, leaders)


@over_leader_counts
def test_questions_of_the_pacemaker_change_no_answer(powers: Powers, count: int) -> None:
    drawing = draw(TEXT, powers=powers)
    leaders = rotation(len(powers), count)
    dag = drawing.dag([])
    committer = committer_of(drawing, dag, leaders)
    for block in drawing.blocks.values():
        dag.add(block)
        committer.has_opinion_quorum(block.round)
        committer.has_opinion_quorum(max(1, block.round - 1))
    assert [drawing.name(d) for d in committer.decide()] == decided(drawing, leaders)
