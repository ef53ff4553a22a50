"""Calculate with decimal fractions as integers: a `Fixed` of 10**9 stands for one.

Every rounding is named by the caller and every result is checked against a width, so two machines
cannot differ and no sum wraps. Nine decimals are those of money: one `Grain` is one unit here.
The wire carries at most 64 bits; 128 bits are for what is calculated in between.
"""

import enum
import re
from typing import Final, NewType, assert_never

from primitives.errors import FixedPointError

Fixed = NewType("Fixed", int)
"""A number scaled by `SCALE`."""

DECIMALS: Final = 9
SCALE: Final = 10**DECIMALS

# The greatest int128 has 30 digits before the point; longer text is refused before int() reads it.
_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,9}))?")


class Rounding(enum.Enum):
    """Where a result goes that lies between two representable ones."""

    FLOOR = "floor"
    CEIL = "ceil"
    HALF_EVEN = "half-even"


class Width(enum.Enum):
    """How many bits a signed result may take."""

    INT64 = 64
    INT128 = 128


def bounded(value: int, width: Width = Width.INT64) -> Fixed:
    """Return the scaled value unchanged if it fits the width.

    Raises:
        FixedPointError: it does not fit.
    """
    limit = 1 << (width.value - 1)
    if not -limit <= value < limit:
        raise FixedPointError(f"a value of {value.bit_length()} bits does not fit {width.name}")
    return Fixed(value)


def parse(text: str, width: Width = Width.INT64) -> Fixed:
    """Return the number that the decimal text names, exactly.

    Raises:
        FixedPointError: not "-12.5"-like text, more than nine decimals, or too wide.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise FixedPointError(f"not a decimal number of at most {DECIMALS} decimals: {text[:50]!r}")
    sign, whole, fraction = match.groups(default="")
    magnitude = int(whole) * SCALE + int(fraction.ljust(DECIMALS, "0"))
    return bounded(-magnitude if sign else magnitude, width)


def render(value: Fixed) -> str:
    """Return the shortest decimal text that `parse` reads back as this number."""
    whole, fraction = divmod(abs(value), SCALE)
    sign = "-" if value < 0 else ""
    decimals = f"{fraction:0{DECIMALS}}".rstrip("0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def multiply(left: Fixed, right: Fixed, *, rounding: Rounding, width: Width = Width.INT64) -> Fixed:
    """Return the product, rounded to a representable number.

    Raises:
        FixedPointError: it does not fit the width.
    """
    return bounded(divide_integers(left * right, SCALE, rounding=rounding), width)


def divide(
    dividend: Fixed, divisor: Fixed, *, rounding: Rounding, width: Width = Width.INT64
) -> Fixed:
    """Return the quotient, rounded to a representable number.

    Raises:
        FixedPointError: the divisor is zero, or the quotient does not fit the width.
    """
    return bounded(divide_integers(dividend * SCALE, divisor, rounding=rounding), width)


def divide_integers(dividend: int, divisor: int, *, rounding: Rounding) -> int:
    """Return the quotient of two plain integers, rounded to an integer.

    Raises:
        FixedPointError: the divisor is zero.
    """
    if divisor == 0:
        raise FixedPointError("division by zero")
    match rounding:
        case Rounding.FLOOR:
            return dividend // divisor
        case Rounding.CEIL:
            return -(-dividend // divisor)
        case Rounding.HALF_EVEN:
            return _divide_half_even(dividend, divisor)
        case _:
            assert_never(rounding)


def _divide_half_even(dividend: int, divisor: int) -> int:
    floor, remainder = divmod(dividend, divisor)
    # The remainder has the sign of the divisor, so their sizes compare like the fraction to a half.
    doubled, half = 2 * abs(remainder), abs(divisor)
    is_up = doubled > half or (doubled == half and floor % 2 == 1)
    return floor + is_up
