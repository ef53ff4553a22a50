"""Change what has a place: variables, fields, entries, items, and parts of these however deep.

Values never share parts, so to change a part of a value is to read the whole, make it anew with the
part changed, and put it back: `modify` does this from the outside in.
"""

import ast
from collections.abc import Callable
from typing import TypeAlias

from node.vm.lang.errors import ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.references import index_value, part_of, refer
from node.vm.lang.scope import Scope
from node.vm.lang.steadiness import is_steady
from node.vm.lang.stored import Stored
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
from node.vm.lang.types import (
    UNIT_TYPE,
    ListOf,
    MapOf,
    Scalar,
    ValueType,
)
from node.vm.opcodes import Op

Change: TypeAlias = Callable[[Expression], Expression]
"""From the value that is there to the one that shall be; called once."""


def store(target: ast.expr, value_node: ast.expr, scope: Scope) -> tuple[Step, ...]:
    """Check `target = value`, where the target is no plain variable."""
    match target:
        case ast.Attribute() | ast.Subscript():
            type_ = _target_type(target, scope)
        case ast.Tuple() | ast.List():
            hint = "assign one name in each line"
            raise ProblemError(target, "several names at once cannot be assigned", hint=hint)
        case _:
            raise _no_target(target)
    what = f"{shown(target)}" if shown(target) != "x" else "this place"
    value = scope.typed(value_node, type_, what)
    steps: list[Step] = []
    if not is_steady(value) or _has_call(target):
        # Python computes the value before it looks at the place, and a call may change the place.
        held = scope.hidden(value.type)
        at = scope.at(value_node)
        steps.append(Assign(held, value, at))
        value = Read(held, at)
    return (*steps, *put(target, value, scope))


def modify(target: ast.expr, change: Change, scope: Scope) -> tuple[Step, ...]:
    """Put a changed value where the old one was."""
    at = scope.at(target)
    match target:
        case ast.Name(id=name):
            variable = scope.variable(name)
            # Its type was asked for before, so it is known; a constant has no parts.
            assert variable is not None
            is_whole = isinstance(variable.type, Scalar)
            purpose = Purpose.ASSIGN if is_whole else Purpose.CHANGE
            return (Assign(variable, change(Read(variable, at)), at, purpose),)
        case ast.Attribute(value=ast.Name(id="self")):
            return _modify_stored(_stored(target, scope), change, scope)
        case ast.Attribute(value=owner, attr=name):
            return modify(owner, lambda old: _with_part(target, name, old, change, scope), scope)
        case ast.Subscript(value=owner_node, slice=key_node):
            return _modify_item(target, owner_node, key_node, change, scope=scope)
        case _:
            raise _no_target(target)


def delete(target: ast.expr, scope: Scope) -> tuple[Step, ...]:
    """Check `del self.m[k]`."""
    match target:
        case ast.Subscript():
            found = refer(target, scope)
        case ast.Name(id=name):
            hint = "a variable ends with its method"
            raise ProblemError(target, f"`del {name}` has no meaning", hint=hint)
        case _:
            hint = f"write {shown(target)} = zero({refer(target, scope).type})"
            raise ProblemError(target, "`del` removes entries of Maps only", hint=hint)
    if isinstance(found, Stored):
        if isinstance(found.type, MapOf):
            hint = f"name all keys: del {shown(target)}[key]"
            raise ProblemError(target, "this is not one entry but a Map", hint=hint)
        op = Op.SLCLEAR if isinstance(found.type, ListOf) else Op.REMOVE
        return (Perform(found.operation(op, UNIT_TYPE)),)
    hint = "move the last item into its place, then pop()"
    raise ProblemError(target, "`del` removes entries of Maps only", hint=hint)


def put(target: ast.expr, value: Expression, scope: Scope) -> tuple[Step, ...]:
    """Put a checked value in the place of whatever is there, without reading it."""
    at = scope.at(target)
    match target:
        case ast.Name():
            return modify(target, lambda _: value, scope)
        case ast.Attribute(value=ast.Name(id="self")):
            return _put_stored(_stored(target, scope), value, scope)
        case ast.Attribute(value=owner, attr=name):

            def with_part(old: Expression) -> Expression:
                index, _ = part_of(target, old.type, name)
                return Operation(old.type, Op.WITH, (index,), (old, value), at)

            return modify(owner, with_part, scope)
        case ast.Subscript(value=owner_node, slice=key_node):
            return _put_item(target, owner_node, key_node, value, scope=scope)
        case _:
            raise _no_target(target)


def _put_stored(place: Stored, value: Expression, scope: Scope) -> tuple[Step, ...]:
    match place.type:
        case MapOf():
            hint = f"assign one entry: {shown(place.node)}[key] = ..."
            raise ProblemError(place.node, "a Map cannot be assigned", hint=hint)
        case ListOf():
            text = shown(place.node)
            hint = f"write {text}.clear(), then {text}.append(x) in a loop"
            raise ProblemError(place.node, "a stored list cannot be assigned", hint=hint)
        case _:
            return (Perform(place.operation(Op.STORE, UNIT_TYPE, value)),)


def _put_item(
    target: ast.Subscript,
    owner_node: ast.expr,
    key_node: ast.expr,
    value: Expression,
    *,
    scope: Scope,
) -> tuple[Step, ...]:
    _refuse_slice(key_node)
    owner_type = type_at(owner_node, scope)
    place = refer(target, scope) if isinstance(owner_type, MapOf) else None
    if isinstance(place, Stored):
        return _put_stored(place, value, scope)
    at = scope.at(target)
    index = index_value(key_node, scope)
    stored = as_stored_list(owner_node, scope)
    if stored is not None:
        operation = stored.operation(Op.SLSET, UNIT_TYPE, index, value)
        return (Perform(operation),)
    _check_items(target, owner_type)
    steps, index = _settled(index, scope, node=key_node)
    change = modify(
        owner_node, lambda old: scope.operation(Op.LSET, old.type, old, index, value, at=at), scope
    )
    return (*steps, *change)


def _modify_item(
    target: ast.Subscript,
    owner_node: ast.expr,
    key_node: ast.expr,
    change: Change,
    *,
    scope: Scope,
) -> tuple[Step, ...]:
    _refuse_slice(key_node)
    owner_type = type_at(owner_node, scope)
    place = refer(target, scope) if isinstance(owner_type, MapOf) else None
    if isinstance(place, Stored):
        return _modify_stored(place, change, scope)
    at = scope.at(target)
    steps, index = _settled(index_value(key_node, scope), scope, node=key_node)
    stored = as_stored_list(owner_node, scope)
    if stored is not None:
        key_steps, stored = with_settled_keys(stored, scope)
        assert isinstance(stored.type, ListOf)
        old = stored.operation(Op.SLGET, stored.type.item, index)
        operation = stored.operation(Op.SLSET, UNIT_TYPE, index, change(old))
        return (*key_steps, *steps, Perform(operation))
    _check_items(target, owner_type)

    def with_item(old: Expression) -> Expression:
        assert isinstance(old.type, ListOf)
        item_type = old.type.item

        def changed(whole: Expression) -> Expression:
            item = scope.operation(Op.LGET, item_type, whole, index, at=at)
            return scope.operation(Op.LSET, whole.type, whole, index, change(item), at=at)

        return scope.staged(old, changed, at=at)

    return (*steps, *modify(owner_node, with_item, scope))


def _modify_stored(place: Stored, change: Change, scope: Scope) -> tuple[Step, ...]:
    if isinstance(place.type, MapOf | ListOf):
        # Raises: neither can be assigned as a whole.
        return _put_stored(place, place.operation(Op.UNIT, UNIT_TYPE), scope)
    steps, place = with_settled_keys(place, scope)
    value = change(place.load())
    return (*steps, Perform(place.operation(Op.STORE, UNIT_TYPE, value)))


def _with_part(
    target: ast.Attribute, name: str, old: Expression, change: Change, scope: Scope
) -> Expression:
    index, type_ = part_of(target, old.type, name)
    at = scope.at(target)

    def changed(whole: Expression) -> Expression:
        part = Operation(type_, Op.FIELD, (index,), (whole,), at)
        return Operation(whole.type, Op.WITH, (index,), (whole, change(part)), at)

    return scope.staged(old, changed, at=at)


def with_settled_keys(place: Stored, scope: Scope) -> tuple[tuple[Step, ...], Stored]:
    """Compute the keys of a place once, since it is read and written."""
    steps: list[Step] = []
    keys: list[Expression] = []
    for key in place.keys:
        key_steps, settled = _settled(key, scope, node=place.node)
        steps.extend(key_steps)
        keys.append(settled)
    return tuple(steps), Stored(place.field, tuple(keys), place.type, place.node, place.at)


def _settled(
    value: Expression, scope: Scope, *, node: ast.AST
) -> tuple[tuple[Step, ...], Expression]:
    if isinstance(value, Read) or (isinstance(value, Operation) and not value.operands):
        return (), value
    if not isinstance(value, Operation | Staged | TakeLast):
        return (), value
    held = scope.hidden(value.type)
    at = scope.at(node)
    return (Assign(held, value, at),), Read(held, at)


def _target_type(target: ast.expr, scope: Scope) -> ValueType:
    found = type_at(target, scope)
    if isinstance(found, MapOf):
        hint = f"assign one entry: {shown(target)}[key] = ..."
        raise ProblemError(target, "a Map cannot be assigned", hint=hint)
    return found


def type_at(node: ast.expr, scope: Scope) -> ValueType | MapOf:
    """Return the type of what a place holds."""
    return refer(node, scope).type


def as_stored_list(node: ast.expr, scope: Scope) -> Stored | None:
    """Return the stored list that an expression names, None if it names none."""
    found = refer(node, scope)
    return found if isinstance(found, Stored) and isinstance(found.type, ListOf) else None


def _stored(target: ast.expr, scope: Scope) -> Stored:
    found = refer(target, scope)
    assert isinstance(found, Stored)
    return found


def _check_items(node: ast.AST, type_: ValueType | MapOf) -> None:
    if isinstance(type_, ListOf):
        return
    hint = "make a new one with + and slices" if type_ in (Scalar.BYTES, Scalar.STR) else ""
    raise ProblemError(node, f"the items of {type_} cannot be assigned", hint=hint)


def _refuse_slice(node: ast.expr) -> None:
    if isinstance(node, ast.Slice):
        raise ProblemError(node, "a slice cannot be assigned", hint="assign its items in a loop")


def _has_call(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _no_target(node: ast.expr) -> ProblemError:
    match node:
        case ast.Starred():
            return ProblemError(node, "`*` has no meaning here")
        case _:
            hint = "give the value a name, change it, and store it"
            return ProblemError(node, "this is not a place that can change", hint=hint)
