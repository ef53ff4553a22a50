from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from primitives import fixed
from primitives.errors import FixedPointError
from primitives.fixed import SCALE, Fixed, Rounding, Width
from tests.vectors import Row, cases

INT64_MAX = 2**63 - 1
INT128_MAX = 2**127 - 1
VALUES = st.integers(-INT64_MAX - 1, INT64_MAX).map(Fixed)
WIDE_VALUES = st.integers(-INT128_MAX - 1, INT128_MAX).map(Fixed)
SMALL_VALUES = st.integers(-(10**13), 10**13).map(Fixed)
ROUNDINGS = st.sampled_from(Rounding)

EXACT: dict[Rounding, Callable[[Fraction], int]] = {
    Rounding.FLOOR: floor,
    Rounding.CEIL: ceil,
    Rounding.HALF_EVEN: round,
}


@pytest.mark.parametrize("row", cases("fixed", "parse_valid"))
def test_decimal_text_is_read_exactly(row: Row) -> None:
    assert fixed.parse(row["text"]) == row["value"]
    assert fixed.render(Fixed(row["value"])) == row["rendered"]


@pytest.mark.parametrize("row", cases("fixed", "parse_invalid"))
def test_other_text_is_refused(row: Row) -> None:
    with pytest.raises(FixedPointError):
        fixed.parse(row["text"])


@given(WIDE_VALUES)
def test_a_number_survives_its_text(value: Fixed) -> None:
    assert fixed.parse(fixed.render(value), Width.INT128) == value
    assert Fraction(fixed.render(value)) == Fraction(value, SCALE)


@pytest.mark.parametrize("row", cases("fixed", "quotients"))
def test_a_quotient_is_rounded_as_named(row: Row) -> None:
    dividend, divisor = row["dividend"], row["divisor"]
    rounded = {
        rounding: fixed.divide_integers(dividend, divisor, rounding=rounding)
        for rounding in Rounding
    }
    assert rounded == {
        Rounding.FLOOR: row["floor"],
        Rounding.CEIL: row["ceil"],
        Rounding.HALF_EVEN: row["half_even"],
    }


@given(SMALL_VALUES, SMALL_VALUES, ROUNDINGS)
def test_a_product_is_the_exact_one_rounded(left: Fixed, right: Fixed, rounding: Rounding) -> None:
    exact = Fraction(left * right, SCALE)
    product = fixed.multiply(left, right, rounding=rounding, width=Width.INT128)
    assert product == EXACT[rounding](exact)


@given(SMALL_VALUES, SMALL_VALUES, ROUNDINGS)
def test_a_quotient_is_the_exact_one_rounded(
    dividend: Fixed, divisor: Fixed, rounding: Rounding
) -> None:
    assume(divisor)
    exact = Fraction(dividend * SCALE, divisor)
    quotient = fixed.divide(dividend, divisor, rounding=rounding, width=Width.INT128)
    assert quotient == EXACT[rounding](exact)


@pytest.mark.parametrize("rounding", Rounding)
def test_division_by_zero_is_refused(rounding: Rounding) -> None:
    with pytest.raises(FixedPointError, match="division by zero"):
        fixed.divide(Fixed(SCALE), Fixed(0), rounding=rounding)


@pytest.mark.parametrize(
    ("width", "greatest"), [(Width.INT64, INT64_MAX), (Width.INT128, INT128_MAX)]
)
def test_a_value_must_fit_its_width(width: Width, greatest: int) -> None:
    assert fixed.bounded(greatest, width) == greatest
    assert fixed.bounded(-greatest - 1, width) == -greatest - 1
    for value in (greatest + 1, -greatest - 2):
        with pytest.raises(FixedPointError, match=f"does not fit {width.name}"):
            fixed.bounded(value, width)


@given(VALUES, VALUES, ROUNDINGS)
def test_a_result_fits_or_is_refused(left: Fixed, right: Fixed, rounding: Rounding) -> None:
    exact = EXACT[rounding](Fraction(left * right, SCALE))
    if -INT64_MAX - 1 <= exact <= INT64_MAX:
        assert fixed.multiply(left, right, rounding=rounding) == exact
    else:
        with pytest.raises(FixedPointError):
            fixed.multiply(left, right, rounding=rounding)
