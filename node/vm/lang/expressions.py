"""Check expressions: find the rule for each kind of syntax."""

import ast
from typing import Final

from node.vm.lang.calls import call
from node.vm.lang.errors import ProblemError
from node.vm.lang.forbidden import forbidden
from node.vm.lang.literals import constant
from node.vm.lang.operators import binary, boolean, choice, comparison, unary
from node.vm.lang.references import attribute, subscript
from node.vm.lang.scope import Scope
from node.vm.lang.tree import Expression, Operation, Read
from node.vm.lang.types import UNIT_TYPE, ListOf, OptionOf, ValueType
from node.vm.opcodes import Op

# A list is built on the stack, which holds 64 values.
LIST_LITERAL_MAX: Final = 48


def lower(node: ast.expr, scope: Scope, expected: ValueType | None) -> Expression:
    """Check an expression and return what it computes.

    Args:
        node: what the source says.
        scope: of the method that says it.
        expected: the type that is wanted, for what has no type by itself; no promise to have it.

    Raises:
        ProblemError: it is not part of the language, or its types do not fit.
    """
    match node:
        case ast.Name(id=name):
            return _name(node, name, scope, expected)
        case ast.Constant():
            return constant(node)
        case ast.List():
            return _list(node, scope, expected)
        case _:
            return _joined(node, scope, expected)


def _joined(node: ast.expr, scope: Scope, expected: ValueType | None) -> Expression:
    match node:
        case ast.BinOp():
            return binary(node, scope, expected)
        case ast.BoolOp():
            return boolean(node, scope)
        case ast.UnaryOp():
            return unary(node, scope, expected)
        case ast.Compare():
            return comparison(node, scope)
        case ast.IfExp():
            return choice(node, scope, expected)
        case _:
            return _referring(node, scope, expected)


def _referring(node: ast.expr, scope: Scope, expected: ValueType | None) -> Expression:
    match node:
        case ast.Call():
            return call(node, scope, expected)
        case ast.Attribute():
            return attribute(node, scope)
        case ast.Subscript():
            return subscript(node, scope)
        case _:
            raise forbidden(node)


def _name(node: ast.Name, name: str, scope: Scope, expected: ValueType | None) -> Expression:
    variable = scope.variable(name)
    if variable is not None:
        return Read(variable, scope.at(node))
    constant_value = scope.declarations.constants.get(name)
    if constant_value is not None:
        return constant_value
    if name == "none":
        return _none(node, scope, expected)
    if name == "self":
        hint = "name one of its fields: self.total; the contract's address is self_address()"
        raise ProblemError(node, "self is not a value", hint=hint)
    known = scope.declarations
    if name in known.records or name in known.interfaces:
        rest = "address).method(...)" if name in known.interfaces else "...)"
        raise ProblemError(node, f"{name!r} is a type, not a value", hint=f"write {name}({rest}")
    raise scope.unknown(node, name)


def _none(node: ast.Name, scope: Scope, expected: ValueType | None) -> Expression:
    match expected:
        case OptionOf():
            return Operation(expected, Op.NONE, (expected,), (), scope.at(node))
        case None:
            hint = "give the variable a type: x: Option[Int] = none"
            raise ProblemError(node, "the type of none is not known here", hint=hint)
        case _:
            message = f"none is an Option, here stands {expected}"
            raise ProblemError(node, message, hint=f"zero({expected}) is its zero value")


def _list(node: ast.List, scope: Scope, expected: ValueType | None) -> Expression:
    item = expected.item if isinstance(expected, ListOf) else None
    if len(node.elts) > LIST_LITERAL_MAX:
        message = f"a list of {len(node.elts)} written items"
        raise ProblemError(node, message, hint=f"write at most {LIST_LITERAL_MAX}, append the rest")
    items: list[Expression] = []
    for element in node.elts:
        if item is None:
            items.append(scope.value(element))
            item = items[0].type
            _check_item(element, item)
        else:
            items.append(scope.typed(element, item, "an item of this list"))
    if item is None:
        hint = "give the variable a type: xs: List[Int] = []"
        raise ProblemError(node, "the type of the empty list is not known here", hint=hint)
    type_ = ListOf(item)
    return Operation(type_, Op.LIST, (len(items), type_), tuple(items), scope.at(node))


def _check_item(node: ast.expr, item: ValueType) -> None:
    if item is UNIT_TYPE:
        raise ProblemError(node, "this returns nothing", hint="a list holds values")
