from itertools import permutations

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
def test_votes_split_between_twins_commit_neither(powers: Powers) -> None:
    drawing = draw(
        """
        r1: all A'
        r2: short <- all; edge rest <- all A1'
        r3: all / r4: all / r5: all / r6: all
        """,
        powers=powers,
    )
    below = [block for block in drawing.blocks.values() if block.round < 6]
    assert decisions(drawing, "A1", blocks=below) == [undecided("A1")]
    assert decisions(drawing, "A1 A4") == [skip("A1"), commit("A4")]


@over_committees
def test_certified_twin_is_committed_and_not_the_block_that_came_first(powers: Powers) -> None:
    drawing = draw("r1: all A' / r2: quorum <- all A1'; rest <- all / r3: all", powers=powers)
    assert decisions(drawing, "A1") == [commit("A1'")]


@over_committees
def test_twin_with_the_only_certificate_is_committed_by_the_anchor(powers: Powers) -> None:
    # Both twins lie in the cone of the anchor; D3 or its like alone gathers the votes for one.
    text = """
        r1: all Z'
        r2: quorum <- all Z1'; rest <- all
        r3: Z <- all Z2; all -Z -edge <- all -edge; edge <- all -Z
        r4: all / r5: all / r6: all
    """
    last = letter(len(powers) - 1)
    drawing = draw(text.replace("Z", last), powers=powers)
    below = [block for block in drawing.blocks.values() if block.round < 6]
    assert decisions(drawing, f"{last}1", blocks=below) == [undecided(f"{last}1")]
    assert decisions(drawing, f"{last}1 A4") == [commit(f"{last}1'"), commit("A4")]


@over_committees
def test_voter_for_a_twin_blames_nobody(powers: Powers) -> None:
    drawing = draw("r1: all A' / r2: short <- all -A; edge <- all A1' / r3: quorum", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_committees
def test_twins_of_one_author_blame_once(powers: Powers) -> None:
    last = letter(len(powers) - 1)
    twins = " ".join(last + "'" * count for count in range(1, 4))
    text = f"r1: all / r2: short <- all -A; {twins} <- all -A; edge rest <- all / r3: all"
    assert decisions(draw(text, powers=powers), "A1") == [undecided("A1")]


@over_committees
def test_twins_of_one_author_certify_once(powers: Powers) -> None:
    last = letter(len(powers) - 1)
    twins = " ".join(last + "'" * count for count in range(1, 4))
    drawing = draw(f"r1: all / r2: all / r3: short {twins} <- all", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_committees
def test_author_may_blame_with_one_twin_and_vote_with_the_other(powers: Powers) -> None:
    edge = letter(_edge(powers))
    text = f"r1: all / r2: short <- all -A; {edge} <- all; {edge}' <- all -A"
    drawing = draw(text, powers=powers)
    assert decisions(drawing, "A1") == [skip("A1")]
    unaware = [block for block in drawing.blocks.values() if drawing.names[block.ref][-1] != "'"]
    assert decisions(drawing, "A1", blocks=unaware) == [undecided("A1")]


@over_committees
def test_vote_of_a_twin_counts_with_the_power_of_its_author(powers: Powers) -> None:
    # Only the twin of the edge votes, and only that twin is a parent of round 3.
    edge = letter(_edge(powers))
    text = f"""
        r1: all
        r2: short <- all; {edge} <- all -A; {edge}' <- all
        r3: short <- all {edge}2'; {edge} <- all {edge}2'
    """
    assert decisions(draw(text, powers=powers), "A1") == [commit("A1")]


@over_committees
def test_vote_of_a_twin_does_not_count_where_the_other_is_the_parent(powers: Powers) -> None:
    edge = letter(_edge(powers))
    text = f"""
        r1: all
        r2: short <- all; {edge} <- all -A; {edge}' <- all
        r3: quorum <- all
    """
    assert decisions(draw(text, powers=powers), "A1") == [undecided("A1")]


TWO_CERTIFIED = """
    r1: all A'
    r2: B C D <- all; B' C' D' <- all A1'
    r3: B C D <- B C D; B' C' D' <- B2' C2' D2'
"""


def test_two_certified_twins_stop_the_committer_and_are_told() -> None:
    # More than f power is faulty; nobody may crash, and nothing more may be put out.
    drawing = draw(TWO_CERTIFIED)
    committer = committer_of(drawing, drawing.dag(), slots("A1 B1", size=4))
    assert committer.decide() == []
    assert committer.conflict is not None
    assert {drawing.names[vertex.ref] for vertex in committer.conflict} == {"A1", "A1'"}


@pytest.mark.parametrize("order", list(permutations(["A1", "A1'"])))
def test_conflict_is_kept_and_found_in_any_order_of_arrival(order: tuple[str, str]) -> None:
    drawing = draw(TWO_CERTIFIED)
    first = [drawing[name] for name in order]
    others = [block for block in drawing.blocks.values() if block not in first]
    committer = committer_of(drawing, drawing.dag(first + others), slots("A1 B1", size=4))
    committer.decide()
    before = committer.conflict
    assert before is not None
    committer.decide()
    assert committer.conflict == before


def _edge(powers: Powers) -> int:
    """Return the first of the last authors that hold a quorum, as in the notation."""
    return max(
        author for author in range(len(powers)) if sum(powers[author:]) >= sum(powers) * 2 // 3 + 1
    )
