"""Check `key in map`, `item in list`, `part in text`."""

import ast

from node.vm.lang.errors import Position, ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.references import loaded, refer
from node.vm.lang.scope import Scope
from node.vm.lang.steadiness import is_steady
from node.vm.lang.stored import Reference, Stored
from node.vm.lang.tree import Expression, Literal
from node.vm.lang.types import (
    BOOL_TYPE,
    BYTES_TYPE,
    STR_TYPE,
    ListOf,
    MapOf,
    Scalar,
)
from node.vm.limits import NEEDLE_SIZE_BYTES_MAX
from node.vm.opcodes import Op


def membership(node: ast.Compare, container_node: ast.expr, *, scope: Scope) -> Expression:
    """Return whether the left side of the comparison is in the container."""
    container = refer(container_node, scope)
    if isinstance(container, Stored) and isinstance(container.type, MapOf):
        return _in_map(node, container, container.type, scope=scope)
    return _in_value(node, container_node, container, scope=scope)


def _in_map(node: ast.Compare, stored: Stored, type_: MapOf, *, scope: Scope) -> Expression:
    text = shown(stored.node)
    if isinstance(type_.value, MapOf):
        hint = f"name all keys but the last: k in {text}[key]"
        raise ProblemError(node, "this Map holds Maps, which are always there", hint=hint)
    if isinstance(type_.value, ListOf):
        hint = f"ask for its length: len({text}[key]) > 0"
        raise ProblemError(node, "this Map holds Lists, which are always there", hint=hint)
    key = scope.typed(node.left, type_.key, f"a key of {text}")
    if is_steady(key) and all(map(is_steady, stored.keys)):
        return stored.operation(Op.HAS, BOOL_TYPE, key)
    # The keys that lead to the map are taken first; Python computes the one looked for first.
    return scope.staged(
        key, lambda held: stored.operation(Op.HAS, BOOL_TYPE, held), at=scope.at(node)
    )


def _in_value(
    node: ast.Compare, container_node: ast.expr, container: Reference, *, scope: Scope
) -> Expression:
    whole = loaded(container, scope)
    at = scope.at(node)
    if whole.type in (STR_TYPE, BYTES_TYPE):
        needle = scope.typed(node.left, whole.type, "what is looked for")
        _check_needle(node.left, needle)
        return _looked_for(Op.CONTAINS, whole, needle, scope=scope, at=at)
    if isinstance(whole.type, ListOf):
        item = whole.type.item
        if not isinstance(item, Scalar):
            hint = "write a `for` loop that compares their fields"
            raise ProblemError(node, f"{item} has no ==", hint=hint)
        needle = scope.typed(node.left, item, "what is looked for")
        return _looked_for(Op.LCONTAINS, whole, needle, scope=scope, at=at)
    hint = "write a < x < b" if isinstance(container_node, ast.Call) else ""
    raise ProblemError(container_node, f"{whole.type} has no `in`", hint=hint)


def _looked_for(
    op: Op, whole: Expression, needle: Expression, *, scope: Scope, at: Position
) -> Expression:
    """Return the search; the machine takes the container first, Python the needle."""
    if is_steady(whole) and is_steady(needle):
        return scope.operation(op, BOOL_TYPE, whole, needle, at=at)
    return scope.staged(
        needle, lambda held: scope.operation(op, BOOL_TYPE, whole, held, at=at), at=at
    )


def _check_needle(node: ast.expr, needle: Expression) -> None:
    match needle:
        case Literal(value=str() | bytes() as text) if _size(text) > NEEDLE_SIZE_BYTES_MAX:
            message = f"what is looked for is longer than {NEEDLE_SIZE_BYTES_MAX} bytes"
            raise ProblemError(node, message)
        case _:
            pass


def _size(text: str | bytes) -> int:
    return len(text.encode() if isinstance(text, str) else text)
