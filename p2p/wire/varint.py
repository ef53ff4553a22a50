"""Write whole numbers as unsigned LEB128: seven bits a byte, least significant first.

Only the shortest form is accepted, so a number has one encoding. Source: unsigned-varint of
multiformats, which bounds a varint to nine bytes (63 bits); protobuf alone needs ten, and says so.
"""

from typing import Final

from primitives.errors import MalformedBytesError

VARINT_SIZE_BYTES_MAX: Final = 9
PROTOBUF_VARINT_SIZE_BYTES_MAX: Final = 10


def encode_varint(number: int) -> bytes:
    """Return the varint of a number that is not negative."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        # Two bytes without the loop: the length of nearly every frame.
        return bytes((number & 0x7F | 0x80, number >> 7))
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def decode_varint(
    raw: bytes | bytearray | memoryview,
    offset: int = 0,
    *,
    size_bytes_max: int = VARINT_SIZE_BYTES_MAX,
) -> tuple[int, int] | None:
    """Return the number at an offset and the offset behind it; None while bytes are missing.

    Raises:
        MalformedBytesError: longer than the limit, or not the shortest form.
    """
    number = 0
    shift = 0
    for position in range(offset, min(len(raw), offset + size_bytes_max)):
        byte = raw[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise MalformedBytesError("a varint is not in its shortest form")
            return number, position + 1
        shift += 7
    if len(raw) - offset >= size_bytes_max:
        raise MalformedBytesError(f"a varint has more than {size_bytes_max} bytes")
    return None
