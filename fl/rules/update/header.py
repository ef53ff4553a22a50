"""Say what a blob is before its numbers: kind, width, packing, what it was trained on, layout.

Guards: one header has one encoding, and a blob of another task, model or tokenizer is refused by
the name of the field before any of its numbers is read.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from fl.rules.update.errors import BadLayoutError, MalformedBlobError
from fl.rules.update.layout import (
    COORDINATES_MAX,
    LAYOUT_SIZE_BYTES_MAX,
    TensorLayout,
    check_layout,
)
from primitives.codec import Codec
from primitives.errors import MalformedBytesError
from primitives.ids import DIGEST_SIZE_BYTES, Digest

BLOB_VERSION: Final = 1
MAGIC: Final = b"HNSU"
PREFIX_SIZE_BYTES: Final = len(MAGIC) + 4
HEADER_SIZE_BYTES_MAX: Final = LAYOUT_SIZE_BYTES_MAX + 256

DigestBytes = Annotated[
    bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)
]


class BlobKind(enum.Enum):
    """What the vector means."""

    UPDATE = "update"
    """A difference that a trainer proposes."""

    MODEL = "model"
    """The coordinates themselves: the model that a round agreed on."""


class Width(enum.Enum):
    """How a coordinate is written; the value is the number of bytes of a mantissa."""

    INT8 = 1
    INT16 = 2
    INT32 = 4
    """The coordinate as it is, without an exponent."""


class Packing(enum.Enum):
    """Which coordinates are written."""

    DENSE = "dense"
    SPARSE = "sparse"
    """Only those that are not zero, each with its place."""


class BlobHeader(
    msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True
):
    """What stands before the numbers.

    Args:
        base_model: digest of the base model that this belongs to.
        tokenizer: digest of the tokenizer that it was trained with.
        kept: coordinates that are written: all of them, or the non-zero ones.
    """

    version: int = BLOB_VERSION
    kind: BlobKind
    width: Width
    packing: Packing
    base_model: DigestBytes
    tokenizer: DigestBytes
    kept: Annotated[int, msgspec.Meta(ge=0, le=COORDINATES_MAX)]
    layout: TensorLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a task wants of a blob.

    Args:
        base_model: digest of the base model, 32 bytes.
        tokenizer: digest of the tokenizer, 32 bytes.
        layout: a canonical layout, as `TensorLayout.of` makes.
    """

    kind: BlobKind
    base_model: Digest
    tokenizer: Digest
    layout: TensorLayout


HEADER_CODEC: Final = Codec(BlobHeader, size_bytes_max=HEADER_SIZE_BYTES_MAX)

# What people send by mistake, or on purpose: a pickle runs code when it is read.
_FOREIGN: Final = (
    (b"\x80", "a pickle, which is never read"),
    (b"PK\x03\x04", "a zip archive such as torch.save writes, which is never read"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x93NUMPY", "a numpy file"),
)


def write_header(header: BlobHeader) -> bytes:
    """Return the magic, the size of the header and the header."""
    raw = HEADER_CODEC.encode(header)
    return MAGIC + len(raw).to_bytes(4, "little") + raw


def read_header(raw: bytes | memoryview) -> tuple[BlobHeader, int]:
    """Return the header and where the numbers begin, for any task.

    Raises:
        MalformedBlobError: there is no header of this version with a canonical layout.
    """
    start = bytes(raw[:PREFIX_SIZE_BYTES])
    if len(start) < PREFIX_SIZE_BYTES:
        raise _malformed("size", f"at least {PREFIX_SIZE_BYTES} bytes", f"{len(start)}")
    if start[: len(MAGIC)] != MAGIC:
        raise _malformed("magic", MAGIC.hex(), _describe(start))
    size_bytes = int.from_bytes(start[len(MAGIC) :], "little")
    if size_bytes > HEADER_SIZE_BYTES_MAX:
        raise _malformed("header size", f"at most {HEADER_SIZE_BYTES_MAX}", f"{size_bytes}")
    end = PREFIX_SIZE_BYTES + size_bytes
    if len(raw) < end:
        raise _malformed("size", f"a header of {size_bytes} bytes", "the end of the blob")
    try:
        header = HEADER_CODEC.decode(bytes(raw[PREFIX_SIZE_BYTES:end]))
    except MalformedBytesError as error:
        raise _malformed("header", "a canonical header", str(error)) from error
    if header.version != BLOB_VERSION:
        raise _malformed("version", f"{BLOB_VERSION}", f"{header.version}")
    try:
        check_layout(header.layout)
    except BadLayoutError as error:
        raise _malformed("layout", "a canonical layout", str(error)) from error
    _check_shape_of_body(header)
    return header, end


def check_expected(header: BlobHeader, expected: Expectation) -> None:
    """Refuse a blob of another task, naming the first field that differs.

    Raises:
        MalformedBlobError: a field differs.
    """
    if header.kind is not expected.kind:
        raise _malformed("kind", expected.kind.value, header.kind.value)
    if header.base_model != expected.base_model:
        raise _malformed("base model", expected.base_model.hex(), header.base_model.hex())
    if header.tokenizer != expected.tokenizer:
        raise _malformed("tokenizer", expected.tokenizer.hex(), header.tokenizer.hex())
    if header.layout != expected.layout:
        raise _malformed("layout", *_first_difference(expected.layout, header.layout))


def _check_shape_of_body(header: BlobHeader) -> None:
    size = header.layout.size
    match header.packing:
        case Packing.DENSE if header.kept != size:
            raise _malformed("kept", f"{size}, all coordinates", f"{header.kept}")
        case Packing.SPARSE if 2 * header.kept > size:
            raise _malformed("kept", f"at most {size // 2}, half of all", f"{header.kept}")
        case _:
            pass
    if header.kind is BlobKind.MODEL and header.width is not Width.INT32:
        raise _malformed("width", "INT32 of a model", header.width.name)
    if header.packing is Packing.SPARSE and header.kind is BlobKind.MODEL:
        raise _malformed("packing", "dense of a model", header.packing.value)


def _first_difference(expected: TensorLayout, actual: TensorLayout) -> tuple[str, str]:
    for wanted, found in zip(expected.tensors, actual.tensors, strict=False):
        if wanted != found:
            return f"{wanted.name!r} {wanted.shape}", f"{found.name!r} {found.shape}"
    return f"{len(expected.tensors)} tensors", f"{len(actual.tensors)}"


def _describe(start: bytes) -> str:
    for magic, name in _FOREIGN:
        if start.startswith(magic):
            return name
    return start.hex()


def _malformed(field: str, expected: str, actual: str) -> MalformedBlobError:
    return MalformedBlobError(field=field, expected=expected, actual=actual)
