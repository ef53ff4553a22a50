"""How to turn a value of one type into another, for the hint under a type error."""

import ast
from typing import Final

from node.vm.lang.types import (
    ADDRESS_TYPE,
    BYTES_TYPE,
    FIXED_TYPE,
    INT_TYPE,
    STR_TYPE,
    OptionOf,
    ValueType,
)

_SHOWN_LENGTH_MAX: Final = 30

_CONVERSIONS: Final[dict[tuple[ValueType, ValueType], str]] = {
    (INT_TYPE, FIXED_TYPE): "Fixed({})",
    (FIXED_TYPE, INT_TYPE): "Int({})",
    (BYTES_TYPE, INT_TYPE): "Int({})",
    (INT_TYPE, STR_TYPE): "Str({})",
    (STR_TYPE, BYTES_TYPE): "Bytes({})",
    (ADDRESS_TYPE, BYTES_TYPE): "Bytes({})",
    (INT_TYPE, BYTES_TYPE): "Bytes({}, 32)",
    (BYTES_TYPE, ADDRESS_TYPE): "Address({})",
}


def conversion_hint(node: ast.expr, found: ValueType, expected: ValueType) -> str:
    """Return what to write in place of the node, empty without an idea."""
    if isinstance(node, ast.Constant):
        hint = _literal_hint(node, expected)
        if hint:
            return hint
    text = shown(node)
    if isinstance(expected, OptionOf) and expected.item == found:
        return f"write some({text})"
    if isinstance(found, OptionOf) and found.item == expected:
        return f"write {text}.unwrap() or {text}.unwrap_or(...)"
    conversion = _CONVERSIONS.get((found, expected))
    return f"write {conversion.format(text)}" if conversion else ""


def _literal_hint(node: ast.Constant, expected: ValueType) -> str:
    match node.value:
        case int() as number if expected is FIXED_TYPE:
            return f'write fixed("{number}")'
        case str() as words if expected is ADDRESS_TYPE:
            return f'write address("{words[:_SHOWN_LENGTH_MAX]}")'
        case str() as words if expected is BYTES_TYPE and words.isascii():
            return f"write b{words[:_SHOWN_LENGTH_MAX]!r}"
        case _:
            return ""


def shown(node: ast.expr) -> str:
    """Return the source of an expression if it is short, else a letter that stands for it."""
    text = ast.unparse(node)
    return text if len(text) <= _SHOWN_LENGTH_MAX else "x"
