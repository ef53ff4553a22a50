import pytest

from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import decided, decisions, draw, name_of, rotation, skip, undecided

Powers = tuple[int, ...]


@over_committees
def test_leader_with_quorum_of_blames_is_skipped(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum <- all -A", powers=powers)
    assert decisions(drawing, "A1") == [skip("A1")]


@over_committees
def test_leader_with_quorum_of_blames_is_skipped_in_spite_of_votes(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum <- all -A; rest <- all / r3: all", powers=powers)
    assert decisions(drawing, "A1") == [skip("A1")]


@over_committees
def test_blames_of_less_than_a_quorum_do_not_skip(powers: Powers) -> None:
    drawing = draw("r1: all / r2: short <- all -A; edge <- all / r3: quorum", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_leader_counts
def test_rounds_that_blame_all_leaders_skip_them_all(powers: Powers, count: int) -> None:
    # The rest holds at most f, so nobody needs it as a parent.
    drawing = draw("r1: all / r2: quorum <- quorum / r3: quorum", powers=powers)
    leaders = rotation(len(powers), count)
    blamed = [a for a in leaders(1) if name_of(2, a) not in drawing.blocks]
    found = decided(drawing, leaders)
    assert found[: len(blamed)] == [skip(name_of(1, author)) for author in blamed]


@pytest.mark.parametrize(
    ("blaming", "voting", "expected"),
    [("D B", "A C", skip("A1")), ("B C", "A D", undecided("A1"))],
)
def test_blames_weigh_power_not_heads(blaming: str, voting: str, expected: object) -> None:
    text = f"r1: all / r2: {blaming} <- all -A; {voting} <- all"
    assert decisions(draw(text, powers=(1, 1, 1, 4)), "A1") == [expected]


@over_committees
def test_weak_link_to_a_leader_is_no_vote(powers: Powers) -> None:
    drawing = draw(
        """
        r1: all
        r2: short <- all -A; edge <- all
        r3: quorum <- all A1
        r4: quorum <- all A1
        r5: quorum
        """,
        powers=powers,
    )
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_committees
def test_own_chain_that_leaves_the_voting_round_out_is_no_vote(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum <- all -A / r3: all / r4: all", powers=powers)
    assert drawing["A3"].header.ancestors[0] == drawing["A1"].ref
    assert decisions(drawing, "A1") == [skip("A1")]
