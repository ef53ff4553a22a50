from collections.abc import Sequence

import pytest

from consensus.linearizer import Linearizer
from consensus.parameters import Parameters
from consensus.schedule import Reputation, ScheduleRecord
from primitives.ids import CommitIndex, Digest
from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import Drawing, draw, letter

Powers = tuple[int, ...]
DIGEST = Digest(b"\x05" * 32)


def _conclude(
    drawing: Drawing,
    leaders: Sequence[str],
    *,
    unscored: Sequence[str] = (),
    digest: Digest = DIGEST,
) -> ScheduleRecord:
    """Commit the leaders in order and conclude the window that starts after the unscored ones."""
    dag = drawing.dag()
    linearizer = Linearizer(drawing.context, dag)
    reputation = Reputation(drawing.context)
    for name in (*unscored, *leaders):
        leader = dag.get(drawing[name].ref)
        assert leader is not None
        floor = linearizer.floor
        sub_dag, vertices = linearizer.extend(leader)
        if name not in unscored:
            reputation.record(leader, vertices, sub_dag=sub_dag, floor=floor)
    return reputation.conclude(CommitIndex(len(leaders)), digest)


def _excluded(drawing: Drawing, leaders: Sequence[str]) -> str:
    record = _conclude(drawing, leaders)
    return "".join(letter(author) for author in record.excluded)


def _each_round(author: str, rounds: int) -> list[str]:
    return [f"{author}{number}" for number in range(1, rounds + 1)]


@over_committees
def test_crashed_author_is_excluded(powers: Powers) -> None:
    drawing = draw("/".join(f"r{n}: all -A" for n in range(1, 9)), powers=powers)
    assert _excluded(drawing, _each_round("B", 8)) == "A"


@over_committees
def test_nobody_is_excluded_where_all_vote(powers: Powers) -> None:
    drawing = draw("/".join(f"r{n}: all" for n in range(1, 9)), powers=powers)
    assert _excluded(drawing, _each_round("B", 8)) == ""


@over_committees
def test_author_who_withholds_votes_is_excluded(powers: Powers) -> None:
    rounds = "/".join(f"r{n}: all -A <- all; A <- all -B" for n in range(2, 10))
    assert _excluded(draw("r1: all / " + rounds, powers=powers), _each_round("B", 9)) == "A"


@over_committees
def test_equivocator_has_score_zero_however_well_it_votes(powers: Powers) -> None:
    rounds = "/".join(f"r{n}: all" for n in range(3, 10))
    text = "r1: all A' / r2: all -B <- all; B <- all A1' / " + rounds
    assert _excluded(draw(text, powers=powers), _each_round("B", 9)) == "A"


def test_equivocation_outside_the_window_does_not_count() -> None:
    rounds = "/".join(f"r{n}: all" for n in range(3, 12))
    drawing = draw("r1: all A' / r2: all -B <- all; B <- all A1' / " + rounds)
    leaders = [f"B{number}" for number in range(4, 12)]
    assert _conclude(drawing, leaders, unscored=["B3"]).excluded == ()


@over_leader_counts
def test_enough_authors_are_left_for_a_round(powers: Powers, count: int) -> None:
    drawing = draw(
        "/".join(f"r{n}: quorum" for n in range(1, 9)),
        powers=powers,
        parameters=Parameters(leaders_per_round=count),
    )
    last = letter(len(powers) - 1)
    excluded = _conclude(drawing, _each_round(last, 8)).excluded
    assert len(powers) - len(excluded) >= count
    assert (excluded == ()) is (count == len(powers))


@over_committees
def test_excluded_power_is_at_most_f(powers: Powers) -> None:
    # Just less than half of the authors withhold their votes from the leader.
    last = letter(len(powers) - 1)
    low = " ".join(letter(author) for author in range((len(powers) - 1) // 2))
    without = " ".join(f"-{name}" for name in low.split())
    rounds = "/".join(f"r{n}: {low} <- all -{last}; all {without}" for n in range(2, 9))
    drawing = draw("r1: all / " + rounds, powers=powers)
    excluded = _conclude(drawing, _each_round(last, 8)).excluded
    committee = drawing.context.committee
    assert excluded
    assert {letter(author) for author in excluded} <= set(low.split())
    assert sum(committee.powers[a] for a in excluded) <= committee.faulty_power_max


def test_author_heavier_than_f_is_passed_over_and_a_lighter_one_excluded() -> None:
    # N = 10, f = 3: A alone holds 4.
    rounds = "/".join(f"r{n}: A B <- all -G; all -A -B" for n in range(2, 9))
    drawing = draw("r1: all / " + rounds, powers=(4, 1, 1, 1, 1, 1, 1))
    assert _excluded(drawing, _each_round("G", 8)) == "B"


def test_votes_for_parents_at_or_below_the_floor_do_not_count() -> None:
    # D4 votes for A3 like its peers, but enters with A7, whose floor is round 3. Whether a node
    # still has A3 in memory then is its own affair.
    text = "r1: all / " + "/".join(f"r{n}: A B C <- all -D" for n in range(2, 7))
    late = "/ r2: D / r3: D / r4: D / r7: A B C <- all D4"
    drawing = draw(text + late, parameters=Parameters(gc_depth=3))
    assert drawing["A3"].ref in drawing["D4"].header.ancestors
    assert _excluded(drawing, ["A3", "A6", "A7"]) == "D"


@pytest.mark.parametrize("fill", range(8))
def test_ties_go_by_the_digest_of_the_boundary_commit(fill: int) -> None:
    # Ten authors, f = 3; six are equally low, so three of them must be picked.
    text = "r1: all / " + "/".join(
        f"r{n}: A B C D <- all; E F G H I J <- all -A" for n in range(2, 9)
    )
    drawing = draw(text, powers=(1,) * 10)
    record = _conclude(drawing, _each_round("A", 8), digest=Digest(bytes([fill]) * 32))
    assert record.boundary_index == 8
    assert list(record.excluded) == sorted(record.excluded)


def test_window_without_votes_excludes_nobody() -> None:
    assert _excluded(draw("r1: all / r2: all"), ["A1"]) == ""
