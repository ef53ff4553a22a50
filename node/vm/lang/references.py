"""Check what has a place: fields of the contract, entries of maps, items of lists, record fields.

A reference to storage is carried unread until it is clear what is asked of it: its value, its
length, one entry, or a change.
"""

import ast

from node.vm.lang.errors import ProblemError
from node.vm.lang.mismatch import shown
from node.vm.lang.scope import Scope
from node.vm.lang.stored import Reference, Stored
from node.vm.lang.suggest import hint_for
from node.vm.lang.tree import Expression, Literal, Operation
from node.vm.lang.types import (
    BYTES_TYPE,
    INT_TYPE,
    STR_TYPE,
    ListOf,
    MapOf,
    OptionOf,
    RecordOf,
    Scalar,
    Type,
    ValueType,
)
from node.vm.opcodes import Op


def refer(node: ast.expr, scope: Scope) -> Reference:
    """Return the place that an expression names, or its value if it names none in storage.

    The answer is kept: to change a part of a part, its place is asked for several times, and doing
    the work again at each level would take time exponential in the depth.
    """
    known = scope.places.get(node)
    if known is None:
        known = _referred(node, scope)
        scope.places[node] = known
    return known


def _referred(node: ast.expr, scope: Scope) -> Reference:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _field(node, name, scope)
        case ast.Attribute(value=owner_node, attr=name):
            return _part(node, refer(owner_node, scope), name, scope=scope)
        case ast.Subscript(value=owner_node, slice=key_node):
            owner = refer(owner_node, scope)
            if isinstance(owner, Stored):
                return _stored_item(node, owner, key_node, scope=scope)
            return _item(node, owner, key_node, scope=scope)
        case _:
            return scope.value(node)


def attribute(node: ast.Attribute, scope: Scope) -> Expression:
    """Check `self.field` or `record.field`."""
    return loaded(refer(node, scope), scope)


def subscript(node: ast.Subscript, scope: Scope) -> Expression:
    """Check `m[k]`, `xs[i]`, `xs[a:b]`."""
    return loaded(refer(node, scope), scope)


def loaded(reference: Reference, scope: Scope) -> Expression:
    """Return the value at a place."""
    return reference.load() if isinstance(reference, Stored) else reference


def _field(node: ast.Attribute, name: str, scope: Scope) -> Stored:
    if not scope.is_method:
        raise ProblemError(node, "a constant cannot read the contract")
    declarations = scope.declarations
    field = declarations.fields.get(name)
    if field is not None:
        return Stored(field, (), field.type, node, scope.at(node))
    if name in declarations.methods:
        hint = f"call it: self.{name}(...)"
        raise ProblemError(node, f"{name!r} is a method, not a value", hint=hint)
    if name in declarations.faulty:
        raise scope.unknown(node, name)
    hint = hint_for(name, [*declarations.fields, *declarations.methods])
    hint = hint or f"declare it in the class: {name}: Int"
    raise ProblemError(node, f"the contract has no field {name!r}", hint=hint)


def _part(node: ast.Attribute, owner: Reference, name: str, *, scope: Scope) -> Expression:
    if isinstance(owner, Stored) and not isinstance(owner.type, RecordOf):
        raise _no_part(node, owner.type, name)
    value = loaded(owner, scope)
    index, type_ = part_of(node, value.type, name)
    return Operation(type_, Op.FIELD, (index,), (value,), scope.at(node))


def part_of(node: ast.AST, type_: ValueType, name: str) -> tuple[int, ValueType]:
    """Return the place and the type of a field of a record."""
    if not isinstance(type_, RecordOf):
        raise _no_part(node, type_, name)
    found = type_.part(name)
    if found is None:
        hint = hint_for(name, [part.name for part in type_.parts])
        raise ProblemError(node, f"{type_} has no field {name!r}", hint=hint)
    return found


def _no_part(node: ast.AST, type_: Type, name: str) -> ProblemError:
    match type_:
        case OptionOf(item=RecordOf()):
            hint = f"take the value out first: .unwrap().{name}"
        case ListOf():
            hint = "name an item: xs[i]"
        case MapOf():
            hint = "name a key: m[key]"
        case _:
            hint = ""
    return ProblemError(node, f"{type_} has no field {name!r}", hint=hint)


def _stored_item(
    node: ast.Subscript, owner: Stored, key_node: ast.expr, *, scope: Scope
) -> Reference:
    match owner.type:
        case MapOf(key=key_type, value=value_type):
            what = f"the key of {shown(owner.node)}"
            key = scope.typed(_single(key_node, "Map"), key_type, what)
            keys = (*owner.keys, key)
            return Stored(owner.field, keys, value_type, node, scope.at(node))
        case ListOf(item=item_type):
            if isinstance(key_node, ast.Slice):
                hint = "name one item, or load the list first: xs = " + shown(owner.node)
                raise ProblemError(node, "a stored list has no slices", hint=hint)
            index = index_value(key_node, scope)
            return owner.operation(Op.SLGET, item_type, index)
        case _:
            return _item(node, owner.load(), key_node, scope=scope)


def _single(key_node: ast.expr, what: str) -> ast.expr:
    match key_node:
        case ast.Slice():
            raise ProblemError(key_node, f"a {what} has no slices")
        case ast.Tuple(elts=elements):
            keys = "".join(f"[{ast.unparse(element)}]" for element in elements[:3])
            raise ProblemError(key_node, f"a {what} takes one key", hint=f"write m{keys}")
        case _:
            return key_node


def _item(
    node: ast.Subscript, owner: Expression, key_node: ast.expr, *, scope: Scope
) -> Expression:
    if isinstance(key_node, ast.Slice):
        return _slice(node, owner, key_node, scope=scope)
    at = scope.at(node)
    match owner.type:
        case ListOf(item=item_type):
            index = index_value(key_node, scope)
            return scope.operation(Op.LGET, item_type, owner, index, at=at)
        case Scalar.BYTES:
            index = index_value(key_node, scope)
            return scope.operation(Op.BYTE_AT, INT_TYPE, owner, index, at=at)
        case Scalar.STR:
            hint = "cut out a part: text[i:i + 1]"
            raise ProblemError(node, "Str has no single characters", hint=hint)
        case OptionOf():
            hint = "take the value out first: .unwrap()[...]"
            raise ProblemError(node, f"{owner.type} has no items", hint=hint)
        case _:
            raise ProblemError(node, f"{owner.type} has no items")


def index_value(node: ast.expr, scope: Scope) -> Expression:
    """Check the place of an item, which counts from 0 and never from the end."""
    index = scope.typed(_single(node, "List"), INT_TYPE, "the place of an item")
    match index:
        case Literal(value=int(number)) if number < 0:
            hint = f"count from the end with xs[len(xs) - {-number}]"
            raise ProblemError(node, "a place below zero", hint=hint)
        case _:
            return index


def _slice(node: ast.Subscript, owner: Expression, part: ast.Slice, *, scope: Scope) -> Expression:
    if part.step is not None:
        raise ProblemError(part.step, "a slice has no step", hint="write a `for` loop")
    if isinstance(owner.type, ListOf):
        slice_op, length_op = Op.LSLICE, Op.LLEN
    elif owner.type in (BYTES_TYPE, STR_TYPE):
        slice_op, length_op = Op.SLICE, Op.LEN
    else:
        raise ProblemError(node, f"{owner.type} has no parts to cut out")
    at = scope.at(node)
    lower = Literal(INT_TYPE, 0) if part.lower is None else index_value(part.lower, scope)
    if part.upper is not None:
        upper = index_value(part.upper, scope)
        return scope.operation(slice_op, owner.type, owner, lower, upper, at=at)

    def cut(whole: Expression) -> Expression:
        length = scope.operation(length_op, INT_TYPE, whole, at=at)
        return scope.operation(slice_op, owner.type, whole, lower, length, at=at)

    return scope.staged(owner, cut, at=at)
