"""A verified module made ready to run: codecs, zero values and access to storage, made once.

Both engines run linked modules. Codecs are made when they are first asked for.
"""

from typing import Final

from node.vm.meter import DECODED_GROWTH
from node.vm.module import FunctionKind
from node.vm.shapes import ShapeTable, Value
from node.vm.types import COMPOSITE_FIRST, TypeIndex
from node.vm.values import ValueCodec
from node.vm.verified import StorageField, VerifiedModule


class LinkedField:
    """A field of storage with the codec of what one slot holds.

    Attributes:
        growth: how many bytes of memory each byte of an encoding counts; 0 for short scalars.
    """

    __slots__ = ("codec", "field", "growth", "place")

    def __init__(self, place: int, field: StorageField, codec: ValueCodec) -> None:
        self.place: Final = place
        self.field: Final = field
        self.codec: Final = codec
        is_scalar = field.element < COMPOSITE_FIRST
        self.growth: Final = DECODED_GROWTH if not is_scalar else int(codec.size_max is None)


class LinkedModule:
    """A verified module and what running it needs; the codecs of a type are made once."""

    __slots__ = (
        "_arguments",
        "_codecs",
        "_events",
        "_fields",
        "_invocations",
        "_shapes",
        "module",
    )

    def __init__(self, module: VerifiedModule) -> None:
        self.module: Final = module
        self._shapes: Final = ShapeTable(module.module.types)
        self._codecs: dict[TypeIndex, ValueCodec] = {}
        self._fields: dict[int, LinkedField] = {}
        self._events: dict[int, ValueCodec] = {}
        self._arguments: dict[int, ValueCodec] = {}
        self._invocations: dict[int, ValueCodec] = {}

    def codec(self, index: TypeIndex) -> ValueCodec:
        """Return the codec of a value type."""
        codec = self._codecs.get(index)
        if codec is None:
            codec = self._codecs[index] = ValueCodec(self._shapes.of_type(index))
        return codec

    def zero(self, index: TypeIndex) -> Value:
        """Return the zero value of a value type."""
        return self._shapes.of_type(index).zero

    def field(self, place: int) -> LinkedField:
        """Return the field of storage at this place of the layout."""
        linked = self._fields.get(place)
        if linked is None:
            field = self.module.storage[place]
            linked = LinkedField(place, field, self.codec(field.element))
            self._fields[place] = linked
        return linked

    def event_codec(self, event: int) -> ValueCodec:
        """Return the codec of the fields of an event."""
        fields = self.module.events[event].fields
        return self._side_by_side(self._events, event, tuple(field.type for field in fields))

    def arguments_codec(self, function: int) -> ValueCodec:
        """Return the codec of the arguments of a function."""
        return self._side_by_side(self._arguments, function, self.module.functions[function].params)

    def invocation_codec(self, method: int) -> ValueCodec:
        """Return the codec of the arguments of a method of another contract, without money."""
        return self._side_by_side(self._invocations, method, self.module.methods[method].params)

    def is_method_payable(self, method: int) -> bool:
        """Tell whether money may go along with a call of the method."""
        return self.module.methods[method].kind is FunctionKind.PAYABLE

    def _side_by_side(
        self, made: dict[int, ValueCodec], place: int, parts: tuple[TypeIndex, ...]
    ) -> ValueCodec:
        codec = made.get(place)
        if codec is None:
            codec = made[place] = ValueCodec(self._shapes.of_fields(parts))
        return codec
