"""What the type of a value says about its encoding: zero value, wire type, sizes, wide integers.

A shape is a type with its indices followed. Types nest at most `TYPE_DEPTH_MAX` deep, so shapes may
call their parts.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol, TypeAlias

import msgspec

from node.vm import types
from node.vm.limits import LIST_LENGTH_MAX
from node.vm.traps import Trap, VmTrap
from node.vm.types import CompositeType, ListType, MapType, OptionType, RecordType, TypeIndex

Value: TypeAlias = int | str | bytes | tuple["Value", ...] | None
"""What a local, an argument or a result is at run time; a Bool is Python's, so an int here."""

NARROW_MIN: Final = -(1 << 63)
NARROW_MAX: Final = (1 << 64) - 1
"""msgpack integers reach from NARROW_MIN to here; beyond, an integer is wide."""

WIDE_SIZE_BYTES: Final = 32
WIDE_ENCODED_BYTES: Final = WIDE_SIZE_BYTES + 2
ADDRESS_SIZE_BYTES: Final = 32
_ARRAY_HEADER_BYTES_MAX: Final = 3

GROWTH_MAX: Final = 40
"""How many times longer an encoding may be than its shape alone tells: an Int has 1 to 34 bytes."""

SCALAR_WEIGHT: Final = 1
COMPOSITE_WEIGHT: Final = 4
NESTED_WEIGHT: Final = 16
"""Of a List whose items are composite, and of whatever holds one: two bytes can be a list there."""

encode_narrow: Final = msgspec.msgpack.Encoder().encode
"""Encode a value in one C call; OverflowError if it holds a wide integer."""

_SCALAR_ZEROS: Final[dict[int, Value]] = {
    types.UNIT: None,
    types.BOOL: False,
    types.INT: 0,
    types.FIXED: 0,
    types.BYTES: b"",
    types.STR: "",
    types.ADDRESS: bytes(ADDRESS_SIZE_BYTES),
}

_SCALAR_WIRES: Final[dict[int, object]] = {
    types.UNIT: type(None),
    types.BOOL: bool,
    types.INT: int | bytes,
    types.FIXED: int | bytes,
    types.BYTES: bytes,
    types.STR: str,
    types.ADDRESS: Annotated[
        bytes, msgspec.Meta(min_length=ADDRESS_SIZE_BYTES, max_length=ADDRESS_SIZE_BYTES)
    ],
}

_SCALAR_SIZES_MAX: Final[dict[int, int]] = {
    types.UNIT: 1,
    types.BOOL: 1,
    types.INT: WIDE_ENCODED_BYTES,
    types.FIXED: WIDE_ENCODED_BYTES,
    types.ADDRESS: ADDRESS_SIZE_BYTES + 2,
}
"""Of the scalars whose longest encoding is short."""


class Shape(Protocol):
    """A type, as its values are encoded."""

    zero: Value
    """What an empty slot and a fresh local hold."""

    wire: Any
    """The type that msgspec decodes."""

    weight: int
    """How much work a byte of an encoding can be, in bytes of text."""

    size_min: int
    """No encoding is shorter."""

    size_max: int | None
    """No encoding is longer; None if only the limits of values say so."""

    has_integers: bool
    """Whether a value may hold an Int or Fixed, which may be wide."""

    def room_after(self, value: Value, room: int) -> int:
        """Return the bytes left of the room if the encoding is as short as the walk can tell.

        It may be up to `GROWTH_MAX` times longer, no more. A number below 0 says for sure that it
        does not fit; the walk stops there, so it takes time in proportion to the room.
        """
        ...

    def widened(self, value: Value) -> Value:
        """Return the value with every wide integer as bytes; only if it may hold integers."""
        ...

    def narrowed(self, wire: Value) -> Value:
        """Return the value whose wide integers are bytes; only if it may hold integers.

        Raises:
            VmTrap: ENCODING, bytes that stand for no integer.
        """
        ...


class ShapeTable:
    """The shapes of the types of one module, each made once, when it is first asked for.

    Args:
        entries: the composite types of a verified module.
    """

    __slots__ = ("_entries", "_made")

    def __init__(self, entries: Sequence[CompositeType]) -> None:
        self._entries: Final = entries
        self._made: dict[TypeIndex, Shape] = {}

    def of_type(self, index: TypeIndex) -> Shape:
        """Return the shape of a value type; a map has none."""
        shape = self._made.get(index)
        if shape is None:
            shape = self._made[index] = self._shape(index)
        return shape

    def of_fields(self, indices: Sequence[TypeIndex]) -> Shape:
        """Return the shape of values side by side: arguments, or the fields of an event."""
        return _Record([self.of_type(index) for index in indices])

    def _shape(self, index: TypeIndex) -> Shape:
        if index < types.COMPOSITE_FIRST:
            return _Scalar(index)
        match self._entries[index - types.COMPOSITE_FIRST]:
            case ListType(item=item):
                return _List(self.of_type(item))
            case OptionType(item=item):
                return _Option(self.of_type(item))
            case RecordType(fields=fields):
                return self.of_fields([field.type for field in fields])
            case MapType():
                raise ValueError("a map is no value")


def encode_shaped(shape: Shape, value: Value) -> bytes:
    """Return the one encoding of the value, however long it is."""
    try:
        return encode_narrow(value)
    except OverflowError:
        return encode_narrow(shape.widened(value))


def encodable(value: int) -> int | bytes:
    """Return the integer as msgpack can hold it."""
    if NARROW_MIN <= value <= NARROW_MAX:
        return value
    return value.to_bytes(WIDE_SIZE_BYTES, "big", signed=True)


def integer(wire: int | bytes) -> int:
    """Return the integer that was read.

    Raises:
        VmTrap: ENCODING, bytes that stand for no integer.
    """
    if isinstance(wire, int):
        return wire
    if len(wire) != WIDE_SIZE_BYTES:
        raise VmTrap(Trap.ENCODING, message=f"an integer of {len(wire)} bytes")
    return int.from_bytes(wire, "big", signed=True)


class _Scalar:
    """Unit, Bool, Int, Fixed, Bytes, Str or Address."""

    __slots__ = ("has_integers", "size_max", "size_min", "weight", "wire", "zero")

    def __init__(self, index: TypeIndex) -> None:
        self.zero = _SCALAR_ZEROS[index]
        self.wire: Any = _SCALAR_WIRES[index]
        self.weight = SCALAR_WEIGHT
        self.size_min = ADDRESS_SIZE_BYTES + 2 if index == types.ADDRESS else 1
        self.size_max = _SCALAR_SIZES_MAX.get(index)
        self.has_integers = index in {types.INT, types.FIXED}

    def room_after(self, value: Value, room: int) -> int:
        if isinstance(value, str):
            return room - text_size(value)
        return room - len(value) if isinstance(value, bytes) else room - 1

    def widened(self, value: Value) -> Value:
        assert isinstance(value, int)
        return encodable(value)

    def narrowed(self, wire: Value) -> Value:
        assert isinstance(wire, int | bytes)
        return integer(wire)


class _List:
    """Any number of values of one shape."""

    __slots__ = (
        "_even_inner_size_min",
        "_is_even",
        "_item",
        "has_integers",
        "size_max",
        "size_min",
        "weight",
        "wire",
        "zero",
    )

    def __init__(self, item: Shape) -> None:
        self._item = item
        # Whether the number of items says enough about the size.
        self._is_even = item.size_max is not None and item.size_max <= GROWTH_MAX * item.size_min
        self._even_inner_size_min = item.even_item_size_min if isinstance(item, _List) else None
        self.zero: Value = ()
        self.wire: Any = Annotated[
            tuple[item.wire, ...],  # type: ignore[name-defined]  # built at run time, for msgspec
            msgspec.Meta(max_length=LIST_LENGTH_MAX),
        ]
        self.weight = COMPOSITE_WEIGHT if isinstance(item, _Scalar) else NESTED_WEIGHT
        self.size_min = 1
        self.size_max: int | None = None
        self.has_integers = item.has_integers

    @property
    def even_item_size_min(self) -> int | None:
        return self._item.size_min if self._is_even else None

    def room_after(self, value: Value, room: int) -> int:
        assert isinstance(value, tuple)
        room -= 1
        item = self._item
        if self._is_even:
            return room - len(value) * item.size_min
        inner_size_min = self._even_inner_size_min
        if inner_size_min is not None:
            # A list of lists of numbers: as fast as it gets, for 4,096 tiny lists are cheap to own.
            return room - len(value) - inner_size_min * sum(map(len, value))  # type: ignore[arg-type]  # the items are tuples
        for part in value:
            room = item.room_after(part, room)
            if room < 0:
                break
        return room

    def widened(self, value: Value) -> Value:
        assert isinstance(value, tuple)
        if isinstance(self._item, _Scalar):
            return tuple(
                [
                    number if NARROW_MIN <= number <= NARROW_MAX else encodable(number)  # type: ignore[operator, arg-type]  # items are Int or Fixed
                    for number in value
                ]
            )
        widened = self._item.widened
        return tuple([part and widened(part) for part in value])

    def narrowed(self, wire: Value) -> Value:
        assert isinstance(wire, tuple)
        if isinstance(self._item, _Scalar):
            if bytes not in map(type, wire):
                return wire
            return tuple(
                [number if type(number) is int else integer(number) for number in wire]  # type: ignore[arg-type]  # integers or the bytes of one
            )
        narrowed = self._item.narrowed
        return tuple([part and narrowed(part) for part in wire])


class _Option:
    """A value of one shape, or none."""

    __slots__ = ("_item", "has_integers", "size_max", "size_min", "weight", "wire", "zero")

    def __init__(self, item: Shape) -> None:
        self._item = item
        self.zero: Value = None
        self.wire: Any = tuple[item.wire] | None  # type: ignore[name-defined]  # built at run time
        self.weight = max(COMPOSITE_WEIGHT, item.weight)
        self.size_min = 1
        self.size_max = None if item.size_max is None else item.size_max + 1
        self.has_integers = item.has_integers

    def room_after(self, value: Value, room: int) -> int:
        if value is None:
            return room - 1
        assert isinstance(value, tuple)
        return self._item.room_after(value[0], room - 1)

    def widened(self, value: Value) -> Value:
        if value is None:
            return None
        assert isinstance(value, tuple)
        return (self._item.widened(value[0]),)

    def narrowed(self, wire: Value) -> Value:
        if wire is None:
            return None
        assert isinstance(wire, tuple)
        return (self._item.narrowed(wire[0]),)


class _Record:
    """Values side by side: a record, the fields of an event, the arguments of a call."""

    __slots__ = (
        "_fields",
        "_numbered",
        "has_integers",
        "size_max",
        "size_min",
        "weight",
        "wire",
        "zero",
    )

    def __init__(self, fields: Sequence[Shape]) -> None:
        self._fields = tuple(fields)
        self._numbered = tuple(
            (place, field) for place, field in enumerate(fields) if field.has_integers
        )
        self.zero: Value = tuple(field.zero for field in fields)
        self.wire: Any = tuple[tuple(field.wire for field in fields)]  # type: ignore[misc]  # built at run time
        self.weight = max(COMPOSITE_WEIGHT, *(field.weight for field in fields), SCALAR_WEIGHT)
        self.size_min = 1 + sum(field.size_min for field in fields)
        self.size_max = _sum_known([field.size_max for field in fields])
        self.has_integers = bool(self._numbered)

    def room_after(self, value: Value, room: int) -> int:
        assert isinstance(value, tuple)
        room -= 1
        for field, part in zip(self._fields, value, strict=True):
            if room < 0:
                break
            room = field.room_after(part, room)
        return room

    def widened(self, value: Value) -> Value:
        assert isinstance(value, tuple)
        fields = list(value)
        for place, field in self._numbered:
            fields[place] = field.widened(fields[place])
        return tuple(fields)

    def narrowed(self, wire: Value) -> Value:
        assert isinstance(wire, tuple)
        fields: list[Value] | None = None
        for place, field in self._numbered:
            part = wire[place]
            # Nothing but a number is an int, and one that is an int already was not wide.
            if type(part) is not int:
                fields = list(wire) if fields is None else fields
                fields[place] = field.narrowed(part)
        return wire if fields is None else tuple(fields)


def text_size(value: str) -> int:
    """Return the size of the UTF-8 of the text."""
    return len(value) if value.isascii() else len(value.encode())


def _sum_known(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return _ARRAY_HEADER_BYTES_MAX + sum(known) if len(known) == len(sizes) else None
