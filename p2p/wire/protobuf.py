"""Read and write the few protobuf messages of libp2p, with the number of fields bounded.

A message is read as its fields in order; what they mean is for the caller, who skips the unknown.
Nothing is built for a field but a slice of the input, so memory is bounded by the input.
Source: protobuf.dev/programming-guides/encoding; groups, which nobody sends, are refused.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from p2p.wire.varint import PROTOBUF_VARINT_SIZE_BYTES_MAX, decode_varint, encode_varint
from primitives.errors import MalformedBytesError

Value: TypeAlias = int | bytes
"""An int for a varint field; bytes for a field with a length or of fixed size."""

_VARINT: Final = 0
_FIXED_64: Final = 1
_LENGTH: Final = 2
_FIXED_32: Final = 5
_FIXED_SIZES_BYTES: Final = {_FIXED_64: 8, _FIXED_32: 4}
_UINT64_MAX: Final = 2**64 - 1
_FIELD_MAX: Final = 2**29 - 1


def read_fields(raw: bytes, *, fields_max: int) -> Iterator[tuple[int, Value]]:
    """Yield the number and value of each field in order.

    Raises:
        MalformedBytesError: more fields than `fields_max`, a field that ends after the message,
            a group, a field number outside 1 to 2^29 - 1, or a value outside 64 bits.
    """
    offset = 0
    end = len(raw)
    count = 0
    while offset < end:
        count += 1
        if count > fields_max:
            raise MalformedBytesError(f"a message has more than {fields_max} fields")
        tag, offset = _read_varint(raw, offset)
        field = tag >> 3
        kind = tag & 7
        if not 0 < field <= _FIELD_MAX:
            # Other parsers refuse it, so a message that we pass on would count against us.
            raise MalformedBytesError(f"{field} is not the number of a field")
        if kind == _VARINT:
            number, offset = _read_varint(raw, offset)
            yield field, number
            continue
        if kind == _LENGTH:
            size_bytes, offset = _read_varint(raw, offset)
        elif kind in _FIXED_SIZES_BYTES:
            size_bytes = _FIXED_SIZES_BYTES[kind]
        else:
            raise MalformedBytesError(f"unknown protobuf wire type {kind}")
        if size_bytes > end - offset:
            raise MalformedBytesError(f"field {field} ends after its message")
        yield field, raw[offset : offset + size_bytes]
        offset += size_bytes


def _read_varint(raw: bytes, offset: int) -> tuple[int, int]:
    if offset < len(raw) and raw[offset] < 0x80:
        return raw[offset], offset + 1
    read = decode_varint(raw, offset, size_bytes_max=PROTOBUF_VARINT_SIZE_BYTES_MAX)
    if read is None:
        raise MalformedBytesError("the message ends inside a varint")
    if read[0] > _UINT64_MAX:
        raise MalformedBytesError("a number is wider than 64 bits")
    return read


def expect_bytes(value: Value) -> bytes:
    """Return the value of a bytes field.

    Raises:
        MalformedBytesError: the field is a number.
    """
    if isinstance(value, int):
        raise MalformedBytesError("expected a field of bytes, got a number")
    return value


def expect_number(value: Value) -> int:
    """Return the value of a number field.

    Raises:
        MalformedBytesError: the field is not a varint.
    """
    if not isinstance(value, int):
        raise MalformedBytesError("expected a field with a number, got bytes")
    return value


def expect_text(value: Value) -> str:
    """Return the value of a string field.

    Raises:
        MalformedBytesError: the field is a number, or not UTF-8.
    """
    try:
        return expect_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise MalformedBytesError(f"a string field is not utf-8: {error.reason}") from error


def number_field(field: int, number: int) -> bytes:
    """Return a varint field."""
    return encode_varint(field << 3 | _VARINT) + encode_varint(number)


def bytes_field(field: int, raw: bytes) -> bytes:
    """Return a field with a length: bytes, a string in UTF-8, or a message."""
    return encode_varint(field << 3 | _LENGTH) + encode_varint(len(raw)) + raw


def length_prefixed(raw: bytes) -> bytes:
    """Return the bytes behind their length as a varint, the frame of most libp2p messages."""
    return encode_varint(len(raw)) + raw


def split_length_prefixed(raw: bytes, *, count_max: int, size_bytes_max: int) -> list[bytes]:
    """Return the parts of bytes that are nothing but parts behind their lengths.

    Raises:
        MalformedBytesError: too many parts, a part that is too large, or one that is cut off.
    """
    parts: list[bytes] = []
    offset = 0
    while offset < len(raw):
        read = decode_varint(raw, offset)
        if read is None or len(parts) == count_max:
            raise MalformedBytesError(f"cut off, or more than {count_max} parts")
        size_bytes, start = read
        offset = start + size_bytes
        if size_bytes > size_bytes_max or offset > len(raw):
            raise MalformedBytesError(f"a part of {size_bytes} bytes is too large or cut off")
        parts.append(raw[start:offset])
    return parts
