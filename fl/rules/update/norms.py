"""Measure a vector and shorten it to a limit, in integers.

Guards: all validators find the same norm and the same clipped vector. The limit comes from the
history of accepted norms (`fl.rules.select.next_clip`), never from this round's median norm, which
half of zeros would bring to nothing.
Source: Sun et al. 2019, arXiv:1911.07963 (norm bounding), on integers.
"""

from math import isqrt
from typing import Final

import numpy as np

from fl.rules.limits import ONE
from fl.rules.update.products import SHIFT, SUM_COORDINATES
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import spans_of

NORM_ONE: Final = 1 << 16
"""The norm of a vector whose only coordinate is one, that is 2**24."""

_HALF: Final = ONE // 2
_COLUMNS: Final = 1 << 15


def norm_squared(vector: Int32s) -> int:
    """Return the sum of the squares of the coordinates without their last eight bits.

    Args:
        vector: (coordinate,), int32, no coordinate -2**31.
    """
    total = 0
    for span in spans_of(len(vector), columns=SUM_COORDINATES):
        part = np.right_shift(vector[span], SHIFT).astype(np.int64)
        total += int(np.dot(part, part))
    return total


def norm(vector: Int32s) -> int:
    """Return the norm, rounded down, in units where `NORM_ONE` is one."""
    return isqrt(norm_squared(vector))


def clip(vector: Int32s, *, limit: int) -> Int32s:
    """Return the vector itself if its norm is within the limit, or else the vector scaled down.

    The factor is rounded down to Q16 and each coordinate to the nearest, halves up, so the norm of
    the result may be over the limit by the rounding of the coordinates, and no more.

    Args:
        vector: (coordinate,), int32.
        limit: as `norm` measures, not negative.
    """
    size = norm(vector)
    if size <= limit:
        return vector
    return scale(vector, factor=limit * ONE // size)


def scale(vector: Int32s, *, factor: int) -> Int32s:
    """Return the vector times a factor in Q16, rounded to the nearest, halves up.

    Args:
        vector: (coordinate,), int32.
        factor: 0 to `ONE`, so that no product is over 2**47.

    Raises:
        ValueError: the factor is outside that.
    """
    if not 0 <= factor <= ONE:
        raise ValueError(f"a factor of {factor}, not 0 to {ONE}")
    scaled = np.empty_like(vector)
    for span in spans_of(len(vector), columns=_COLUMNS):
        wide = vector[span].astype(np.int64)
        wide *= factor
        wide += _HALF
        wide >>= 16
        scaled[span] = wide
    return scaled
