"""Check calls: of built-in functions, records, own methods, other contracts, methods of values."""

import ast
from collections.abc import Callable
from typing import Final, TypeAlias

from node.vm.lang import literals
from node.vm.lang.arguments import arguments
from node.vm.lang.builtins import ADDRESS_LITERAL, BUILTINS, CONVERSIONS, FIXED_LITERAL, Builtin
from node.vm.lang.errors import ProblemError
from node.vm.lang.events import emit, schedule
from node.vm.lang.invocations import invocation, own_call
from node.vm.lang.mismatch import conversion_hint, shown
from node.vm.lang.operators import joined
from node.vm.lang.references import loaded, refer
from node.vm.lang.scope import Scope
from node.vm.lang.stored import Stored
from node.vm.lang.tree import Expression, Operation
from node.vm.lang.types import (
    BYTES_TYPE,
    FIXED_TYPE,
    INT_TYPE,
    STR_TYPE,
    UNIT_TYPE,
    ListOf,
    MapOf,
    OptionOf,
    ValueType,
    with_article,
)
from node.vm.lang.value_methods import value_method
from node.vm.opcodes import Op

Rule: TypeAlias = Callable[[ast.Call, Scope, ValueType | None], Expression]


def call(node: ast.Call, scope: Scope, expected: ValueType | None) -> Expression:
    """Check a call."""
    match node.func:
        case ast.Name(id=name):
            return _named(node, name, scope, expected)
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if (
            name not in scope.declarations.fields
        ):
            return own_call(node, name, scope)
        case ast.Attribute(value=ast.Call(func=ast.Name(id=name)) as target) if (
            name in scope.declarations.interfaces
        ):
            return invocation(node, target, scope)
        case ast.Attribute():
            return value_method(node, node.func, scope)
        case _:
            raise ProblemError(node, "this cannot be called")


def _named(node: ast.Call, name: str, scope: Scope, expected: ValueType | None) -> Expression:
    if scope.variable(name) is not None:
        hint = "rename it to call the function" if name in BUILTINS or name in _RULES else ""
        raise ProblemError(node, f"{name!r} is a variable here", hint=hint)
    record = scope.declarations.records.get(name)
    if record is not None:
        if node.args:
            hint = f"write {name}({record.parts[0].name}=..., ...)"
            raise ProblemError(node.args[0], "the fields of a record are given by name", hint=hint)
        given = arguments(node, record.parts, scope=scope, what=name)
        made = Operation(record, Op.RECORD, (record,), given.values, scope.at(node))
        return given.before(made)
    rule = _RULES.get(name)
    if rule is not None:
        return rule(node, scope, expected)
    rows = BUILTINS.get(name) or CONVERSIONS.get(name)
    if rows is not None:
        return _builtin(node, name, rows, scope=scope)
    raise _not_a_function(node, name, scope)


def _not_a_function(node: ast.Call, name: str, scope: Scope) -> ProblemError:
    if name in scope.declarations.interfaces:
        hint = f"call one of its methods: {name}(address).method(...)"
        return ProblemError(node, f"{name} is another contract, not a value", hint=hint)
    if name in scope.declarations.constants:
        return ProblemError(node, f"{name!r} is a constant, not a function")
    if name == "range":
        hint = "write: for i in range(n):"
        return ProblemError(node, "range stands in a `for` line only", hint=hint)
    if name in {"require", "fail"}:
        return ProblemError(node, f"{name}(...) has no value", hint="give it a line of its own")
    if name in {"Bool", "List", "Option", "Map"}:
        return ProblemError(node, f"nothing can be turned into a {name}")
    return scope.unknown(node.func, name)


def _builtin(node: ast.Call, name: str, rows: tuple[Builtin, ...], *, scope: Scope) -> Expression:
    if name == "value" and not scope.takes_money:
        hint = "mark the method with @payable if it takes money"
        raise ProblemError(node, "value() is always 0 here", hint=hint)
    row, ready = rows[0], dict[ast.expr, Expression]()
    if len(rows) > 1:
        first = _first_argument(node, name, rows[0])
        # Only what has no type by itself is told one, since another row may fit too.
        is_empty = isinstance(first, ast.List) and not first.elts
        ready[first] = scope.value(first, rows[0].params[0].type if is_empty else None)
        row = _row_for(first, name, rows, found=ready[first].type)
    given = arguments(node, row.params, scope=scope, what=f"{name}()", ready=ready)
    at = scope.at(node)
    return given.before(Operation(row.result, row.op, row.immediates, given.values, at))


def _first_argument(node: ast.Call, name: str, row: Builtin) -> ast.expr:
    named = [keyword.value for keyword in node.keywords if keyword.arg == row.params[0].name]
    match [*node.args[:1], *named]:
        case [first, *_]:
            return first
        case _:
            raise ProblemError(node, f"{name}() lacks its argument")


def _row_for(first: ast.expr, name: str, rows: tuple[Builtin, ...], *, found: ValueType) -> Builtin:
    """Choose the signature by the type of the first argument."""
    for row in rows:
        if row.params[0].type == found:
            return row
    if name in CONVERSIONS and str(found) == name:
        message = f"this is {with_article(found)} already"
        raise ProblemError(first, message, hint=f"write {shown(first)}")
    wanted = [with_article(row.params[0].type) for row in rows]
    takes = " or ".join([", ".join(wanted[:-1]), wanted[-1]])
    hint = conversion_hint(first, found, rows[0].params[0].type)
    raise ProblemError(first, f"{name}() takes {takes}, this is {with_article(found)}", hint=hint)


def _len(node: ast.Call, scope: Scope, _: ValueType | None) -> Expression:
    argument = _only_argument(node, "len")
    found = refer(argument, scope)
    if isinstance(found, Stored) and isinstance(found.type, ListOf):
        return found.operation(Op.SLLEN, INT_TYPE)
    if isinstance(found, Stored) and isinstance(found.type, MapOf):
        hint = "count in a field of its own what you add and remove"
        raise ProblemError(argument, "a Map does not know its length", hint=hint)
    value = loaded(found, scope)
    if isinstance(value.type, ListOf):
        return scope.operation(Op.LLEN, INT_TYPE, value, at=scope.at(node))
    if value.type in (STR_TYPE, BYTES_TYPE):
        return scope.operation(Op.LEN, INT_TYPE, value, at=scope.at(node))
    raise ProblemError(argument, f"{value.type} has no length")


def _extreme(node: ast.Call, scope: Scope, expected: ValueType | None) -> Expression:
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    if node.keywords:
        raise ProblemError(node.keywords[0], f"{name}() takes no names")
    values: list[Expression] = []
    for argument in node.args:
        wanted = values[0].type if values else expected
        values.append(scope.value(argument, wanted))
        if isinstance(values[0].type, ListOf):
            place = "0" if name == "min" else "len(xs) - 1"
            hint = f"sort it first: xs = sorted({shown(argument)}), then xs[{place}]"
            raise ProblemError(argument, f"{name}() takes numbers, not a List", hint=hint)
        scope.check_type(argument, values[-1].type, values[0].type, f"each number of {name}()")
    if len(values) < 2:
        raise ProblemError(node, f"{name}() takes two numbers or more")
    if values[0].type not in (INT_TYPE, FIXED_TYPE):
        raise ProblemError(node.args[0], f"{name}() takes numbers, not {values[0].type}")
    op = Op.MIN if name == "min" else Op.MAX
    return joined(op, values, at=scope.at(node))


def _some(node: ast.Call, scope: Scope, expected: ValueType | None) -> Expression:
    argument = _only_argument(node, "some")
    wanted = expected.item if isinstance(expected, OptionOf) else None
    value = scope.value(argument, wanted)
    if value.type is UNIT_TYPE:
        raise ProblemError(argument, "this returns nothing", hint="an Option holds a value")
    type_ = OptionOf(value.type)
    return Operation(type_, Op.SOME, (type_,), (value,), scope.at(node))


def _zero(node: ast.Call, scope: Scope, _: ValueType | None) -> Expression:
    type_ = scope.world.types.value(_only_argument(node, "zero"))
    return Operation(type_, Op.DEFAULT, (type_,), (), scope.at(node))


def _only_argument(node: ast.Call, name: str) -> ast.expr:
    match node:
        case ast.Call(args=[argument], keywords=[]):
            return argument
        case _:
            raise ProblemError(node, f"{name}() takes one argument")


def _fixed(node: ast.Call, _: Scope, __: ValueType | None) -> Expression:
    return literals.fixed(node)


def _address(node: ast.Call, _: Scope, __: ValueType | None) -> Expression:
    return literals.address(node)


_RULES: Final[dict[str, Rule]] = {
    "len": _len,
    "min": _extreme,
    "max": _extreme,
    "some": _some,
    "zero": _zero,
    FIXED_LITERAL: _fixed,
    ADDRESS_LITERAL: _address,
    "emit": emit,
    "schedule": schedule,
}
