"""Average columns of int32 with Q16 weights, exactly, in 32-bit arithmetic.

Theory of operation. A coordinate is q = 2**16 h + l with h its upper half, signed, and l its lower
half, 0 to 2**16 - 1. With weights that sum to at most 2**16,

    -2**31 <= sum w h <= 2**31 - 2**16    fits int32,
    0 <= sum w l <= 2**32 - 2**16         fits uint32, and so does this sum plus one half,

and sum w q = 2**16 sum w h + sum w l. The second sum is not calculated from lower halves: sum w q
modulo 2**32 is what wrapping multiplication gives, and less 2**16 sum w h it is sum w l. So all
products are of 32-bit integers, which vectorise where those of 64 bits do not, and an average that
is still growing takes eight bytes for each coordinate.

The mean has no breakdown point: one update moves it anywhere. It is for updates that were clipped
and selected before.
Source: McMahan et al. 2017, arXiv:1602.05629 (FedAvg), with weights from quality instead of counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.limits import ONE
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import spans_of

Uint32s = npt.NDArray[np.uint32]

COLUMNS: Final = 1 << 15
"""Coordinates at a time; fewer leave the caches idle while calls are made, more leave them."""

_HALF_BITS: Final = 16
_ROUNDING: Final = np.uint32(ONE // 2)


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums of columns: 2**16 `high` + `low`.

    Attributes:
        high: weighted sums of the upper halves, int32.
        low: weighted sums of the lower halves, uint32.
    """

    high: Int32s
    low: Uint32s

    def mean(self) -> Int32s:
        """Return the sums over 2**16, rounded to the nearest, halves up."""
        result: Int32s = np.right_shift(self.low + _ROUNDING, _HALF_BITS).view(np.int32)
        result += self.high
        return result

    def total(self) -> npt.NDArray[np.int64]:
        """Return the sums themselves, at most 2**47 in size."""
        sums = self.high.astype(np.int64)
        sums <<= _HALF_BITS
        sums += self.low
        return sums


class ColumnSums:
    """Weigh and add columns, a few at a time, in arrays that are used again and again.

    Args:
        weights: Q16, none negative, sum at most `ONE`.
        columns: the most that come at a time.
    """

    def __init__(self, weights: Sequence[int], *, columns: int) -> None:
        self._weights: Int32s = np.array(weights, dtype=np.int32)
        self._block: Int32s = np.empty((len(weights), columns), dtype=np.int32)

    def of(self, rows: Sequence[Int32s]) -> Sums:
        """Return the weighted sums of the columns of these rows, one for each weight."""
        block = self._block[:, : len(rows[0])]
        for place, row in zip(block, rows, strict=True):
            np.copyto(place, row)
        wrapped = np.einsum("i,ij->j", self._weights, block)
        np.right_shift(block, _HALF_BITS, out=block)
        return _sums(np.einsum("i,ij->j", self._weights, block), wrapped.view(np.uint32))


class WeightedSum:
    """A sum of weighted vectors that come one by one, with weights of at most `ONE` in all."""

    def __init__(self, size: int) -> None:
        self._high: Int32s = np.zeros(size, dtype=np.int32)
        self._wrapped: Uint32s = np.zeros(size, dtype=np.uint32)
        self._scratch: Uint32s = np.empty(min(size, COLUMNS), dtype=np.uint32)

    def add(self, coordinates: Int32s, *, weight: int, start: int) -> None:
        """Add some coordinates of a vector.

        Args:
            coordinates: (coordinate,), int32, contiguous.
            weight: Q16, 0 to `ONE`.
            start: the first one that they stand for.
        """
        for span in spans_of(len(coordinates), columns=COLUMNS):
            at = slice(start + span.start, start + span.stop)
            wrapped = self._scratch[: span.stop - span.start]
            high = wrapped.view(np.int32)
            np.multiply(coordinates[span].view(np.uint32), np.uint32(weight), out=wrapped)
            self._wrapped[at] += wrapped
            np.right_shift(coordinates[span], _HALF_BITS, out=high)
            np.multiply(high, np.int32(weight), out=high)
            self._high[at] += high

    def mean(self) -> Int32s:
        """Return the sums over 2**16, rounded to the nearest, halves up."""
        result = np.empty_like(self._high)
        for span in spans_of(len(result), columns=COLUMNS):
            result[span] = _sums(self._high[span], self._wrapped[span]).mean()
        return result


def weighted_mean(rows: Sequence[Int32s], weights: Sequence[int]) -> Int32s:
    """Return the mean of columns: (sum of w q + 2**15) >> 16.

    Args:
        rows: one per update, (coordinate,), int32.
        weights: Q16, none negative, sum at most `ONE`; what is missing counts as zero vectors.
    """
    result = np.empty_like(rows[0])
    columns = min(COLUMNS, len(result))
    sums = ColumnSums(weights, columns=columns)
    for span in spans_of(len(result), columns=columns):
        result[span] = sums.of([row[span] for row in rows]).mean()
    return result


def _sums(high: Int32s, wrapped: Uint32s) -> Sums:
    """Split sums that are known modulo 2**32 by the part of them that the upper halves make."""
    return Sums(high, wrapped - (high.view(np.uint32) << _HALF_BITS))
