"""Average every update with its neighbours, then cut extremes: NNM before the trimmed mean."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from fl.rules.aggregation.network import Int64s
from fl.rules.aggregation.ordered import trimmed_mean
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import spans_of

COLUMNS: Final = 1 << 15
"""Coordinates at a time."""


def mixed_trimmed_mean(
    rows: Sequence[Int32s],
    weights: Sequence[int],
    *,
    groups: Sequence[Sequence[int]],
    trim: int,
) -> Int32s:
    """Return the trimmed mean of the mean of each group, both rounded to the nearest, halves up.

    Args:
        rows: one per update, (coordinate,), int32, contiguous.
        weights: Q16, of the updates that the groups belong to, sum `ONE`.
        groups: for each update, which ones to average; as many for each.
        trim: Q16 weight that is cut on each side.
    """
    result = np.empty_like(rows[0])
    for span in spans_of(len(result), columns=COLUMNS):
        wide = [row[span].astype(np.int64) for row in rows]
        everything = np.add.reduce(wide)
        mixed = [_mean_of(wide, group, everything) for group in groups]
        result[span] = trimmed_mean(mixed, weights, trim=trim)
    return result


def _mean_of(rows: Sequence[Int64s], group: Sequence[int], everything: Int64s) -> Int32s:
    others = sorted({*range(len(rows))} - {*group})
    # What is left out is mostly less than what is kept.
    if len(others) < len(group):
        total = everything.copy()
        for index in others:
            total -= rows[index]
    else:
        total = rows[group[0]].copy()
        for index in group[1:]:
            total += rows[index]
    total += len(group) // 2
    return np.floor_divide(total, len(group), out=total).astype(np.int32)
