"""Average what is left of each column after its extremes, by weight.

A value and its weight travel in one int64 (value << 17 | weight), so that sorting the columns takes
the weights along. Of each column the quantile function is then known: it has the value of the k-th
row on an interval as long as its weight. The trimmed mean is the mean of that function between the
trim and its mirror image, a value at the edge counting with the part of its weight that is inside.
So of equal values it does not matter which comes first, and no column has a denominator of its own.

Breakdown point: liars with less weight than is trimmed on each side move a coordinate no further
than honest values reach; the median stands up to half of the weight.
Source: Yin et al. 2018, arXiv:1803.01498 (coordinate-wise median and trimmed mean), with weights.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from fl.rules.aggregation.mean import ColumnSums
from fl.rules.aggregation.network import Int64s, edge_network, run_network
from fl.rules.limits import ONE
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import spans_of

TRIM_PERCENT: Final = 10
"""Of the weight, that is cut on each side if no more liars are feared."""

COLUMNS: Final = 1 << 14
"""Coordinates at a time."""

_WEIGHT_BITS: Final = 17
_WEIGHT_MASK: Final = np.int64((1 << _WEIGHT_BITS) - 1)


def trim_weight(weights: Sequence[int], *, byzantine: int) -> int:
    """Return the Q16 weight to cut on each side: a tenth, or what so many liars can have if more.

    It is always less than half of the weight.
    """
    feared = sum(sorted(weights, reverse=True)[:byzantine])
    return min(max(ONE * TRIM_PERCENT // 100, feared), ONE // 2 - 1)


def trimmed_mean(rows: Sequence[Int32s], weights: Sequence[int], *, trim: int) -> Int32s:
    """Return the mean of each column without its extremes, rounded to the nearest, halves up.

    That is the weighted sum of the column less what is cut at each end, and for the cut only as
    many of the least and the greatest values are put in order as can be part of it.

    Args:
        rows: one per update, (coordinate,), int32, contiguous.
        weights: Q16, none negative, sum `ONE`.
        trim: weight that is cut on each side, less than half of `ONE`.
    """
    result = np.empty_like(rows[0])
    depth = _rows_cut(weights, trim)
    bench = _Bench(len(rows), depth=depth, columns=min(COLUMNS, len(result)))
    sums = ColumnSums(weights, columns=bench.columns)
    left = ONE - 2 * trim
    for span in spans_of(len(result), columns=bench.columns):
        parts = [row[span] for row in rows]
        ranked = bench.rank(parts, weights)
        kept = sums.of(parts).total()
        kept -= bench.cut(ranked[:depth], trim)
        kept -= bench.cut(ranked[: -depth - 1 : -1], trim)
        kept += left // 2
        result[span] = np.floor_divide(kept, left, out=kept)
    return result


def weighted_median(rows: Sequence[Int32s], weights: Sequence[int]) -> Int32s:
    """Return the middle of the lower and the upper weighted median of each column, halves up.

    The lower median alone would push every coordinate the same way in rounds of an even number.

    Args:
        rows: one per update, (coordinate,), int32, contiguous.
        weights: Q16, none negative, sum `ONE`.
    """
    result = np.empty_like(rows[0])
    bench = _Bench(len(rows), depth=len(rows), columns=min(COLUMNS, len(result)))
    for span in spans_of(len(result), columns=bench.columns):
        ranked = bench.rank([row[span] for row in rows], weights)
        low, high = ranked[0].copy(), ranked[0].copy()
        so_far = ranked[0] & _WEIGHT_MASK
        for row in ranked[1:]:
            np.copyto(low, row, where=so_far < ONE // 2)
            np.copyto(high, row, where=so_far <= ONE // 2)
            so_far += row & _WEIGHT_MASK
        low >>= _WEIGHT_BITS
        high >>= _WEIGHT_BITS
        low += high
        low += 1
        low >>= 1
        result[span] = low
    return result


def _rows_cut(weights: Sequence[int], trim: int) -> int:
    """Return how many values at one end of a column can be cut, in whole or in part."""
    weight = 0
    for count, lightest in enumerate(sorted(weights), start=1):
        weight += lightest
        if weight >= trim:
            return count
    raise ValueError(f"a cut of {trim} from weights that sum to {weight}")


class _Bench:
    """Arrays that every span is worked on with: fresh ones would each be cleared by the system."""

    def __init__(self, count: int, *, depth: int, columns: int) -> None:
        self.columns = columns
        self._network = edge_network(count, depth=depth)
        self._rows = list(np.empty((count + 1, columns), dtype=np.int64))
        self._scratch = np.empty((3, columns), dtype=np.int64)

    def rank(self, rows: Sequence[Int32s], weights: Sequence[int]) -> list[Int64s]:
        """Return values with their weights, in ascending order at both ends of each column."""
        packed = [whole[: len(rows[0])] for whole in self._rows]
        for wide, row, weight in zip(packed, rows, weights, strict=False):
            np.copyto(wide, row)
            np.left_shift(wide, _WEIGHT_BITS, out=wide)
            np.bitwise_or(wide, weight, out=wide)
        return run_network(packed[:-1], self._network, spare=packed[-1])[:-1]

    def cut(self, outermost: Sequence[Int64s], trim: int) -> Int64s:
        """Return what is cut of each column at one end: value times weight, up to the trim.

        Args:
            outermost: rows of values with their weights, from the end inwards.
            trim: weight to cut.
        """
        uncut, part, value = (whole[: len(outermost[0])] for whole in self._scratch)
        total = np.zeros_like(uncut)
        uncut.fill(trim)
        for row in outermost:
            np.bitwise_and(row, _WEIGHT_MASK, out=part)
            np.minimum(part, uncut, out=part)
            np.subtract(uncut, part, out=uncut)
            np.right_shift(row, _WEIGHT_BITS, out=value)
            np.multiply(part, value, out=part)
            np.add(total, part, out=total)
        return total
