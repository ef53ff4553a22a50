"""Change lists: `xs.append(x)`, `xs.clear()`, `xs.pop()`, for values and for stored lists."""

import ast
from dataclasses import replace

from node.vm.lang.changes import as_stored_list, modify, put, type_at
from node.vm.lang.errors import ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.scope import Scope
from node.vm.lang.steadiness import is_steady
from node.vm.lang.tree import (
    Assign,
    Expression,
    Operation,
    Perform,
    Purpose,
    Read,
    Staged,
    Step,
    TakeLast,
)
from node.vm.lang.types import UNIT_TYPE, ListOf
from node.vm.opcodes import Op


def append(owner: ast.expr, node: ast.Call, scope: Scope) -> tuple[Step, ...]:
    """Check `xs.append(x)`."""
    match node:
        case ast.Call(args=[item_node], keywords=[]):
            pass
        case _:
            raise ProblemError(node, "append() takes one argument")
    list_type = _list_type(owner, scope)
    what = f"an item of {shown(owner)}"
    item = scope.typed(item_node, list_type.item, what)
    steps: list[Step] = []
    if not is_steady(item):
        held = scope.hidden(item.type)
        at = scope.at(item_node)
        steps.append(Assign(held, item, at))
        item = Read(held, at)
    stored = as_stored_list(owner, scope)
    if stored is not None:
        steps.append(Perform(stored.operation(Op.SLAPPEND, UNIT_TYPE, item)))
        return tuple(steps)
    at = scope.at(node)
    change = modify(
        owner, lambda old: scope.operation(Op.LAPPEND, list_type, old, item, at=at), scope
    )
    return (*steps, *change)


def clear(owner: ast.expr, node: ast.Call, scope: Scope) -> tuple[Step, ...]:
    """Check `xs.clear()`."""
    if node.args or node.keywords:
        raise ProblemError(node, "clear() takes no arguments")
    list_type = _list_type(owner, scope)
    stored = as_stored_list(owner, scope)
    if stored is not None:
        return (Perform(stored.operation(Op.SLCLEAR, UNIT_TYPE)),)
    empty = Operation(list_type, Op.DEFAULT, (list_type,), (), scope.at(node))
    return put(owner, empty, scope)


def pop(owner: ast.expr, scope: Scope, *, node: ast.Call) -> Expression:
    """Check `xs.pop()`, which is a value and a change."""
    list_type = _list_type(owner, scope)
    stored = as_stored_list(owner, scope)
    if stored is not None:
        return stored.operation(Op.SLPOP, list_type.item)
    item = scope.hidden(list_type.item)
    at = scope.at(node)
    steps = modify(owner, lambda old: TakeLast(list_type, old, item, at), scope)
    # Whoever pops wants the item, and may have no use for the list any more.
    return Staged(tuple(map(_for_its_own_sake, steps)), Read(item, at))


def _for_its_own_sake(step: Step) -> Step:
    return replace(step, purpose=Purpose.ASSIGN) if isinstance(step, Assign) else step


def _list_type(owner: ast.expr, scope: Scope) -> ListOf:
    found = type_at(owner, scope)
    assert isinstance(found, ListOf)
    return found
