"""Reputation and vesting, by hand and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.limits import ONE, VESTING_ROUNDS
from fl.rules.reputation import (
    INITIAL,
    PENALTIES,
    BondFate,
    Fault,
    after_quality,
    cut,
    is_harm,
    is_persistent,
    remember_harm,
    weight_effect,
)
from fl.rules.vesting import NOTHING, Clock, Tranche, Vesting, earn, mature, slash
from primitives.ids import Grain, TimestampMs

FAR_MS = TimestampMs(10**15)


@pytest.mark.parametrize(
    ("score", "expected"),
    # From a half: down by a sixteenth of it, nowhere, up by a sixteenth of the other half.
    [(10, 30_720), (11, 32_768), (49, 32_768), (50, 34_816), (-(2**31), 30_720)],
)
def test_quality_moves_reputation_by_a_sixteenth(score: int, expected: int) -> None:
    assert after_quality(ONE // 2, score=score, threshold=10, median=50) == expected


@given(st.integers(0, ONE), st.lists(st.sampled_from([0, 20, 99]), max_size=50))
def test_reputation_stays_between_zero_and_one(reputation: int, scores: list[int]) -> None:
    for score in scores:
        reputation = after_quality(reputation, score=score, threshold=10, median=50)
        assert 0 <= reputation <= ONE


@pytest.mark.parametrize(
    ("fault", "reputation", "basis_points", "fate"),
    [
        (Fault.WITHHELD_UPDATE, 57_344, 0, BondFate.BURNED),
        (Fault.MALFORMED, 57_344, 0, BondFate.BURNED),
        (Fault.COPY, 32_768, 100, BondFate.BURNED),
        (Fault.HARM, 32_768, 200, BondFate.RETURNED),
        (Fault.WITHHELD_SCORES, 57_344, 50, BondFate.RETURNED),
        (Fault.WRONG_AGGREGATE, 65_536, 3_000, BondFate.RETURNED),
    ],
)
def test_table_of_faults(fault: Fault, reputation: int, basis_points: int, fate: BondFate) -> None:
    assert cut(ONE, fault) == reputation
    assert PENALTIES[fault].stake_basis_points == basis_points
    assert PENALTIES[fault].bond is fate


def test_every_fault_is_in_the_table() -> None:
    assert PENALTIES.keys() == set(Fault)


def test_reputation_changes_weight_by_four_at_most() -> None:
    assert [weight_effect(one) for one in (0, INITIAL, ONE // 2, ONE)] == [
        ONE // 4,
        ONE // 4,
        ONE // 2,
        ONE,
    ]


@pytest.mark.parametrize(
    ("score", "band", "expected"),
    [(-120, 20, False), (-121, 20, True), (-201, 101, False), (-202, 101, True), (500, 20, False)],
)
def test_harm_is_beyond_its_bound_with_all_of_the_band(
    score: int, band: int, *, expected: bool
) -> None:
    assert is_harm(score, band=band, harm=100) is expected


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [([1, 1], False), ([1, 1, 1], True), ([1, 0, 1, 0, 1], True), ([1, 1, 0, 0, 0, 1], False)],
)
def test_three_harms_in_five_rounds_persist(rounds: list[int], *, expected: bool) -> None:
    history = 0
    for happened in rounds:
        history = remember_harm(history, happened=happened)
    assert is_persistent(history) is expected


def _tranche(scored: int, amount: int = 100, unlock_ms: int = FAR_MS) -> Tranche:
    return Tranche(scored, TimestampMs(unlock_ms), Grain(amount))


def _clock(scored: int, now_ms: int = 0) -> Clock:
    return Clock(scored=scored, now_ms=TimestampMs(now_ms))


def test_tranche_vests_after_seven_scored_rounds_or_at_its_time() -> None:
    vesting = earn(NOTHING, _tranche(3, unlock_ms=500), _clock(3))
    assert mature(vesting, _clock(9, 499)).vested == 0
    assert mature(vesting, _clock(10, 0)).vested == 100
    assert mature(vesting, _clock(3, 500)).vested == 100


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 10**9)), max_size=40))
def test_vesting_keeps_every_grain_in_at_most_seven_tranches(
    steps: list[tuple[int, int]],
) -> None:
    vesting, scored, earned = NOTHING, 0, 0
    for rounds, amount in steps:
        scored += rounds
        earned += amount
        vesting = earn(vesting, _tranche(scored, amount), _clock(scored))
        assert len(vesting.tranches) <= VESTING_ROUNDS
        assert vesting.total == earned
    assert mature(vesting, _clock(scored + VESTING_ROUNDS)) == Vesting(Grain(earned), ())


def test_fault_burns_only_what_has_not_vested() -> None:
    vesting = earn(NOTHING, _tranche(1, 1_000), _clock(1))
    vesting = earn(vesting, _tranche(5, 1_050), _clock(5))
    left, burned = slash(vesting, basis_points=200, clock=_clock(8))
    assert burned == 21
    assert left == Vesting(Grain(1_000), (_tranche(5, 1_029),))
    assert left.total + burned == vesting.total
