"""Check the methods that values have: `m.get(k)`, `o.unwrap()`, `xs.pop()`, and what they lack."""

import ast
from typing import TYPE_CHECKING, Final

from node.vm.lang.errors import ProblemError
from node.vm.lang.list_changes import pop
from node.vm.lang.mismatch import shown
from node.vm.lang.references import loaded, refer
from node.vm.lang.scope import Scope
from node.vm.lang.stored import Reference, Stored
from node.vm.lang.tree import Expression, Operation
from node.vm.lang.types import (
    BOOL_TYPE,
    ListOf,
    MapOf,
    OptionOf,
    RecordOf,
    Scalar,
    Type,
)
from node.vm.opcodes import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIST_HINTS: Final = {
    "sort": "write xs = sorted(xs)",
    "reverse": "write a `for` loop over range(len(xs) - 1, -1, -1)",
    "extend": "write xs += ys",
    "insert": "write xs = xs[:i] + [x] + xs[i:]",
    "remove": "write a `for` loop that keeps the others",
    "index": "write a `for` loop",
    "count": "write a `for` loop",
    "copy": "every assignment copies",
}
_TEXT_HINTS: Final = {
    "format": 'join with +: "round " + Str(n)',
    "join": "join with + in a `for` loop",
    "encode": "write Bytes(text)",
    "startswith": "write text[:n] == part",
    "endswith": "write text[len(text) - n:] == part",
    "find": "`part in text` tells whether it is there",
    "decode": "text is made where the contract is called",
    "hex": "bytes are shown as hexadecimal where the contract is called",
}
_MAP_HINTS: Final = {
    "keys": "a Map does not know its keys; keep a List of them beside it",
    "values": "a Map does not know its keys; keep a List of them beside it",
    "items": "a Map does not know its keys; keep a List of them beside it",
    "pop": "read the value, then `del` it",
    "setdefault": "an absent key reads as the zero value",
    "update": "assign every key",
    "append": "name a key: m[key].append(x)",
    "clear": "a Map does not know its keys; `del` the ones you know",
}
_OPTION_HINTS: Final = {"value": "write .unwrap()", "get": "write .unwrap_or(other)"}
_MONEY_HINTS: Final = {"transfer": "write transfer(to, amount)", "balance": "write balance(a)"}


def value_method(node: ast.Call, func: ast.Attribute, scope: Scope) -> Expression:
    """Check a call of a method of a value."""
    name = func.attr
    owner = refer(func.value, scope)
    if isinstance(owner.type, MapOf):
        assert isinstance(owner, Stored)
        if name == "get":
            return _get(node, owner, owner.type, scope=scope)
    elif isinstance(owner.type, OptionOf):
        if name in _OPTION_METHODS:
            return _option_method(node, name, owner, owner.type, scope=scope)
    elif isinstance(owner.type, ListOf):
        if name == "pop":
            _take_arguments(node, name, count=0)
            return pop(func.value, scope, node=node)
        if name in {"append", "clear"}:
            hint = "give it a line of its own"
            raise ProblemError(node, f"{name}() has no value", hint=hint)
    raise _no_method(node, owner.type, name)


def _no_method(node: ast.Call, type_: Type, name: str) -> ProblemError:
    hints: Mapping[str, str] = {}
    match type_:
        case ListOf():
            hints = _LIST_HINTS
        case MapOf():
            hints = _MAP_HINTS
        case OptionOf():
            hints = _OPTION_HINTS
        case Scalar.STR | Scalar.BYTES:
            hints = _TEXT_HINTS
        case Scalar.ADDRESS:
            hints = {
                **_MONEY_HINTS,
                name: "declare the other contract as an Interface: Name(address)." + name + "(...)",
                **_MONEY_HINTS,
            }
        case RecordOf():
            hints = {name: "a record has no methods; make it a method of the contract"}
        case _:
            pass
    return ProblemError(node, f"{type_} has no method {name!r}", hint=hints.get(name, ""))


def _get(node: ast.Call, owner: Stored, type_: MapOf, *, scope: Scope) -> Expression:
    if isinstance(type_.value, MapOf | ListOf):
        hint = "name all keys, then len() or an item"
        raise ProblemError(node, "get() is for Maps that hold single values", hint=hint)
    match node:
        case ast.Call(args=[key_node, *rest], keywords=[]) if len(rest) <= 1:
            pass
        case _:
            raise ProblemError(node, "get() takes a key", hint="write m.get(key)")
    key = scope.typed(key_node, type_.key, f"the key of {shown(owner.node)}")
    option = OptionOf(type_.value)
    found = owner.operation(Op.LOAD_OPTION, option, key, immediates=(option,))
    if not rest:
        return found
    other = scope.typed(rest[0], type_.value, "the value in place of an absent one")
    return scope.operation(Op.UNWRAP_OR, type_.value, found, other, at=scope.at(node))


_OPTION_METHODS: Final = ("unwrap", "unwrap_or", "is_some", "is_none")


def _option_method(
    node: ast.Call, name: str, owner: Reference, type_: OptionOf, *, scope: Scope
) -> Expression:
    option = loaded(owner, scope)
    at = scope.at(node)
    if name == "unwrap_or":
        _take_arguments(node, name, count=1)
        other = scope.typed(node.args[0], type_.item, "the value in place of an absent one")
        return Operation(type_.item, Op.UNWRAP_OR, (), (option, other), at)
    _take_arguments(node, name, count=0)
    if name == "unwrap":
        return Operation(type_.item, Op.UNWRAP, (), (option,), at)
    is_some = Operation(BOOL_TYPE, Op.IS_SOME, (), (option,), at)
    if name == "is_some":
        return is_some
    return Operation(BOOL_TYPE, Op.NOT, (), (is_some,), at)


def _take_arguments(node: ast.Call, name: str, *, count: int) -> None:
    if len(node.args) != count or node.keywords:
        takes = "one argument" if count else "no arguments"
        raise ProblemError(node, f"{name}() takes {takes}")
