"""Turn values into canonical msgpack and back: one value, one encoding, one hash.

msgspec accepts wider integers, longer headers and repeated map keys than it writes, so a decoded
value is encoded again and compared; without that, one block would have many digests. The size limit
comes first, since everything after it costs in proportion to the input.
A type that could hold a float, a map, or anything at all is refused before it meets any bytes.
Source: the msgpack specification; canonical means msgspec's own output for the decoded value.
"""

from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import inspect

from primitives.errors import LocalProtocolError, MalformedBytesError

T = TypeVar("T")

_WIRE_LEAVES: Final = (
    inspect.IntType,
    inspect.BoolType,
    inspect.BytesType,
    inspect.StrType,
    inspect.NoneType,
    inspect.EnumType,
    inspect.LiteralType,
)


class Codec(Generic[T]):
    """Encode and decode the values of one type; the only way for outside bytes to get in.

    Args:
        value_type: a msgspec type of arrays, integers, bytes and text.
        size_bytes_max: the longest encoding that is written or read.

    Raises:
        TypeError: the type has a float, a map, a set, or a part of any type.
    """

    def __init__(self, value_type: type[T], *, size_bytes_max: int) -> None:
        _check_wire_type(value_type)
        self._size_bytes_max = size_bytes_max
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(value_type)

    def encode(self, value: T) -> bytes:
        """Return the one encoding of the value.

        Raises:
            LocalProtocolError: it is longer than the limit, so that no node could read it.
        """
        raw = self._encoder.encode(value)
        if len(raw) > self._size_bytes_max:
            raise LocalProtocolError(f"encoded {len(raw)} bytes > limit {self._size_bytes_max}")
        return raw

    def decode(self, raw: bytes) -> T:
        """Return the value that has this encoding.

        Raises:
            MalformedBytesError: too long, not a value of the type, or not its canonical encoding.
        """
        if type(raw) is not bytes:
            # A memoryview or bytearray can change under the value that was checked.
            raise MalformedBytesError(f"expected bytes, got {type(raw).__name__}")
        if len(raw) > self._size_bytes_max:
            raise MalformedBytesError(f"{len(raw)} bytes > limit {self._size_bytes_max}")
        try:
            value = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # Text that is not UTF-8 and deep nesting surface as errors that are no MsgspecError.
            raise MalformedBytesError(str(error)) from error
        if self._encoder.encode(value) != raw:
            raise MalformedBytesError("not the canonical encoding of its value")
        return value

    def decode_own(self, raw: bytes) -> T:
        """Return the value of bytes that `encode` made, which our own state vouches for.

        It is not encoded again to compare: for an account that is two thirds of `decode`.

        Raises:
            MalformedBytesError: not a value of the type, so nobody encoded it here.
        """
        try:
            return self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedBytesError(str(error)) from error


def _check_wire_type(value_type: Any) -> None:  # noqa: ANN401 - any type may be asked about
    """Refuse a type with a part that has no single encoding or no bounded depth."""
    waiting: list[inspect.Type] = [inspect.type_info(value_type)]
    structs_seen: set[type] = set()
    while waiting:
        match waiting.pop():
            case inspect.StructType(array_like=True) as struct:
                if struct.cls not in structs_seen:
                    structs_seen.add(struct.cls)
                    waiting.extend(field.type for field in struct.fields)
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                waiting.append(item)
            case inspect.TupleType(item_types=items) | inspect.UnionType(types=items):
                waiting.extend(items)
            case inspect.Metadata(type=inner):
                waiting.append(inner)
            case leaf if isinstance(leaf, _WIRE_LEAVES):
                pass
            case other:
                raise TypeError(f"{type(other).__name__} in {value_type!r} must not be on the wire")
