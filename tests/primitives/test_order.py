from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from primitives.order import integer_sqrt, mul_div_floor, quantile, weighted_median

INTEGERS = st.integers(-(10**6), 10**6)
WEIGHTED = st.lists(st.tuples(INTEGERS, st.integers(0, 50)), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        pytest.param([5], [1], 5, id="one value"),
        pytest.param([1, 2], [1, 1], 1, id="exactly half is enough, so the lower of two"),
        pytest.param([1, 2, 3], [1, 1, 1], 2, id="the middle"),
        pytest.param([3, 1, 2], [1, 1, 1], 2, id="in any order"),
        pytest.param([1, 2, 3], [1, 1, 3], 3, id="the heaviest"),
        pytest.param([1, 2, 3], [2, 1, 1], 1, id="the first reaches half"),
        pytest.param([-9, 4, 4], [3, 2, 2], 4, id="equal values add up"),
        pytest.param([-9, 4], [0, 1], 4, id="no weight, no say"),
        pytest.param([0, 2**70], [1, 2**70], 2**70, id="beyond the machine word"),
    ],
)
def test_the_weighted_median_is_the_lower_one(
    values: list[int], weights: list[int], expected: int
) -> None:
    assert weighted_median(values, weights) == expected


@given(WEIGHTED)
def test_the_weighted_median_is_the_plain_median_of_repeated_values(
    weighted: list[tuple[int, int]],
) -> None:
    repeated = sorted(value for value, weight in weighted for _ in range(weight))
    assume(repeated)
    values, weights = zip(*weighted, strict=True)
    assert weighted_median(values, weights) == repeated[(len(repeated) - 1) // 2]


@given(WEIGHTED, st.randoms(use_true_random=False))
def test_the_weighted_median_ignores_the_order(
    weighted: list[tuple[int, int]], dice: Random
) -> None:
    assume(any(weight for _, weight in weighted))
    shuffled = list(weighted)
    dice.shuffle(shuffled)
    values, weights = zip(*weighted, strict=True)
    shuffled_values, shuffled_weights = zip(*shuffled, strict=True)
    assert weighted_median(values, weights) == weighted_median(shuffled_values, shuffled_weights)


@given(st.lists(INTEGERS, min_size=1, max_size=10), st.lists(INTEGERS, max_size=9))
def test_a_minority_cannot_move_the_median_beyond_the_majority(
    honest: list[int], liars: list[int]
) -> None:
    assume(len(liars) < len(honest))
    values = honest + liars
    assert min(honest) <= weighted_median(values, [1] * len(values)) <= max(honest)


@pytest.mark.parametrize(
    ("values", "weights", "complaint"),
    [
        pytest.param([1, 2], [1], "2 values but 1 weights", id="a weight is missing"),
        pytest.param([], [], "total weight is zero", id="no values"),
        pytest.param([1], [0], "total weight is zero", id="no weight at all"),
        pytest.param([1, 2], [2, -1], "negative", id="a negative weight"),
    ],
)
def test_the_weighted_median_refuses(values: list[int], weights: list[int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        weighted_median(values, weights)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(0, 1, 15), (5, 100, 15), (30, 100, 20), (40, 100, 20), (1, 2, 35), (1, 1, 50), (3, 3, 50)],
)
def test_the_quantile_is_the_textbook_nearest_rank(
    numerator: int, denominator: int, expected: int
) -> None:
    values = [50, 15, 40, 20, 35]
    assert quantile(values, numerator=numerator, denominator=denominator) == expected


@given(st.lists(INTEGERS, min_size=1, max_size=20), st.integers(0, 30), st.integers(1, 30))
def test_the_quantile_is_the_least_value_that_covers_its_share(
    values: list[int], numerator: int, denominator: int
) -> None:
    assume(numerator <= denominator)
    covering = [
        value
        for value in values
        if sum(other <= value for other in values) * denominator >= numerator * len(values)
    ]
    assert quantile(values, numerator=numerator, denominator=denominator) == min(covering)


@pytest.mark.parametrize(
    ("values", "numerator", "denominator"),
    [([], 1, 2), ([1], 3, 2), ([1], -1, 2), ([1], 0, 0), ([1], 1, -2), ([1], -2, -1)],
)
def test_the_quantile_refuses(values: list[int], numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match=r"no values|outside 0 to 1"):
        quantile(values, numerator=numerator, denominator=denominator)


@given(INTEGERS, INTEGERS, st.integers(1, 10**6))
def test_mul_div_rounds_down(multiplicand: int, multiplier: int, divisor: int) -> None:
    result = mul_div_floor(multiplicand, multiplier, divisor)
    assert result * divisor <= multiplicand * multiplier < (result + 1) * divisor


@pytest.mark.parametrize("divisor", [0, -1])
def test_mul_div_refuses_a_divisor_that_is_not_positive(divisor: int) -> None:
    with pytest.raises(ValueError, match="not positive"):
        mul_div_floor(1, 1, divisor)


@given(st.integers(0, 2**130))
def test_the_square_of_the_root_is_the_last_below(value: int) -> None:
    root = integer_sqrt(value)
    assert root**2 <= value < (root + 1) ** 2


def test_a_negative_number_has_no_root() -> None:
    with pytest.raises(ValueError, match="nonnegative"):
        integer_sqrt(-1)
