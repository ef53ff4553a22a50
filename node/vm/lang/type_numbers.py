"""Give the types of a source their numbers in the module, each after its parts."""

from node.vm.lang.types import SCALAR_INDICES, ListOf, MapOf, OptionOf, RecordOf, Scalar, Type
from node.vm.types import (
    COMPOSITE_FIRST,
    CompositeType,
    Field,
    ListType,
    MapType,
    OptionType,
    RecordType,
    TypeIndex,
)


class TypeNumbers:
    """The type table of a module while it grows."""

    def __init__(self) -> None:
        self._numbers: dict[Type, TypeIndex] = {}
        self._entries: list[CompositeType] = []

    @property
    def entries(self) -> tuple[CompositeType, ...]:
        """The table so far."""
        return tuple(self._entries)

    def number(self, type_: Type) -> TypeIndex:
        """Return the number of a type; the first time it takes the next one."""
        if isinstance(type_, Scalar):
            return SCALAR_INDICES[type_]
        known = self._numbers.get(type_)
        if known is None:
            entry = self._entry(type_)
            known = TypeIndex(COMPOSITE_FIRST + len(self._entries))
            self._entries.append(entry)
            self._numbers[type_] = known
        return known

    def _entry(self, type_: ListOf | OptionOf | RecordOf | MapOf) -> CompositeType:
        match type_:
            case ListOf(item=item):
                return ListType(self.number(item))
            case OptionOf(item=item):
                return OptionType(self.number(item))
            case RecordOf(name=name, parts=parts):
                fields = tuple(Field(part.name, self.number(part.type)) for part in parts)
                return RecordType(name, fields)
            case MapOf(key=key, value=value):
                return MapType(self.number(key), self.number(value))
