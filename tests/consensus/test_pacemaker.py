"""When to propose: each round in order, on C1, C2 or C3, with a delay no liar can stretch."""

from collections.abc import Sequence

import pytest

from consensus.pacemaker import COMMITS_PER_SHRINK, READY_ROUNDS_KEPT, Pacemaker
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round
from tests.dsl.committee import committee_of

TUNING = Tuning(
    min_round_delay_ms=50,
    delta_initial_ms=250,
    delta_min_ms=50,
    delta_max_ms=2_000,
    backoff_after_rounds=3,
)


def pacemaker_of(powers: Sequence[int] = (1,) * 4, tuning: Tuning = TUNING) -> Pacemaker:
    """Return a fresh pacemaker."""
    return Pacemaker(committee_of(powers), tuning)


def due(
    pacemaker: Pacemaker,
    *,
    now_ms: int = 1_000,
    last_ms: int = 0,
    is_late: bool = False,
    can_serve: bool = False,
    delay_ms: int = TUNING.min_round_delay_ms,
) -> int:
    """Return when round 5 is due."""
    return pacemaker.due_ms(
        Round(5),
        now_ms=now_ms,
        last_proposal_ms=last_ms,
        is_late=is_late,
        can_serve=can_serve,
        delay_ms=delay_ms,
    )


def arrive(pacemaker: Pacemaker, author: int, *delays_ms: int) -> None:
    """Let the leader blocks of an author come so long after readiness."""
    for delay_ms in delays_ms:
        pacemaker.note_clock(Round(2), now_ms=0)
        pacemaker.note_leader(Round(1), AuthorityIndex(author), now_ms=delay_ms, paced_ms=0)


@pytest.mark.parametrize(
    ("proposed", "decided", "clock", "target"),
    [
        pytest.param(0, 0, 1, 1, id="first round"),
        pytest.param(4, 0, 5, 5, id="nothing decided: the next round"),
        pytest.param(4, 0, 4, None, id="the clock does not allow it"),
        pytest.param(4, 0, 90, 5, id="nothing decided: no round is skipped"),
        pytest.param(4, 1, 90, 5, id="the next round is the horizon"),
        pytest.param(4, 2, 90, 5, id="exactly three above what is decided"),
        pytest.param(4, 3, 90, 6, id="one round skipped"),
        pytest.param(4, 60, 90, 63, id="back from a long absence"),
        pytest.param(4, 3, 5, 5, id="directly skipped slot: decided is the clock minus two"),
        pytest.param(4, 88, 90, 90, id="decided to the clock minus two: at the clock"),
        pytest.param(4, 9, 4, None, id="own block is the only one of its round"),
        pytest.param(9, 3, 10, 10, id="ahead of what is decided"),
    ],
)
def test_target_is_the_next_round_that_someone_may_still_need(
    proposed: int, decided: int, clock: int, target: int | None
) -> None:
    found = pacemaker_of().target(
        proposed=Round(proposed), decided=Round(decided), clock=Round(clock)
    )
    assert found == target


def test_block_that_can_serve_waits_for_the_least_delay_alone() -> None:
    assert due(pacemaker_of(), now_ms=1_000, last_ms=990, can_serve=True) == 1_040
    assert due(pacemaker_of(), now_ms=1_000, last_ms=0, can_serve=True) == 1_000


def test_block_at_a_slower_pace_waits_longer() -> None:
    assert due(pacemaker_of(), last_ms=990, can_serve=True, delay_ms=200) == 1_190
    assert due(pacemaker_of(), last_ms=990, is_late=True, delay_ms=200) == 1_000


def test_leader_has_its_two_delays_after_the_wait_of_a_slower_pace() -> None:
    assert due(pacemaker_of(), last_ms=990) == 1_000 + 2 * 250
    assert due(pacemaker_of(), last_ms=990, delay_ms=200) == 990 + 200 + 2 * 250


def test_arrivals_at_a_slower_pace_are_measured_from_the_end_of_the_wait() -> None:
    pacemaker = pacemaker_of()
    pacemaker.note_clock(Round(2), now_ms=0)
    for author in range(4):
        pacemaker.note_leader(Round(1), AuthorityIndex(author), now_ms=900, paced_ms=200)
    assert pacemaker.delta_ms == 700
    punctual = pacemaker_of()
    punctual.note_clock(Round(2), now_ms=0)
    for author in range(4):
        punctual.note_leader(Round(1), AuthorityIndex(author), now_ms=190, paced_ms=200)
    assert punctual.delta_ms == TUNING.delta_min_ms


def test_late_block_waits_for_nothing() -> None:
    assert due(pacemaker_of(), now_ms=1_000, last_ms=1_000, is_late=True) == 1_000


def test_timeout_starts_when_the_parents_are_ready() -> None:
    pacemaker = pacemaker_of()
    pacemaker.note_clock(Round(5), now_ms=900)
    assert due(pacemaker) == 900 + 2 * 250


def test_timeout_that_passed_is_due_now() -> None:
    pacemaker = pacemaker_of()
    pacemaker.note_clock(Round(5), now_ms=100)
    assert due(pacemaker, now_ms=1_000) == 1_000


def test_timeout_is_not_restarted_by_its_own_or_another_round() -> None:
    pacemaker = pacemaker_of()
    pacemaker.note_clock(Round(5), now_ms=900)
    pacemaker.note_clock(Round(5), now_ms=950)
    pacemaker.note_clock(Round(6), now_ms=980)
    assert due(pacemaker) == 1_400


def test_round_that_the_clock_jumped_over_is_ready_since_the_jump() -> None:
    pacemaker = pacemaker_of()
    pacemaker.note_clock(Round(4), now_ms=100)
    pacemaker.note_clock(Round(9), now_ms=900)
    pacemaker.note_clock(Round(12), now_ms=990)
    assert pacemaker.ready_ms(Round(5), now_ms=1_000) == 900
    assert pacemaker.ready_ms(Round(10), now_ms=1_000) == 990


def test_round_that_nothing_is_known_of_is_ready_since_it_was_asked_about() -> None:
    pacemaker = pacemaker_of()
    assert pacemaker.ready_ms(Round(5), now_ms=700) == 700
    assert pacemaker.ready_ms(Round(5), now_ms=800) == 700


def test_ready_times_are_bounded() -> None:
    pacemaker = pacemaker_of()
    for number in range(1, 1_000, 3):
        pacemaker.note_clock(Round(number), now_ms=number)
        pacemaker.ready_ms(Round(max(1, number - 1)), now_ms=number)
    assert len(pacemaker._ready_ms) <= READY_ROUNDS_KEPT + 1  # noqa: SLF001 - hidden inside


def test_estimate_starts_from_the_setting() -> None:
    assert pacemaker_of().delta_ms == 250


def test_estimate_needs_leaders_with_a_quorum_of_power() -> None:
    pacemaker = pacemaker_of()
    arrive(pacemaker, 0, 80)
    arrive(pacemaker, 1, 90)
    assert pacemaker.delta_ms == 250
    arrive(pacemaker, 2, 100)
    assert pacemaker.delta_ms == 100


@pytest.mark.parametrize("powers", [(1,) * 4, (1,) * 7, (1,) * 10, (4, 3, 2, 1, 1, 1, 1)])
def test_faulty_power_cannot_stretch_the_estimate(powers: tuple[int, ...]) -> None:
    committee = committee_of(powers)
    pacemaker = pacemaker_of(powers)
    slow_power = 0
    for author in reversed(committee.indices):
        is_slow = slow_power + powers[author] <= committee.faulty_power_max
        slow_power += powers[author] if is_slow else 0
        arrive(pacemaker, author, 1_900 if is_slow else 120)
    assert slow_power > 0
    assert pacemaker.delta_ms == 120


@pytest.mark.parametrize("powers", [(1,) * 4, (1,) * 7, (4, 3, 2, 1, 1, 1, 1)])
def test_more_than_faulty_power_that_is_slow_stretches_the_estimate(
    powers: tuple[int, ...],
) -> None:
    committee = committee_of(powers)
    pacemaker = pacemaker_of(powers)
    slow_power = 0
    for author in committee.indices:
        is_slow = slow_power <= committee.faulty_power_max
        slow_power += powers[author] if is_slow else 0
        arrive(pacemaker, author, 700 if is_slow else 120)
    assert pacemaker.delta_ms == 700


def test_estimate_takes_the_median_of_recent_arrivals() -> None:
    pacemaker = pacemaker_of((1,))
    arrive(pacemaker, 0, 100, 900, 200)
    assert pacemaker.delta_ms == 200
    arrive(pacemaker, 0, *[150] * 8)
    assert pacemaker.delta_ms == 150


def test_estimate_stays_within_its_limits() -> None:
    low, high = pacemaker_of((1,)), pacemaker_of((1,))
    arrive(low, 0, 1)
    arrive(high, 0, 9_000)
    assert low.delta_ms == 50
    assert high.delta_ms == 2_000


def test_leader_that_came_before_anybody_was_ready_took_no_time() -> None:
    pacemaker = pacemaker_of((1,))
    pacemaker.note_leader(Round(7), AuthorityIndex(0), now_ms=5_000, paced_ms=0)
    assert pacemaker.delta_ms == 50


def test_rounds_without_a_commit_double_the_estimate_up_to_its_limit() -> None:
    pacemaker = pacemaker_of()
    seen = []
    for _ in range(5):
        for _ in range(3):
            pacemaker.note_proposal()
        seen.append(pacemaker.delta_ms)
    assert seen == [500, 1_000, 2_000, 2_000, 2_000]


def test_commit_in_between_keeps_the_estimate() -> None:
    pacemaker = pacemaker_of()
    for _ in range(20):
        pacemaker.note_proposal()
        pacemaker.note_proposal()
        pacemaker.note_commit()
    assert pacemaker.delta_ms == 250


def test_commits_halve_what_back_off_added_slowly() -> None:
    pacemaker = pacemaker_of()
    for _ in range(6):
        pacemaker.note_proposal()
    assert pacemaker.delta_ms == 1_000
    for _ in range(COMMITS_PER_SHRINK - 1):
        pacemaker.note_commit()
    assert pacemaker.delta_ms == 1_000
    pacemaker.note_commit()
    assert pacemaker.delta_ms == 500
    for _ in range(3 * COMMITS_PER_SHRINK):
        pacemaker.note_commit()
    assert pacemaker.delta_ms == 250
