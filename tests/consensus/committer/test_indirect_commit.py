"""Leader Z1, the last author's: certified by Z3 alone, so only an anchor above can tell."""

from collections.abc import Sequence

import pytest

from tests.dsl.committee import EVEN, over_committees
from tests.dsl.dag import Drawing, commit, decisions, draw, letter, skip, undecided

Powers = tuple[int, ...]


def _drawing(powers: Sequence[int], above: str) -> tuple[Drawing, str]:
    """Draw a leader with one certificate, then `above`, in which Z stands for its author."""
    last = letter(len(powers) - 1)
    text = f"""
        r1: all
        r2: quorum <- all; rest <- all -Z
        r3: Z <- all; all -Z -edge <- all -edge; edge <- all -Z
        {above}
    """
    return draw(text.replace("Z", last), powers=powers), last


@over_committees
def test_one_certificate_alone_does_not_commit(powers: Powers) -> None:
    drawing, last = _drawing(powers, "")
    assert decisions(drawing, f"{last}1") == [undecided(f"{last}1")]


@over_committees
def test_committed_anchor_with_a_certificate_in_its_cone_commits(powers: Powers) -> None:
    drawing, last = _drawing(powers, "r4: all / r5: all / r6: all")
    assert decisions(drawing, f"{last}1 A4") == [commit(f"{last}1"), commit("A4")]


@over_committees
def test_certificate_outside_the_cone_of_the_anchor_does_not_commit(powers: Powers) -> None:
    drawing, last = _drawing(powers, "r4: all -Z <- all -Z; Z <- all / r5: all / r6: all")
    assert decisions(drawing, f"{last}1 A4") == [skip(f"{last}1"), commit("A4")]


@pytest.mark.parametrize("powers", EVEN[1:], ids=len)
def test_certificate_may_reach_the_anchor_by_a_weak_link(powers: Powers) -> None:
    # A4 is blamed; F5 sees the certificate though no block of round 4 does.
    above = "r4: all -Z <- all -Z / r5: quorum <- all -A Z3 / r6: quorum / r7: quorum"
    drawing, last = _drawing(powers, above)
    assert decisions(drawing, f"{last}1 A4 F5") == [commit(f"{last}1"), skip("A4"), commit("F5")]


@over_committees
def test_skipped_slots_are_passed_over_in_the_search_for_the_anchor(powers: Powers) -> None:
    drawing, last = _drawing(powers, "r4: quorum / r5: all / r6: all / r7: all")
    leader_slots = f"{last}1 A4 A5"
    assert decisions(drawing, leader_slots) == [commit(f"{last}1"), skip("A4"), commit("A5")]


@over_committees
def test_undecided_slot_is_not_passed_over_in_the_search_for_the_anchor(powers: Powers) -> None:
    # A4 may still turn out committed, and its cone is not that of Z4.
    drawing, last = _drawing(powers, "r4: all / r5: short <- all -A; edge <- all / r6: quorum")
    assert decisions(drawing, f"{last}1 {last}4") == [commit(f"{last}1"), commit(f"{last}4")]
    leader_slots = f"{last}1 A4 {last}4"
    assert decisions(drawing, leader_slots) == [undecided(name) for name in leader_slots.split()]


@over_committees
def test_slot_two_rounds_above_is_no_anchor(powers: Powers) -> None:
    drawing, last = _drawing(powers, "r4: all / r5: all")
    assert decisions(drawing, "A3") == [commit("A3")]
    assert decisions(drawing, f"{last}1 A3") == [undecided(f"{last}1"), undecided("A3")]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_anchor_is_the_first_slot_in_order_of_the_round(count: int) -> None:
    # A4 does not see the certificate D3, the other leaders of its round do.
    above = "r4: A <- all -D; B C D <- all / r5: all / r6: all / r7: all / r8: all"
    drawing, _ = _drawing((1, 1, 1, 1), above)
    first = ["A4", "B4", "C4", "D4"][:count]
    assert decisions(drawing, " ".join(["D1", *first])) == [skip("D1"), *map(commit, first)]
    other = first[::-1]
    expected = commit("D1") if count > 1 else skip("D1")
    assert decisions(drawing, " ".join(["D1", *other])) == [expected, *map(commit, other)]
