"""Multiply vectors with each other, exactly: the products behind norms, distances and cosines.

A coordinate loses its last eight bits first, so a product is at most 2**46 in size and a sum of
2**16 of them at most 2**62, which int64 holds; the sums are added as Python integers. Integers add
up to the same in every order, so threads and span sizes cannot be seen in a result.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.update.rows import Int32s
from fl.rules.update.spans import ALONE, Execution, spans_of

SHIFT: Final = 8
"""Bits that a coordinate loses: one is 2**16 then, and a norm of one is 2**16."""

SUM_COORDINATES: Final = 1 << 16
"""The most products of coordinates that int64 is trusted to add up."""

_COLUMNS: Final = 1 << 12

Integers = npt.NDArray[np.object_]
"""Python integers, so that nothing wraps."""


def products(
    left: Sequence[Int32s], right: Sequence[Int32s], *, execution: Execution = ALONE
) -> Integers:
    """Return the inner product of every vector on the left with every one on the right.

    Args:
        left: (coordinate,), int32, all of one length.
        right: the same; memory is a few spans of every vector, so they may be memory maps.
        execution: who works through how many coordinates at a time.

    Returns:
        (left, right), Python integers, in units of 2**-32 where 2**24 is one.
    """

    def multiply(span: slice) -> Integers:
        total = np.zeros((len(left), len(right)), dtype=np.int64)
        for start in range(span.start, span.stop, _COLUMNS):
            columns = slice(start, min(start + _COLUMNS, span.stop))
            ours = _shifted(left, columns)
            theirs = ours if left is right else _shifted(right, columns)
            total += np.einsum("ik,jk->ij", ours, theirs)
        return total.astype(object)

    nothing = np.zeros((len(left), len(right)), dtype=object)
    if not len(left) or not len(right):
        return nothing
    spans = spans_of(len(left[0]), columns=min(execution.columns, SUM_COORDINATES))
    return sum(execution.each(multiply, spans), start=nothing)


def squared_distances(gram: Integers) -> list[list[int]]:
    """Return the squared distances between vectors from all their products with each other."""
    squares = [int(gram[index, index]) for index in range(len(gram))]
    return [
        [squares[one] + squares[other] - 2 * int(gram[one, other]) for other in range(len(squares))]
        for one in range(len(squares))
    ]


def _shifted(vectors: Sequence[Int32s], columns: slice) -> npt.NDArray[np.int64]:
    rows = np.empty((len(vectors), columns.stop - columns.start), dtype=np.int64)
    for row, vector in zip(rows, vectors, strict=True):
        np.right_shift(vector[columns], SHIFT, out=row)
    return rows
