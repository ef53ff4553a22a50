import pytest

from tests.dsl.committee import over_committees
from tests.dsl.dag import (
    commit,
    committer_of,
    decisions,
    draw,
    letter,
    skip,
    slots,
    undecided,
)

Powers = tuple[int, ...]


@over_committees
def test_leader_is_committed_by_the_certificate_that_completes_a_quorum(powers: Powers) -> None:
    drawing = draw("r1: all / r2: all / r3: all", powers=powers)
    committee = drawing.context.committee
    dag = drawing.dag(block for block in drawing.blocks.values() if block.round < 3)
    committer = committer_of(drawing, dag, slots("A1", size=len(powers)))
    certifiers = 0
    for author in reversed(committee.indices):
        assert bool(committer.decide()) is committee.is_quorum(certifiers)
        dag.add(drawing.blocks[f"{letter(author)}3"])
        certifiers |= 1 << author
    assert [drawing.name(decision) for decision in committer.decide()] == [commit("A1")]


@over_committees
def test_votes_that_arrive_after_certifying_blocks_still_count(powers: Powers) -> None:
    # The first authors of round 3 do not know the votes of the last one.
    last = letter(len(powers) - 1)
    drawing = draw(
        f"""
        r1: all
        r2: quorum <- all; rest <- all -{last}
        r3: rest <- all -{last}; quorum <- all
        """,
        powers=powers,
    )
    blocks = list(drawing.blocks.values())
    early = drawing.cone("A3")
    late = [block for block in blocks if block not in early]
    assert decisions(drawing, f"{last}1", blocks=early) == [undecided(f"{last}1")]
    assert decisions(drawing, f"{last}1", blocks=early + late) == [commit(f"{last}1")]


@over_committees
def test_committed_leader_waits_for_an_undecided_slot_before_it(powers: Powers) -> None:
    last = letter(len(powers) - 1)
    drawing = draw(
        """
        r1: all
        r2: short <- all -A; rest <- all
        r3: all / r4: all / r5: all / r6: all
        """,
        powers=powers,
    )
    leader_slots = f"A1 {last}1 {last}4"
    before = [block for block in drawing.blocks.values() if block.round <= 5]
    assert decisions(drawing, leader_slots, blocks=before) == [
        undecided("A1"),
        undecided(f"{last}1"),
        undecided(f"{last}4"),
    ]
    assert decisions(drawing, leader_slots) == [
        skip("A1"),
        commit(f"{last}1"),
        commit(f"{last}4"),
    ]


@pytest.mark.parametrize("late", ["A", "B", "C", "D"])
def test_block_that_arrives_long_after_its_round_changes_no_verdict(late: str) -> None:
    drawing = draw(
        f"r1: all / r2: all / r3: all -{late} / r4: all / r5: all / r6: all / r3: {late}"
    )
    leader_slots = "A1 B2 C3 D4"
    expected = decisions(drawing, leader_slots)
    on_time = sorted(drawing.blocks.values(), key=lambda block: block.round)
    assert decisions(drawing, leader_slots, blocks=on_time) == expected


def test_one_certificate_among_a_quorum_of_certifying_blocks_does_not_commit() -> None:
    drawing = draw(
        """
        r1: all
        r2: A <- all; B <- all; C <- all; D <- all -A
        r3: A <- all -C; B <- all -C; C <- all -A; D <- all
        """,
        powers=(1, 1, 1, 1),
    )
    dag = drawing.dag(drawing.blocks.values())
    assert committer_of(drawing, dag, slots("A1", size=4)).decide() == []
