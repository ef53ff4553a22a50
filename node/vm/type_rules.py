"""The rules of the type table: no cycle, no twins, and no type too deep or too wide to handle.

Every entry is judged from its parts, which stand before it, so the work is linear in the table.
"""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from node.vm.limits import (
    MAP_KEYS_MAX,
    RECORD_FIELDS_MAX,
    TYPE_DEPTH_MAX,
    TYPE_LEAVES_MAX,
    TYPES_MAX,
)
from node.vm.names import check_count, check_field_names, check_name, check_names_differ
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.type_table import TypeTable
from node.vm.types import (
    COMPOSITE_FIRST,
    MAP_KEY_TYPES,
    UNIT,
    CompositeType,
    ListType,
    MapType,
    OptionType,
    RecordType,
    TypeIndex,
)


class _Extent(NamedTuple):
    """How far a type reaches.

    Args:
        depth: of the composites below each other; a Map adds none.
        leaves: scalars in it, once all records are spelt out.
        map_keys: keys that lead to a value; 0 unless it is a Map.
    """

    depth: int
    leaves: int
    map_keys: int


_SCALAR = _Extent(depth=0, leaves=1, map_keys=0)


def checked_types(entries: Sequence[CompositeType]) -> TypeTable:
    """Return the table, all of whose entries keep the rules.

    Raises:
        InvalidModuleError: an entry breaks one.
    """
    check_count("types", len(entries), TYPES_MAX)
    if len(frozenset(entries)) != len(entries):
        raise InvalidModuleError(Reason.TYPE_DUPLICATE, "two equal entries in the type table")
    check_names_differ("record", [entry.name for entry in entries if isinstance(entry, RecordType)])
    rules = _TypeRules(TypeTable(entries))
    for place, entry in enumerate(entries):
        rules.judge(place, entry)
    return rules.table


class _TypeRules:
    def __init__(self, table: TypeTable) -> None:
        self.table = table
        self._extents: list[_Extent] = []

    def judge(self, place: int, entry: CompositeType) -> None:
        extent = self._extent(place, entry)
        if extent.depth > TYPE_DEPTH_MAX:
            detail = f"type {COMPOSITE_FIRST + place} is {extent.depth} deep > {TYPE_DEPTH_MAX}"
            raise InvalidModuleError(Reason.TYPE_DEPTH, detail)
        if extent.leaves > TYPE_LEAVES_MAX:
            detail = f"type {COMPOSITE_FIRST + place} has {extent.leaves} parts > {TYPE_LEAVES_MAX}"
            raise InvalidModuleError(Reason.TYPE_LEAVES, detail)
        self._extents.append(extent)

    def _extent(self, place: int, entry: CompositeType) -> _Extent:
        match entry:
            case ListType(item=item) | OptionType(item=item):
                part = self._value_part(place, item)
                return _Extent(part.depth + 1, part.leaves, 0)
            case RecordType():
                return self._record_extent(place, entry)
            case MapType():
                return self._map_extent(place, entry)
            case _:
                assert_never(entry)

    def _record_extent(self, place: int, entry: RecordType) -> _Extent:
        check_name("record", entry.name)
        if not entry.fields:
            raise InvalidModuleError(Reason.RECORD_EMPTY, f"record {entry.name} has no fields")
        check_count(f"fields of record {entry.name}", len(entry.fields), RECORD_FIELDS_MAX)
        check_field_names(f"field of record {entry.name}", entry.fields)
        parts = [self._value_part(place, field.type) for field in entry.fields]
        depth = 1 + max(part.depth for part in parts)
        return _Extent(depth, sum(part.leaves for part in parts), 0)

    def _map_extent(self, place: int, entry: MapType) -> _Extent:
        if entry.key not in MAP_KEY_TYPES:
            detail = f"type {COMPOSITE_FIRST + place} has a key of type {entry.key}"
            raise InvalidModuleError(Reason.MAP_KEY, detail)
        part = self._part(place, entry.value)
        if part.map_keys == MAP_KEYS_MAX:
            detail = f"type {COMPOSITE_FIRST + place} has more than {MAP_KEYS_MAX} keys"
            raise InvalidModuleError(Reason.MAP_DEPTH, detail)
        return part._replace(map_keys=part.map_keys + 1)

    def _value_part(self, place: int, index: TypeIndex) -> _Extent:
        part = self._part(place, index)
        if part.map_keys:
            detail = f"type {COMPOSITE_FIRST + place} has a map in a value"
            raise InvalidModuleError(Reason.MAP_MISPLACED, detail)
        return part

    def _part(self, place: int, index: TypeIndex) -> _Extent:
        what = f"type {COMPOSITE_FIRST + place} refers to type {index}"
        if not self.table.exists(index):
            raise InvalidModuleError(Reason.TYPE_UNKNOWN, what)
        if index >= COMPOSITE_FIRST + place:
            raise InvalidModuleError(Reason.TYPE_ORDER, what)
        if index == UNIT:
            raise InvalidModuleError(Reason.UNIT_MISPLACED, what)
        return _SCALAR if index < COMPOSITE_FIRST else self._extents[index - COMPOSITE_FIRST]


def check_value_type(table: TypeTable, index: TypeIndex, *, what: str) -> None:
    """Refuse a type that a local, a parameter or a field of an event cannot have.

    Raises:
        InvalidModuleError: there is no such type, or it is a Map, or Unit.
    """
    check_result_type(table, index, what=what)
    if index == UNIT:
        raise InvalidModuleError(Reason.UNIT_MISPLACED, f"{what} is of type Unit")


def check_result_type(table: TypeTable, index: TypeIndex, *, what: str) -> None:
    """Refuse a type that a function cannot return.

    Raises:
        InvalidModuleError: there is no such type, or it is a Map.
    """
    if not table.exists(index):
        raise InvalidModuleError(Reason.TYPE_UNKNOWN, f"{what} is of type {index}")
    if table.is_map(index):
        raise InvalidModuleError(Reason.MAP_MISPLACED, f"{what} is a map")
