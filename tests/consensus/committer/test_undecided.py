import pytest

from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import commit, decided, decisions, draw, name_of, rotation, skip, undecided

Powers = tuple[int, ...]

SPLIT = "short <- all -A; edge rest <- all"


@over_committees
def test_slot_with_neither_quorum_is_undecided_without_an_anchor(powers: Powers) -> None:
    drawing = draw(f"r1: all / r2: {SPLIT} / r3: all / r4: all / r5: all", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_committees
def test_slot_of_the_highest_rounds_is_undecided(powers: Powers) -> None:
    drawing = draw("r1: all / r2: all", powers=powers)
    assert decisions(drawing, "A1 A2") == [undecided("A1"), undecided("A2")]


@over_committees
def test_anchor_that_is_undecided_leaves_the_slot_undecided(powers: Powers) -> None:
    text = f"r1: all / r2: {SPLIT} / r3: all / r4: all / r5: {SPLIT} / r6: all"
    drawing = draw(text, powers=powers)
    assert decisions(drawing, "A1 A4") == [undecided("A1"), undecided("A4")]


@over_leader_counts
def test_undecided_slot_holds_back_everything_after_it(powers: Powers, count: int) -> None:
    rounds = f"r1: all / r2: {SPLIT} / r3: all / r4: all / r5: all"
    leaders = rotation(len(powers), count)
    assert decided(draw(rounds, powers=powers), leaders) == []
    settled = decided(draw(rounds + "/ r6: all", powers=powers), leaders)
    assert settled[0] == skip("A1")
    assert (
        settled[1:]
        == [
            commit(name_of(number, author)) for number in range(1, 5) for author in leaders(number)
        ][1:]
    )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_rounds_in_which_every_slot_is_split_decide_nothing(count: int) -> None:
    # Everybody votes for itself and its neighbour on the right alone, as far as rules allow.
    ring = "A <- A B C; B <- B C D; C <- C D A; D <- D A B"
    drawing = draw("r1: all / " + " / ".join(f"r{n}: {ring}" for n in range(2, 5)))
    leaders = rotation(4, count)
    assert decided(drawing, leaders) == []
