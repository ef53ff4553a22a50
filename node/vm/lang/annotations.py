"""Read the types that a source writes: `Int`, `List[Address]`, `Map[Str, Round]`."""

import ast
from collections.abc import Callable, Iterable
from typing import Final

from node.vm.lang.errors import ProblemError
from node.vm.lang.suggest import hint_for
from node.vm.lang.types import (
    ListOf,
    MapOf,
    OptionOf,
    RecordOf,
    Scalar,
    Type,
    ValueType,
    depth,
)
from node.vm.limits import MAP_KEYS_MAX, TYPE_DEPTH_MAX

SCALARS: Final = {scalar.value: scalar for scalar in Scalar if scalar is not Scalar.UNIT}
GENERICS: Final = ("List", "Option", "Map")
_KEYS: Final = (Scalar.INT, Scalar.BOOL, Scalar.ADDRESS, Scalar.BYTES, Scalar.STR)


class TypeReader:
    """Turn annotations into types.

    Args:
        find_record: the record of this name, None if there is none.
        record_names: of all records, for suggestions.
    """

    def __init__(
        self, find_record: Callable[[str], RecordOf | None], *, record_names: Iterable[str]
    ) -> None:
        self._find_record = find_record
        self._names = (*SCALARS, *GENERICS, *record_names)

    def storage(self, node: ast.expr) -> Type:
        """Return the type of a contract field, which alone may be a map."""
        found = self._read(node)
        _check_depth(node, found)
        return found

    def value(self, node: ast.expr) -> ValueType:
        """Return a type of values."""
        found = self.storage(node)
        if isinstance(found, MapOf):
            hint = "a Map lives in a contract field; pass its keys instead"
            raise ProblemError(node, "a Map cannot be a value", hint=hint)
        return found

    def result(self, node: ast.expr | None) -> ValueType:
        """Return the type that a method returns; without one it is None."""
        match node:
            case None | ast.Constant(value=None):
                return Scalar.UNIT
            case _:
                return self.value(node)

    def _read(self, node: ast.expr) -> Type:
        match node:
            case ast.Name(id=name):
                return self._named(node, name)
            case ast.Subscript(value=ast.Name(id="Map"), slice=inner):
                return self._map(node, inner)
            case ast.Subscript(value=ast.Name(id="List"), slice=inner):
                return ListOf(self._part(inner, "List"))
            case ast.Subscript(value=ast.Name(id="Option"), slice=inner):
                return OptionOf(self._part(inner, "Option"))
            case ast.Subscript(value=ast.Name(id=name) as outer):
                raise self._unknown(outer, name)
            case ast.Constant(value=None):
                raise ProblemError(node, "None is the type of no value", hint="leave it out")
            case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Constant(value=None)):
                hint = f"write Option[{ast.unparse(left)}]"
                raise ProblemError(node, "a value has one type", hint=hint)
            case _:
                hint = "a type is a name such as Int, or List[...], Option[...], Map[..., ...]"
                raise ProblemError(node, "this is not a type", hint=hint)

    def _named(self, node: ast.expr, name: str) -> Type:
        if name in GENERICS:
            of = "K, V" if name == "Map" else "T"
            raise ProblemError(node, f"{name} of what?", hint=f"write {name}[{of}]")
        scalar = SCALARS.get(name)
        if scalar is not None:
            return scalar
        record = self._find_record(name)
        if record is None:
            raise self._unknown(node, name)
        return record

    def _unknown(self, node: ast.expr, name: str) -> ProblemError:
        return ProblemError(node, f"unknown type {name!r}", hint=hint_for(name, self._names))

    def _part(self, node: ast.expr, outer: str) -> ValueType:
        if isinstance(node, ast.Tuple):
            raise ProblemError(node, f"{outer} takes one type", hint=f"write {outer}[T]")
        part = self._read(node)
        if isinstance(part, MapOf):
            hint = "a Map lives in a contract field, or in another Map"
            raise ProblemError(node, f"{outer} cannot hold a Map", hint=hint)
        return part

    def _map(self, node: ast.expr, inner: ast.expr) -> MapOf:
        match inner:
            case ast.Tuple(elts=[key_node, value_node]):
                pass
            case _:
                hint = "write Map[K, V]"
                raise ProblemError(inner, "Map takes the types of its keys and values", hint=hint)
        key = self._read(key_node)
        if not isinstance(key, Scalar) or key not in _KEYS:
            hint = "a key is an Int, a Bool, an Address, a Bytes or a Str"
            raise ProblemError(key_node, f"{key} cannot be the key of a Map", hint=hint)
        found = MapOf(key, self._read(value_node))
        if _key_count(found) > MAP_KEYS_MAX:
            raise ProblemError(node, f"more than {MAP_KEYS_MAX} Maps in one another")
        return found


def _key_count(found: Type) -> int:
    count = 0
    while isinstance(found, MapOf):
        count += 1
        found = found.value
    return count


def _check_depth(node: ast.expr, found: Type) -> None:
    while isinstance(found, MapOf):
        found = found.value
    if depth(found) > TYPE_DEPTH_MAX:
        message = f"the type is nested more than {TYPE_DEPTH_MAX} deep"
        raise ProblemError(node, message, hint="keep a part of it under a key of its own")
