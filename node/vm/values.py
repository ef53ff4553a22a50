"""The one encoding of every value: in storage, arguments, results and events.

A value is msgpack: Unit is nil, Bool a bool, Bytes and Address bin, Str str, List and Record
arrays, Option nil or an array of one. Int and Fixed are msgpack integers where those reach (from
-2**63 to 2**64 - 1), beyond them a bin of 32 bytes, big-endian two's complement. A value at run
time is made of tuples, so msgspec writes it in one call; only the rare wide integer needs another
form first.

Values are immutable and may share parts, so a small value can have an enormous encoding. Hence
`encode_up_to`: it counts what a value must at least take, and gives up where that is too much.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from node.vm.limits import ENCODED_VALUE_BYTES_MAX
from node.vm.shapes import Shape, ShapeTable, Value, encode_shaped
from node.vm.traps import Trap, VmTrap
from node.vm.types import CompositeType, TypeIndex

_BIN_HEADERS: Final = (b"\xc4", b"\xc5", b"\xc6")
"""How msgpack begins bytes, and so a wide integer."""


class ValueCodec:
    """Encode and decode the values of one type.

    Attributes:
        weight: what its size is multiplied by, where gas is charged for an encoding.
        zero: what an empty slot and a fresh local hold.
        size_max: no encoding is longer; None if only the limits of values say so.
    """

    __slots__ = ("_decode_wire", "_shape", "size_max", "weight", "zero")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._decode_wire: Callable[[bytes], Any] | None = None
        self.weight: Final = shape.weight
        self.zero: Final = shape.zero
        self.size_max: Final = shape.size_max

    @classmethod
    def of_type(cls, table: Sequence[CompositeType], index: TypeIndex) -> "ValueCodec":
        """Return the codec of one value type of a module."""
        return cls(ShapeTable(table).of_type(index))

    @classmethod
    def of_fields(
        cls, table: Sequence[CompositeType], indices: Sequence[TypeIndex]
    ) -> "ValueCodec":
        """Return the codec of values side by side: arguments, or the fields of an event."""
        return cls(ShapeTable(table).of_fields(indices))

    @property
    def decode_wire(self) -> Callable[[bytes], Any]:
        """What reads msgpack of the right form, but leaves wide integers as bytes.

        It is large for a wide type, and made when it is first asked for.
        """
        decode = self._decode_wire
        if decode is None:
            decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(self._shape.wire)
            decode = self._decode_wire = decoder.decode
        return decode

    def encode_up_to(self, value: Value, limit: int) -> bytes | None:
        """Return the encoding, None if it is longer than the limit; the work is bounded by it."""
        is_short = self.size_max is not None and self.size_max <= limit
        if not is_short and self._shape.room_after(value, limit) < 0:
            return None
        encoded = self.encode(value)
        return encoded if len(encoded) <= limit else None

    def encode(self, value: Value) -> bytes:
        """Return the one encoding of a value whose size has been checked."""
        return encode_shaped(self._shape, value)

    def decode_stored(self, raw: bytes) -> Value:
        """Return the value of an encoding that this VM made itself.

        Raises:
            VmTrap: ENCODING, it was made for another type.
        """
        try:
            wire: Value = (self._decode_wire or self.decode_wire)(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise VmTrap(Trap.ENCODING, message=str(error)) from error
        bin8, bin16, bin32 = _BIN_HEADERS
        # No wide integer without a header; most values have none, and there is nothing to undo.
        if self._shape.has_integers and (bin8 in raw or bin16 in raw or bin32 in raw):
            return self._shape.narrowed(wire)
        return wire

    def decode(self, raw: bytes) -> Value:
        """Return the value that has this encoding, which anybody may have made.

        Raises:
            VmTrap: ENCODING, too long, not of the type, or not the canonical encoding.
        """
        if len(raw) > ENCODED_VALUE_BYTES_MAX:
            detail = f"{len(raw)} bytes > limit {ENCODED_VALUE_BYTES_MAX}"
            raise VmTrap(Trap.ENCODING, message=detail)
        value = self.decode_stored(raw)
        if self.encode(value) != raw:
            raise VmTrap(Trap.ENCODING, message="not the canonical encoding")
        return value
