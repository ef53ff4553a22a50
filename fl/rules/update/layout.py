"""Name every coordinate of an update: tensors sorted by name, each in C order, one flat vector.

Guards: two nodes that agree on the layout agree on what coordinate 17 is. The layout has one
encoding and its digest is the layout id that a task pins.
Source: the canonical order of safetensors, with the sort made part of the rule.
"""

from collections.abc import Iterable
from math import prod
from typing import Annotated, Final, Self

import msgspec
import numpy as np
import numpy.typing as npt

from fl.rules.update.errors import BadLayoutError
from primitives.codec import Codec
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Digest

TENSORS_MAX: Final = 4_096
DIMENSIONS_MAX: Final = 4
NAME_SIZE_BYTES_MAX: Final = 256
COORDINATES_MAX: Final = 1 << 28
"""Of one vector: 1 GiB of int32."""

LAYOUT_SIZE_BYTES_MAX: Final = TENSORS_MAX * (NAME_SIZE_BYTES_MAX + 32) + 16

Extent = Annotated[int, msgspec.Meta(ge=1, le=COORDINATES_MAX)]
TensorName = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_SIZE_BYTES_MAX)]
Shape = Annotated[tuple[Extent, ...], msgspec.Meta(min_length=1, max_length=DIMENSIONS_MAX)]


class TensorSpec(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One tensor: its name and its shape; the last axis is a row."""

    name: TensorName
    shape: Shape

    @property
    def size(self) -> int:
        """Return the number of coordinates."""
        return prod(self.shape)

    @property
    def row_size(self) -> int:
        """Return the number of coordinates in a row; a vector is one row."""
        return self.shape[-1]

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.size // self.row_size


class TensorLayout(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The tensors of a flat vector, in canonical order; `of` makes one."""

    tensors: Annotated[tuple[TensorSpec, ...], msgspec.Meta(min_length=1, max_length=TENSORS_MAX)]

    @classmethod
    def of(cls, tensors: Iterable[TensorSpec]) -> Self:
        """Return the layout of these tensors, given in any order.

        Raises:
            BadLayoutError: no tensors, a scalar, a name twice, or more than the bounds allow.
        """
        layout = cls(tuple(sorted(tensors, key=_sort_key)))
        check_layout(layout)
        return layout

    @property
    def size(self) -> int:
        """Return the number of coordinates of the vector."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def rows(self) -> int:
        """Return the number of rows of all tensors."""
        return sum(tensor.rows for tensor in self.tensors)

    @property
    def offsets(self) -> dict[str, int]:
        """Return where each tensor begins in the vector, by name, in canonical order."""
        return {name: span.start for name, span in self.spans.items()}

    @property
    def spans(self) -> dict[str, slice]:
        """Return the slice of the vector that each tensor is, by name, in canonical order."""
        spans: dict[str, slice] = {}
        start = 0
        for tensor in self.tensors:
            spans[tensor.name] = slice(start, start + tensor.size)
            start += tensor.size
        return spans

    def places_of(self, part: "TensorLayout") -> npt.NDArray[np.int64]:
        """Return where in this vector each coordinate of a part is; its tensors are all here."""
        spans = self.spans
        return np.concatenate(
            [np.arange(spans[one.name].start, spans[one.name].stop) for one in part.tensors]
        )

    @property
    def digest(self) -> Digest:
        """Return the layout id."""
        return tagged_hash(Domain.UPDATE_LAYOUT, LAYOUT_CODEC.encode(self))


LAYOUT_CODEC: Final = Codec(TensorLayout, size_bytes_max=LAYOUT_SIZE_BYTES_MAX)


def check_layout(layout: TensorLayout) -> None:
    """Refuse a layout that is not canonical or not within the bounds.

    Raises:
        BadLayoutError: it is not; the message names the tensor.
    """
    if not 1 <= len(layout.tensors) <= TENSORS_MAX:
        raise BadLayoutError(f"{len(layout.tensors)} tensors, not 1 to {TENSORS_MAX}")
    for tensor in layout.tensors:
        _check_tensor(tensor)
    for before, after in zip(layout.tensors, layout.tensors[1:], strict=False):
        if _sort_key(before) >= _sort_key(after):
            raise BadLayoutError(f"{after.name!r} after {before.name!r}: unsorted or twice")
    if layout.size > COORDINATES_MAX:
        raise BadLayoutError(f"{layout.size} coordinates, more than {COORDINATES_MAX}")


def _check_tensor(tensor: TensorSpec) -> None:
    size_bytes = len(_sort_key(tensor))
    if not 1 <= size_bytes <= NAME_SIZE_BYTES_MAX:
        raise BadLayoutError(f"a name of {size_bytes} bytes, not 1 to {NAME_SIZE_BYTES_MAX}")
    if not 1 <= len(tensor.shape) <= DIMENSIONS_MAX:
        raise BadLayoutError(
            f"{tensor.name!r} has {len(tensor.shape)} dimensions, not 1 to {DIMENSIONS_MAX}"
        )
    if min(tensor.shape) < 1 or tensor.size > COORDINATES_MAX:
        raise BadLayoutError(f"{tensor.name!r} has the shape {tensor.shape}")


def _sort_key(tensor: TensorSpec) -> bytes:
    try:
        return tensor.name.encode()
    except UnicodeEncodeError as error:
        raise BadLayoutError(f"{tensor.name!r} is not text") from error
