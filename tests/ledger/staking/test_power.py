import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.ledger.staking.power import cap_of, powers_of

WEIGHTS = st.lists(st.integers(1, 2**62), min_size=1, max_size=150).map(
    lambda weights: sorted(weights, reverse=True)
)
CAPS = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("weights", "powers"),
    [
        pytest.param([7], [10_000], id="one seat has it all"),
        pytest.param([9, 1], [5_000, 5_000], id="two seats share, whatever their stake"),
        pytest.param([5, 5, 5], [3_334, 3_333, 3_333], id="the odd unit goes to the first"),
        pytest.param([1, 1, 1, 1], [2_500] * 4, id="four equal seats"),
        pytest.param([10**12, 3, 2, 1], [2_500] * 4, id="a whale among four is one of four"),
        pytest.param([10**12, *[1] * 9], [1_000] * 10, id="ten seats are equal whatever happens"),
        # 20 seats: 9,980 to share. The whale is capped; 19 equal seats divide 9,000.
        pytest.param(
            [10**12, *[1] * 19], [1_000, *[474] * 13, *[473] * 6], id="one whale is capped"
        ),
        # 12 seats: 9,988 to share by a stake of 22. The big ones would have 2,724 each, are capped
        # at 999, and leave 7,990 to ten seats, 799 each.
        pytest.param([6, 6, *[1] * 10], [1_000, 1_000, *[800] * 10], id="two are capped"),
        # 20 equal seats: one, and 499 of 9,980.
        pytest.param([5] * 20, [500] * 20, id="twenty equal seats"),
        # 11 seats, stakes 20 and ten times 1: 9,989 to share. 6,659 is above the cap of 1,000;
        # 8,990 are left for ten, 899 each.
        pytest.param([20, *[1] * 10], [1_000, *[900] * 10], id="what is cut off goes by stake"),
    ],
)
def test_power_worked_out_by_hand(weights: list[int], powers: list[int]) -> None:
    assert list(powers_of(weights, power_cap=1_000)) == powers


def test_power_follows_stake_below_the_cap() -> None:
    weights = [300, 200, 150, 100, *[50] * 5]
    powers = powers_of(weights, power_cap=4_000)
    # One for each of nine, and 9,991 by stake, rounded up from the top on what is left:
    # 2,997.3 of 9,991; 1,998 of 6,993; 1,498.5 of 4,995; 998.9 of 3,496; 499.4 of 2,497; ...
    assert powers == (2_999, 1_999, 1_500, 1_000, 501, 501, 500, 500, 500)


def test_small_seats_gain_by_their_stake_not_by_their_number() -> None:
    # A whale, nine of some weight, and ten that hold a hundredth of those.
    powers = powers_of([100_000, *[1_000] * 9, *[10] * 10], power_cap=1_000)
    assert sum(powers[10:]) < 200


@given(WEIGHTS, CAPS)
@example([2**62, 1, 1], 1)
@example([1] * 150, 1)
def test_power_adds_up_exactly(weights: list[int], power_cap: int) -> None:
    assert sum(powers_of(weights, power_cap=power_cap)) == 10_000


@given(WEIGHTS, CAPS)
def test_power_never_falls_where_stake_rises(weights: list[int], power_cap: int) -> None:
    powers = powers_of(weights, power_cap=power_cap)
    assert list(powers) == sorted(powers, reverse=True)


@given(WEIGHTS, CAPS)
def test_no_seat_is_powerless_or_above_the_cap(weights: list[int], power_cap: int) -> None:
    powers = powers_of(weights, power_cap=power_cap)
    assert min(powers) >= 1
    assert max(powers) <= cap_of(len(weights), power_cap=power_cap)


@pytest.mark.parametrize(
    ("seats", "cap"), [(1, 10_000), (3, 3_334), (4, 2_500), (7, 1_429), (10, 1_000), (100, 1_000)]
)
def test_the_cap_is_a_tenth_or_an_equal_part(seats: int, cap: int) -> None:
    assert cap_of(seats, power_cap=1_000) == cap


@pytest.mark.parametrize("seats", [4, 7, 10, 31, 100])
def test_one_seat_of_four_or_more_cannot_block_a_quorum(seats: int) -> None:
    assert powers_of([2**62, *[1] * (seats - 1)], power_cap=1_000)[0] <= 3_333
