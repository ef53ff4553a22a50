"""Check assignments: of new variables, of known ones, and of everything else that has a place."""

import ast

from node.vm.lang.changes import modify, store
from node.vm.lang.errors import ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.operators import arithmetic
from node.vm.lang.references import refer
from node.vm.lang.scope import Scope
from node.vm.lang.stored import Stored
from node.vm.lang.tree import Assign, Expression, Origin, Step
from node.vm.lang.types import UNIT_TYPE, ListOf


def assignment(node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope) -> tuple[Step, ...]:
    """Check `x = value`, `x: Type = value`, `x += value`, and the same for other places."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
            return (_assign(target, name, value, scope),)
        case ast.Assign(targets=[target], value=value):
            return store(target, value, scope)
        case ast.Assign(targets=targets):
            hint = "assign one name in each line"
            raise ProblemError(targets[1], "several targets in one assignment", hint=hint)
        case ast.AnnAssign():
            return (_declaration(node, scope),)
        case ast.AugAssign():
            return _augmented(node, scope)


def _assign(target: ast.Name, name: str, value_node: ast.expr, scope: Scope) -> Step:
    _check_name(target, name, scope)
    with scope.giving_up(name):
        known = scope.variable(name)
        expected = known.type if known is not None else None
        value = scope.value(value_node, expected)
        if value.type is UNIT_TYPE:
            raise ProblemError(value_node, "this returns nothing", hint="leave the name out")
        variable = scope.declare(name, value.type, origin=Origin.ASSIGNED, node=target)
    return Assign(variable, value, scope.at(target))


def _check_name(node: ast.AST, name: str, scope: Scope) -> None:
    declarations = scope.declarations
    if name == "self":
        raise ProblemError(node, "self cannot be assigned", hint="assign a field: self.name = ...")
    if name in declarations.constants:
        hint = "keep what changes in a contract field"
        raise ProblemError(node, f"{name!r} is a constant", hint=hint)
    if name in declarations.records or name in declarations.interfaces:
        raise ProblemError(node, f"{name!r} is a type", hint="take another name")


def _declaration(node: ast.AnnAssign, scope: Scope) -> Step:
    match node.target:
        case ast.Name(id=name):
            _check_name(node.target, name, scope)
        case _:
            hint = "its type stands in the class"
            raise ProblemError(node.target, "only a variable is declared here", hint=hint)
    with scope.giving_up(name):
        type_ = scope.world.types.value(node.annotation)
        if node.value is None:
            hint = f"write {name}: {type_} = zero({type_})"
            raise ProblemError(node, f"{name!r} gets no value", hint=hint)
        value = scope.typed(node.value, type_, repr(name))
        variable = scope.declare(name, type_, origin=Origin.ASSIGNED, node=node)
    return Assign(variable, value, scope.at(node))


def _augmented(node: ast.AugAssign, scope: Scope) -> tuple[Step, ...]:
    target = node.target
    if isinstance(target, ast.Name):
        _check_name(target, target.id, scope)
        variable = scope.variable(target.id)
        if variable is None:
            raise scope.unknown(target, target.id)
    else:
        found = refer(target, scope).type
        if isinstance(found, ListOf) and not isinstance(target, ast.Name):
            _refuse_stored_list(target, scope)

    def change(old: Expression) -> Expression:
        return arithmetic(node, old, scope.value(node.value, old.type), scope=scope)

    return modify(target, change, scope)


def _refuse_stored_list(target: ast.expr, scope: Scope) -> None:
    if isinstance(refer(target, scope), Stored):
        hint = f"write {shown(target)}.append(x)"
        raise ProblemError(target, "a stored list grows by one item at a time", hint=hint)
