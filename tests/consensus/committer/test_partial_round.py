from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import (
    commit,
    decided,
    decisions,
    draw,
    name_of,
    rotation,
    skip,
    undecided,
)

Powers = tuple[int, ...]


@over_committees
def test_votes_and_certificates_of_just_a_quorum_commit(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum / r3: quorum", powers=powers)
    assert decisions(drawing, "A1") == [commit("A1")]


@over_committees
def test_certificates_of_less_than_a_quorum_do_not_commit(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum / r3: short", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_committees
def test_votes_of_less_than_a_quorum_do_not_certify(powers: Powers) -> None:
    drawing = draw("r1: all / r2: short <- all; edge <- all -A / r3: quorum", powers=powers)
    assert decisions(drawing, "A1") == [undecided("A1")]


@over_leader_counts
def test_with_the_rest_silent_their_slots_are_skipped_and_the_others_commit(
    powers: Powers, count: int
) -> None:
    size = len(powers)
    rounds = size + 3
    drawing = draw("/".join(f"r{number}: quorum" for number in range(1, rounds + 1)), powers=powers)
    leaders = rotation(size, count)
    names = [name_of(number, a) for number in range(1, rounds) for a in leaders(number)]
    verdicts = [commit(name) if name in drawing.blocks else skip(name) for name in names]
    found = decided(drawing, leaders)
    assert found == verdicts[: len(found)]
    # What the last certifying round decides, and after it leading skips at most.
    committed = (rounds - 2) * count
    assert len(found) >= committed
    assert all(verdict.verdict == "skip" for verdict in found[committed:])
