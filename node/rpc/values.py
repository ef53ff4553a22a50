"""Values of contracts as JSON and back, led by the types that the contract declares.

Int, Fixed   decimal text (an integer is read as a number too)   List     array
Bytes        hex                                                 Record   object by field
Address      did:key, or hex                                     Option   null, or the value
Bool, Str    as they are                                         Unit     null
"""

import decimal
from collections.abc import Mapping, Sequence
from typing import Final

from node.rpc.errors import BadRequestError
from node.rpc.schemas import Json
from node.rpc.texts import address_text, parse_address
from node.vm import types
from node.vm.abi import PythonValue
from node.vm.type_table import TypeTable
from node.vm.types import ListType, MapType, OptionType, RecordType, TypeIndex

_INTEGER_LENGTH_MAX: Final = 100
_TAKEN: Final[dict[int, tuple[type, ...]]] = {
    types.FIXED: (str, int),
    types.BOOL: (bool,),
    types.STR: (str,),
    types.UNIT: (type(None),),
}
"""What stands for a value as it is; `type()` is compared, since a bool is an int."""


def to_json(table: TypeTable, index: TypeIndex, value: PythonValue) -> Json:
    """Return a value of a contract as JSON."""
    match table.entry(index):
        case None:
            return _scalar_json(index, value)
        case ListType(item=item):
            assert isinstance(value, Sequence)
            return [to_json(table, item, part) for part in value]
        case OptionType(item=item):
            return None if value is None else to_json(table, item, value)
        case RecordType(fields=fields):
            assert isinstance(value, Mapping)
            return {field.name: to_json(table, field.type, value[field.name]) for field in fields}
        case MapType():
            raise AssertionError("no value is a Map")


def from_json(table: TypeTable, index: TypeIndex, given: Json) -> PythonValue:
    """Return the value that JSON stands for; whether it is in range is for the VM to say.

    Raises:
        BadRequestError: the JSON is none of the type.
    """
    match table.entry(index):
        case None:
            return _scalar_value(index, given)
        case ListType(item=item) if isinstance(given, list):
            return [from_json(table, item, part) for part in given]
        case OptionType(item=item):
            return None if given is None else from_json(table, item, given)
        case RecordType(fields=fields) if isinstance(given, dict):
            names = [field.name for field in fields]
            if sorted(given) != sorted(names):
                raise BadRequestError(f"{table.name(index)} has the fields {', '.join(names)}")
            return {field.name: from_json(table, field.type, given[field.name]) for field in fields}
        case _:
            raise BadRequestError(f"expected {table.name(index)}, got {_kind(given)}")


def _scalar_json(index: TypeIndex, value: PythonValue) -> Json:
    if isinstance(value, bytes):
        return address_text(value) if index == types.ADDRESS else value.hex()
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _scalar_value(index: TypeIndex, given: Json) -> PythonValue:
    if index == types.INT:
        return _integer(given)
    if isinstance(given, str) and index in (types.BYTES, types.ADDRESS):
        return _octets(given) if index == types.BYTES else parse_address(given)
    if type(given) not in _TAKEN.get(index, ()):
        raise BadRequestError(f"expected {types.SCALAR_NAMES[index]}, got {_kind(given)}")
    plain: PythonValue = given
    return plain


def _integer(given: Json) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    text = given if isinstance(given, str) else ""
    digits = text.removeprefix("-")
    is_plain = digits.isascii() and digits.isdigit() and len(digits) <= _INTEGER_LENGTH_MAX
    if not is_plain:
        raise BadRequestError(f"expected Int as a number or decimal text, got {_kind(given)}")
    return int(text)


def _octets(given: str) -> bytes:
    try:
        raw = bytes.fromhex(given)
    except ValueError as error:
        raise BadRequestError("expected Bytes as hex") from error
    if raw.hex() != given:
        raise BadRequestError("expected Bytes as lower-case hex without spaces")
    return raw


def _kind(given: Json) -> str:
    names = {
        type(None): "null",
        bool: "a boolean",
        str: "text",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(given), "a number")
