"""Integer draws that come out the same on every machine.

Only `random()` and `getrandbits()` of the Mersenne Twister are used: both are exact. Logarithms and
exponentials differ in the last bit between C libraries, which would change a trace hash, so the
heavy tail is an integer table.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

ItemT = TypeVar("ItemT")

PERMILLE = 1000

# The number of ones in 64 random bits is nearly normal with mean 32 and deviation 4, so e^(1/4) per
# bit gives a lognormal of deviation 1. 1284/1000 is e^(1/4) to three digits.
_TAIL_BITS = 64
_TAIL_SCALE_BITS = 10
_TAIL_FACTOR_MAX = 64


def uniform(rng: Random, low: int, high: int) -> int:
    """Draw an integer from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def chance(rng: Random, permille: int) -> bool:
    """Return True in `permille` of 1000 draws; always takes one draw."""
    return rng.random() * PERMILLE < permille


def heavy_tail(rng: Random, median: int) -> int:
    """Draw from a near lognormal: the mean is 1.65 medians, p99 about ten, the most 64."""
    return median * _TAIL[rng.getrandbits(_TAIL_BITS).bit_count()] >> _TAIL_SCALE_BITS


def pick(rng: Random, items: Sequence[ItemT]) -> ItemT:
    """Draw one item of a non-empty sequence."""
    return items[int(rng.random() * len(items))]


def subset(rng: Random, items: Sequence[ItemT], *, size: int) -> list[ItemT]:
    """Draw `size` different items, in random order."""
    rest = list(items)
    return [rest.pop(int(rng.random() * len(rest))) for _ in range(size)]


def _tail_factor(ones: int) -> int:
    """Return the multiplier of the median, in 1/1024, for so many ones."""
    steps = ones - _TAIL_BITS // 2
    rise, fall = (1284, 1000) if steps >= 0 else (1000, 1284)
    factor: int = (rise ** abs(steps) << _TAIL_SCALE_BITS) // fall ** abs(steps)
    return min(factor, _TAIL_FACTOR_MAX << _TAIL_SCALE_BITS)


_TAIL = tuple(_tail_factor(ones) for ones in range(_TAIL_BITS + 1))
