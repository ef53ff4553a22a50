"""Values as Python people write them, and back: what tests, tools and the RPC speak.

    Int     int                 List    list
    Fixed   decimal.Decimal     Record  dict by field, in the order of the record
    Bytes   bytes               Option  None, or the value itself
    Str     str                 Unit    None
    Bool    bool                Address bytes of 32

Only the place where an option holds an option is lost: `some(none)` reads as None.
"""

import decimal
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

from node.vm import types
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.shapes import ADDRESS_SIZE_BYTES, Value
from node.vm.type_table import TypeTable
from node.vm.types import ListType, MapType, OptionType, RecordType, TypeIndex
from primitives.errors import VmError

PythonValue: TypeAlias = (
    "int | str | bytes | decimal.Decimal | Sequence[PythonValue] | Mapping[str, PythonValue] | None"
)

FIXED_DECIMALS: Final = 18
_PYTHON_TYPES: Final[dict[int, type]] = {
    types.UNIT: type(None),
    types.BOOL: bool,
    types.INT: int,
    types.BYTES: bytes,
    types.STR: str,
    types.ADDRESS: bytes,
}
_EXACT: Final = decimal.Context(prec=100, traps=[decimal.Inexact, decimal.InvalidOperation])


class ForeignValueError(VmError):
    """Refuse a Python value that is none of the type that a contract expects."""

    code: ClassVar[str] = "foreign-value"


def to_value(table: TypeTable, index: TypeIndex, given: PythonValue) -> Value:
    """Return the value that the Python value stands for.

    Raises:
        ForeignValueError: it is none of the type.
    """
    match table.entry(index):
        case None:
            return _scalar(index, given)
        case ListType(item=item):
            if isinstance(given, str | bytes) or not isinstance(given, Sequence):
                raise _foreign(table, index, given)
            return tuple(to_value(table, item, part) for part in given)
        case OptionType(item=item):
            return None if given is None else (to_value(table, item, given),)
        case RecordType(fields=fields):
            names = [field.name for field in fields]
            if not isinstance(given, Mapping) or sorted(given) != sorted(names):
                raise _foreign(table, index, given)
            return tuple(to_value(table, field.type, given[field.name]) for field in fields)
        case MapType():
            raise ForeignValueError("a Map lives in storage and is no argument")


def from_value(table: TypeTable, index: TypeIndex, value: Value) -> PythonValue:
    """Return the value as Python people read it."""
    entry = table.entry(index)
    if entry is None:
        if index == types.FIXED:
            assert isinstance(value, int)
            return _EXACT.scaleb(_EXACT.create_decimal(value), -FIXED_DECIMALS)
        assert not isinstance(value, tuple)
        return value
    match entry:
        case ListType(item=item):
            assert isinstance(value, tuple)
            return [from_value(table, item, part) for part in value]
        case OptionType(item=item):
            assert value is None or isinstance(value, tuple)
            return None if value is None else from_value(table, item, value[0])
        case RecordType(fields=fields):
            assert isinstance(value, tuple)
            pairs = zip(fields, value, strict=True)
            return {field.name: from_value(table, field.type, part) for field, part in pairs}
        case MapType():
            raise ForeignValueError("a Map lives in storage and is no result")


def _scalar(index: TypeIndex, given: PythonValue) -> Value:
    if index == types.FIXED:
        return _fixed(given)
    if (given is None or isinstance(given, int | str | bytes)) and _fits(index, given):
        return given
    raise ForeignValueError(f"expected {types.SCALAR_NAMES[index]}, got {_shown(given)}")


def _fits(index: TypeIndex, given: int | str | bytes | None) -> bool:
    if type(given) is not _PYTHON_TYPES[index]:
        # A bool is an int to isinstance(), and must not be one here.
        return False
    if isinstance(given, int):
        return INT_MIN <= given <= INT_MAX
    return index != types.ADDRESS or (given is not None and len(given) == ADDRESS_SIZE_BYTES)


def _fixed(given: PythonValue) -> int:
    if isinstance(given, bool) or not isinstance(given, int | str | decimal.Decimal):
        raise ForeignValueError(f"expected Fixed, got {_shown(given)}")
    try:
        exact = _EXACT.create_decimal(given)
        scaled = _EXACT.to_integral_exact(_EXACT.scaleb(exact, FIXED_DECIMALS))
    except (decimal.Inexact, decimal.InvalidOperation) as error:
        raise ForeignValueError(
            f"expected Fixed, a decimal of {FIXED_DECIMALS} places, got {_shown(given)}"
        ) from error
    if not INT_MIN <= scaled <= INT_MAX:
        raise ForeignValueError(f"too wide for Fixed: {_shown(given)}")
    return int(scaled)


def _foreign(table: TypeTable, index: TypeIndex, given: PythonValue) -> ForeignValueError:
    return ForeignValueError(f"expected {table.name(index)}, got {_shown(given)}")


def _shown(given: object) -> str:
    return f"{type(given).__name__} {given!r}"[:120]
