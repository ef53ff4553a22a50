"""Average updates that arrive one after the other, in the memory of the model alone.

Guards: eight bytes per coordinate however many updates there are, and the same bits as
`weighted_mean` of all of them, in whatever order they came. A mean that lacks weight or that a
broken blob was half added to is never given out.
"""

from collections.abc import Iterable

import numpy as np

from fl.rules.aggregation.mean import WeightedSum
from fl.rules.limits import ONE
from fl.rules.update.blob import Chunk
from fl.rules.update.rows import Int32s
from primitives.errors import LocalProtocolError


class MeanStream:
    """A weighted mean that grows; `add` each update once, then `finish`.

    Args:
        size: coordinates of the vectors.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._sum = WeightedSum(size)
        self._weight_left = ONE
        self._is_broken = False

    def add(self, vector: Int32s, *, weight: int) -> None:
        """Add a vector.

        Args:
            vector: (coordinate,), int32, contiguous.
            weight: Q16.

        Raises:
            LocalProtocolError: the vector is of another size or type, or the weights exceed one.
        """
        self.add_chunks([Chunk(0, vector)], weight=weight)

    def add_chunks(self, chunks: Iterable[Chunk], *, weight: int) -> None:
        """Add a vector that comes in consecutive chunks, such as `iter_chunks` yields.

        If the chunks raise an error, part of the vector is in the sum; nothing can be added or
        taken out any more.

        Raises:
            LocalProtocolError: the chunks are not one vector of this size, or the weights exceed
                one.
        """
        self._check_whole()
        if not 0 <= weight <= self._weight_left:
            raise LocalProtocolError(f"a weight of {weight}, {self._weight_left} left")
        self._is_broken = True
        at = 0
        for chunk in chunks:
            end = chunk.start + len(chunk.coordinates)
            if chunk.start != at or end > self._size or chunk.coordinates.dtype != np.int32:
                raise LocalProtocolError(f"coordinates {chunk.start} to {end}, not from {at}")
            self._sum.add(chunk.coordinates, weight=weight, start=at)
            at = end
        if at != self._size:
            raise LocalProtocolError(f"{at} coordinates of {self._size}")
        self._weight_left -= weight
        self._is_broken = False

    def finish(self) -> Int32s:
        """Return the mean.

        Raises:
            LocalProtocolError: weight is missing, or a vector was added in part.
        """
        self._check_whole()
        if self._weight_left:
            raise LocalProtocolError(f"a weight of {self._weight_left} is missing")
        return self._sum.mean()

    def _check_whole(self) -> None:
        if self._is_broken:
            raise LocalProtocolError("part of a vector that broke off is in the sum")
