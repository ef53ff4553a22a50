import pytest

from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import (
    commit,
    committer_of,
    decided,
    decisions,
    draw,
    name_of,
    rotation,
    skip,
    slots,
    undecided,
)

Powers = tuple[int, ...]


@over_committees
def test_slot_of_a_silent_leader_is_skipped_once_a_quorum_went_on(powers: Powers) -> None:
    drawing = draw("r1: all -A / r2: short", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]
    drawing = draw("r1: all -A / r2: quorum", powers=powers)
    assert decisions(drawing, "A1") == [skip("A1")]


@over_committees
def test_leader_block_that_comes_too_late_for_votes_is_skipped(powers: Powers) -> None:
    drawing = draw("r1: all -A / r2: quorum / r1: A / r3: quorum <- all A1", powers=powers)
    assert decisions(drawing, "A1") == [skip("A1")]


@over_leader_counts
def test_silent_leaders_cost_their_own_slots_alone(powers: Powers, count: int) -> None:
    size = len(powers)
    rounds = size + 2
    drawing = draw("/".join(f"r{n}: all -A" for n in range(1, rounds + 1)), powers=powers)
    leaders = rotation(size, count)
    expected = [
        skip(name_of(number, author)) if author == 0 else commit(name_of(number, author))
        for number in range(1, rounds - 1)
        for author in leaders(number)
    ]
    assert decided(drawing, leaders)[: len(expected)] == expected


@pytest.mark.parametrize(("missing", "expected"), [("A", False), ("B", False), ("D", True)])
def test_round_has_its_leaders_once_each_has_a_block(missing: str, expected: bool) -> None:
    drawing = draw(f"r1: all -{missing}")
    committer = committer_of(drawing, drawing.dag(), slots("A1 B1", size=4))
    assert committer.has_leaders(1) is expected


@pytest.mark.parametrize(
    ("voting", "expected"),
    [
        ("all <- all", True),
        ("A B C <- all", True),
        ("B C D <- all -A", True),
        ("C D <- all -A; A B <- all", False),
        ("C D <- all", False),
        ("C D <- all -B; A B <- all", False),
    ],
)
def test_opinion_quorum_needs_votes_or_blames_on_every_slot(voting: str, expected: bool) -> None:
    drawing = draw(f"r1: all / r2: {voting}")
    committer = committer_of(drawing, drawing.dag(), slots("A1 B1", size=4))
    assert committer.has_opinion_quorum(1) is expected


def test_opinion_quorum_does_not_ask_for_decided_slots() -> None:
    drawing = draw("r1: all / r2: C D <- all -A; A B <- all")
    committer = committer_of(drawing, drawing.dag(), slots("A1 B1", size=4))
    committer.advance_to(drawing["A1"].round, 0)
    assert committer.has_opinion_quorum(1)
    assert committer.decided_round == 0
    committer.advance_to(drawing["A1"].round, 1)
    assert committer.decided_round == 1
