"""Read and write blobs: a header, an exponent per row, places if sparse, and mantissas.

    magic "HNSU" | size of header, uint32 | header, canonical msgpack
    exponents    | one byte per row of the layout; none with INT32
    places       | uint32 each, ascending; SPARSE only
    mantissas    | little-endian, `kept` of them

Guards: one vector has one encoding per width and packing, nothing that decodes can overflow int32,
and nothing is allocated before the size, the header and the layout are those of the task. A chunk
is valid on its own, but only the end of the last one says that the whole blob is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.update.body import Body, open_body
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import (
    PREFIX_SIZE_BYTES,
    BlobHeader,
    BlobKind,
    Expectation,
    Packing,
    Width,
    check_expected,
    read_header,
    write_header,
)
from fl.rules.update.layout import LAYOUT_CODEC, TensorLayout, TensorSpec, check_layout
from fl.rules.update.rows import (
    COORDINATE_MAX,
    Int32s,
    dtype_of,
    exponent_max,
    mantissa_max,
    round_rows,
    widen_rows,
)
from primitives.errors import LocalProtocolError

CHUNK_COORDINATES: Final = 1 << 16
"""About so many at a time; a longer row is one chunk."""

_HEADER_FIELDS_SIZE_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive coordinates of a vector, whole rows of one tensor."""

    start: int
    coordinates: Int32s


@dataclass(frozen=True, slots=True)
class Blob:
    """A header and the whole vector, int32."""

    header: BlobHeader
    vector: Int32s


def encode_update(
    vector: Int32s,
    *,
    expected: Expectation,
    width: Width = Width.INT16,
    packing: Packing = Packing.DENSE,
) -> bytes:
    """Return the blob of the nearest vector that the width can write; `represented` returns that.

    Args:
        vector: (coordinate,), int32, at scale 2**24, in the order of the layout.
        expected: what it will be decoded as.
        width: of the mantissas.
        packing: SPARSE where most coordinates are zero.

    Raises:
        LocalProtocolError: the vector does not fit the layout, or -2**31 is in it, or it is to be
            sparse and more than half of it is not zero.
    """
    _check_own(vector, expected.layout)
    exponents: list[bytes] = []
    mantissas: list[npt.NDArray[np.signedinteger]] = []
    for block in _blocks(expected.layout):
        rows, powers = round_rows(block.rows_of(vector), width)
        mantissas.append(rows.astype(dtype_of(width)).ravel())
        exponents.append(b"" if width is Width.INT32 else powers.tobytes())
    written = np.concatenate(mantissas)
    places = b""
    if packing is Packing.SPARSE:
        kept = np.flatnonzero(written)
        places, written = kept.astype("<u4").tobytes(), written[kept]
        if 2 * len(kept) > len(vector):
            raise LocalProtocolError(f"{len(kept)} of {len(vector)} is not sparse")
    header = BlobHeader(
        kind=expected.kind,
        width=width,
        packing=packing,
        base_model=expected.base_model,
        tokenizer=expected.tokenizer,
        kept=len(written),
        layout=expected.layout,
    )
    return b"".join((write_header(header), *exponents, places, written.tobytes()))


def encode_model(vector: Int32s, *, expected: Expectation) -> bytes:
    """Return the blob of these exact coordinates.

    Raises:
        LocalProtocolError: the vector does not fit the layout, or -2**31 is in it, or no model is
            expected.
    """
    if expected.kind is not BlobKind.MODEL:
        raise LocalProtocolError(f"expected is the blob of a {expected.kind.value}")
    return encode_update(vector, expected=expected, width=Width.INT32)


def represented(vector: Int32s, *, layout: TensorLayout, width: Width) -> Int32s:
    """Return the vector that its blob of this width decodes to.

    Raises:
        LocalProtocolError: the vector does not fit the layout, or -2**31 is in it.
    """
    _check_own(vector, layout)
    rounded = np.empty_like(vector)
    for block in _blocks(layout):
        rows, powers = round_rows(block.rows_of(vector), width)
        block.rows_of(rounded)[...] = widen_rows(rows.astype(np.int32), powers)
    return rounded


def decode(raw: bytes, *, expected: Expectation) -> Blob:
    """Return what a blob says.

    Raises:
        MalformedBlobError: it is not the one encoding of a vector for this task.
    """
    header, _ = open_blob(raw, expected=expected)
    vector = np.empty(header.layout.size, dtype=np.int32)
    for chunk in iter_chunks(raw, expected=expected):
        vector[chunk.start : chunk.start + len(chunk.coordinates)] = chunk.coordinates
    return Blob(header, vector)


def iter_chunks(raw: bytes | memoryview, *, expected: Expectation) -> Iterator[Chunk]:
    """Yield the coordinates in order, whole rows at a time, so that memory is O(chunk).

    Args:
        raw: may be a memory map, of which each part is read once.
        expected: what the task wants.

    Raises:
        MalformedBlobError: as `decode` does; what was yielded before must then be dropped.
    """
    header, body = open_blob(raw, expected=expected)
    for block in _blocks(header.layout):
        rows, powers = body.read(block.span, block.row_span)
        mantissas = rows.reshape(block.shape)
        _check_rows(block, mantissas, powers, header.width)
        yield Chunk(block.span.start, widen_rows(mantissas, powers).ravel())
    body.check_end()


def open_blob(raw: bytes | memoryview, *, expected: Expectation) -> tuple[BlobHeader, Body]:
    """Return the header and the numbers behind it, after every check that costs little.

    Raises:
        MalformedBlobError: the size or the header is not one of this task.
    """
    limit = size_bytes_max(expected.layout)
    if len(raw) > limit:
        raise MalformedBlobError(
            field="size", expected=f"at most {limit} bytes", actual=f"{len(raw)}"
        )
    header, start = read_header(raw)
    check_expected(header, expected)
    return header, open_body(raw, start, header)


def size_bytes_max(layout: TensorLayout) -> int:
    """Return the size of the longest blob that a layout can have."""
    header = len(LAYOUT_CODEC.encode(layout)) + _HEADER_FIELDS_SIZE_BYTES
    return PREFIX_SIZE_BYTES + header + layout.rows + 4 * layout.size


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole rows of one tensor: their place in the vector, and in the list of all rows."""

    tensor: TensorSpec
    span: slice
    row_span: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.row_span.stop - self.row_span.start, self.tensor.row_size

    def rows_of(self, vector: Int32s) -> Int32s:
        return vector[self.span].reshape(self.shape)


def _blocks(layout: TensorLayout) -> Iterator[_Block]:
    start = row = 0
    for tensor in layout.tensors:
        step = max(1, CHUNK_COORDINATES // tensor.row_size)
        row_end = row + tensor.rows
        while row < row_end:
            rows = min(step, row_end - row)
            span = slice(start, start + rows * tensor.row_size)
            yield _Block(tensor, span, slice(row, row + rows))
            start, row = span.stop, row + rows


def _check_own(vector: Int32s, layout: TensorLayout) -> None:
    check_layout(layout)
    if vector.dtype != np.int32 or vector.shape != (layout.size,):
        raise LocalProtocolError(
            f"a vector {vector.dtype}{vector.shape} for a layout of {layout.size} coordinates"
        )
    if int(vector.min()) < -COORDINATE_MAX:
        raise LocalProtocolError("the coordinate -2**31 has no negative")


def _check_rows(
    block: _Block,
    mantissas: npt.NDArray[np.signedinteger],
    exponents: npt.NDArray[np.uint8],
    width: Width,
) -> None:
    """Refuse rows with a mantissa or an exponent that the one encoding does not have."""
    most = mantissa_max(width)
    if int(mantissas.min()) < -most:
        raise _malformed(block, f"mantissas of at least {-most}", f"{-most - 1}")
    if width is Width.INT32:
        return
    if int(exponents.max()) > exponent_max(width):
        raise _malformed(
            block, f"exponents of at most {exponent_max(width)}", f"{int(exponents.max())}"
        )
    sizes = np.maximum(mantissas.max(axis=1), -mantissas.min(axis=1))
    is_loose = (exponents > 0) & (sizes <= most // 2)
    if is_loose.any():
        raise _malformed(block, "the least exponent of each row", "a greater one")


def _malformed(block: _Block, expected: str, actual: str) -> MalformedBlobError:
    return MalformedBlobError(
        field=f"tensor {block.tensor.name!r}", expected=expected, actual=actual
    )
