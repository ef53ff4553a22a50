"""Sort columns by a fixed list of exchanges, each of which is one minimum and one maximum of rows.

`numpy.sort` along the first axis copies every column out and back and sorts it with branches; a
network does the same exchanges in all columns at once, in vector registers. Where only the least
and the greatest rows are wanted, whatever does not lead to them is left out.
Source: Batcher's merge exchange, Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two rows of which the lesser values go to `low` and the greater ones to `high`.

    Attributes:
        keeps_low: whether the lesser values are needed later.
        keeps_high: whether the greater values are.
    """

    low: int
    high: int
    keeps_low: bool = True
    keeps_high: bool = True


def edge_network(count: int, *, depth: int) -> tuple[Exchange, ...]:
    """Return exchanges after which the first and the last rows are those of sorted columns.

    Args:
        count: of the rows.
        depth: how many rows are wanted at each end; with half of the rows or more, all of them.
    """
    return _pruned(count, min(depth, -(-count // 2)))


def run_network(rows: list[Int64s], network: Sequence[Exchange], *, spare: Int64s) -> list[Int64s]:
    """Exchange in place and return the rows in their new order, the spare row among them.

    Args:
        rows: (coordinate,) each, int64.
        network: what to exchange, in order.
        spare: one more row; whichever is left over at the end is the next spare row.
    """
    for step in network:
        low, high = rows[step.low], rows[step.high]
        if not step.keeps_high:
            np.minimum(low, high, out=low)
        elif not step.keeps_low:
            np.maximum(low, high, out=high)
        else:
            np.minimum(low, high, out=spare)
            np.maximum(low, high, out=high)
            rows[step.low], spare = spare, low
    return [*rows, spare]


@cache
def _exchanges(count: int) -> tuple[tuple[int, int], ...]:
    if count < 2:
        return ()
    found: list[tuple[int, int]] = []
    top = 1 << ((count - 1).bit_length() - 1)
    stride = top
    while stride:
        reach, phase, distance = top, 0, stride
        while True:
            found += [
                (low, low + distance) for low in range(count - distance) if low & stride == phase
            ]
            if reach == stride:
                break
            distance, reach, phase = reach - stride, reach >> 1, stride
        stride >>= 1
    return tuple(found)


def _pruned(count: int, depth: int) -> tuple[Exchange, ...]:
    wanted = {*range(depth), *range(count - depth, count)}
    kept: list[Exchange] = []
    for low, high in reversed(_exchanges(count)):
        if low in wanted or high in wanted:
            kept.append(Exchange(low, high, low in wanted, high in wanted))
            wanted |= {low, high}
    return tuple(reversed(kept))
