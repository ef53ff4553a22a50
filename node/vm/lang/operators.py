"""Check operators: arithmetic, comparison, logic, and the choice between two values."""

import ast
from collections.abc import Sequence
from typing import Final

from node.vm.instruction_set import spec_of
from node.vm.lang.errors import Position, ProblemError
from node.vm.lang.folding import folded
from node.vm.lang.literals import integer
from node.vm.lang.membership import membership
from node.vm.lang.mismatch import conversion_hint, shown
from node.vm.lang.scope import Scope
from node.vm.lang.tree import Assign, Branch, Expression, Literal, Operation, Read, Staged
from node.vm.lang.types import (
    ADDRESS_TYPE,
    BOOL_TYPE,
    BYTES_TYPE,
    FIXED_TYPE,
    INT_TYPE,
    STR_TYPE,
    UNIT_TYPE,
    ListOf,
    OptionOf,
    RecordOf,
    Scalar,
    ValueType,
    with_article,
)
from node.vm.opcodes import Effect, Op

_INT_OPS: Final[dict[type[ast.operator], Op]] = {
    ast.Add: Op.ADD,
    ast.Sub: Op.SUB,
    ast.Mult: Op.MUL,
    ast.FloorDiv: Op.DIV,
    ast.Mod: Op.MOD,
    ast.Pow: Op.POW,
    ast.LShift: Op.SHL,
    ast.RShift: Op.SHR,
    ast.BitAnd: Op.AND,
    ast.BitOr: Op.OR,
    ast.BitXor: Op.XOR,
}
_OPS: Final[dict[Scalar, dict[type[ast.operator], Op]]] = {
    INT_TYPE: _INT_OPS,
    FIXED_TYPE: {ast.Add: Op.ADD, ast.Sub: Op.SUB, ast.Mult: Op.FMUL, ast.Div: Op.FDIV},
    BOOL_TYPE: {ast.BitAnd: Op.AND, ast.BitOr: Op.OR, ast.BitXor: Op.XOR},
    STR_TYPE: {ast.Add: Op.CONCAT},
    BYTES_TYPE: {ast.Add: Op.CONCAT},
}
_SYMBOLS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.MatMult: "@",
}
_EQUALITY: Final[dict[type[ast.cmpop], Op]] = {ast.Eq: Op.EQ, ast.NotEq: Op.NE}
_ORDER: Final[dict[type[ast.cmpop], Op]] = {
    ast.Lt: Op.LT,
    ast.LtE: Op.LE,
    ast.Gt: Op.GT,
    ast.GtE: Op.GE,
}
_ORDERED: Final = (INT_TYPE, FIXED_TYPE, STR_TYPE, BYTES_TYPE)


def binary(node: ast.BinOp, scope: Scope, expected: ValueType | None) -> Expression:
    """Check `left op right`."""
    left = scope.value(node.left, expected)
    right = scope.value(node.right, left.type)
    return arithmetic(node, left, right, scope=scope)


def arithmetic(
    node: ast.BinOp | ast.AugAssign, left: Expression, right: Expression, *, scope: Scope
) -> Expression:
    """Apply the operator of a node to two checked values."""
    symbol = _SYMBOLS[type(node.op)]
    left_node = node.left if isinstance(node, ast.BinOp) else node.target
    right_node = node.right if isinstance(node, ast.BinOp) else node.value
    op = _op_for(left.type, node.op)
    if left.type != right.type and (op is not None or left.type is INT_TYPE):
        message = f"{symbol} between {with_article(left.type)} and {with_article(right.type)}"
        hint = conversion_hint(right_node, right.type, left.type)
        if not hint or right.type is FIXED_TYPE:
            hint = conversion_hint(left_node, left.type, right.type)
        raise ProblemError(node, message, hint=hint)
    if op is None:
        hint = _operator_hint(left.type, node.op, shown(left_node), shown(right_node))
        raise ProblemError(node, f"{left.type} has no {symbol}", hint=hint)
    return folded(node, Operation(left.type, op, (), (left, right), scope.at(node)))


def _op_for(type_: ValueType, op: ast.operator) -> Op | None:
    if isinstance(type_, ListOf):
        return Op.LCONCAT if isinstance(op, ast.Add) else None
    return _OPS.get(type_, {}).get(type(op)) if isinstance(type_, Scalar) else None


def _operator_hint(type_: ValueType, op: ast.operator, left: str, right: str) -> str:
    match type_, op:
        case Scalar.INT, ast.Div():
            return f"{left} // {right} rounds down; Fixed({left}) / Fixed({right}) keeps decimals"
        case Scalar.FIXED, ast.FloorDiv():
            return f"write Fixed(Int({left} / {right}))"
        case Scalar.BOOL, ast.Add():
            return "count with `if`"
        case _:
            return ""


def unary(node: ast.UnaryOp, scope: Scope, expected: ValueType | None) -> Expression:
    """Check `-x`, `+x`, `not x`."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)) if not (
            isinstance(number, bool)
        ):
            return integer(node, -number)
        case ast.UnaryOp(op=ast.Not()):
            operand = condition(node.operand, scope, "what `not` turns round")
            return scope.operation(Op.NOT, BOOL_TYPE, operand, at=scope.at(node))
        case ast.UnaryOp(op=ast.Invert()):
            raise ProblemError(node, "`~` is not part of the language", hint="write -x - 1")
        case _:
            operand = scope.value(node.operand, expected)
    symbol = "-" if isinstance(node.op, ast.USub) else "+"
    if operand.type not in (INT_TYPE, FIXED_TYPE):
        raise ProblemError(node, f"{operand.type} has no {symbol}")
    if symbol == "+":
        return operand
    return folded(node, scope.operation(Op.NEG, operand.type, operand, at=scope.at(node)))


def condition(node: ast.expr, scope: Scope, what: str) -> Expression:
    """Check a value that decides something; Python's truth of other types does not exist."""
    found = scope.value(node)
    if found.type is not BOOL_TYPE:
        message = f"{what} must be a Bool, this is {with_article(found.type)}"
        raise ProblemError(node, message, hint=_truth_hint(found.type, shown(node)))
    return found


def _truth_hint(type_: ValueType, text: str) -> str:
    match type_:
        case Scalar.INT:
            return f"write {text} != 0"
        case Scalar.STR | Scalar.BYTES | ListOf():
            return f"write len({text}) > 0"
        case OptionOf():
            return f"write {text}.is_some()"
        case _:
            return ""


def boolean(node: ast.BoolOp, scope: Scope) -> Expression:
    """Check `a and b or c`; what need not be known is not computed."""
    word = "and" if isinstance(node.op, ast.And) else "or"
    parts = [condition(part, scope, f"each side of `{word}`") for part in node.values]
    at = scope.at(node)
    if all(_is_cheap(part) for part in parts[1:]):
        return joined(Op.AND if word == "and" else Op.OR, parts, at=at)
    answer = scope.hidden(BOOL_TYPE)
    steps: list[Assign | Branch] = [Assign(answer, parts[0], at)]
    for part in parts[1:]:
        test: Expression = Read(answer, at)
        if word == "or":
            test = scope.operation(Op.NOT, BOOL_TYPE, test, at=at)
        steps.append(Branch(test, (Assign(answer, part, at),)))
    return Staged(tuple(steps), Read(answer, at))


def joined(op: Op, parts: Sequence[Expression], *, at: Position) -> Expression:
    """Apply an associative operation to all parts, in order, as a tree without needless depth.

    A chain to the left would be as deep as it is long, and whoever walks it recurses.
    """
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = joined(op, parts[:middle], at=at), joined(op, parts[middle:], at=at)
    return Operation(left.type, op, (), (left, right), at)


def _is_cheap(value: Expression) -> bool:
    """Tell whether computing the value in vain costs less than asking, and cannot trap."""
    match value:
        case Literal() | Read():
            return True
        case Operation(op=op, operands=operands):
            spec = spec_of(op)
            is_quiet = spec.effect is Effect.PURE and not spec.traps and spec.dynamic_gas is None
            is_comparison = op in _COMPARISONS and operands[0].type in (INT_TYPE, FIXED_TYPE)
            is_short = all(isinstance(operand, Literal | Read) for operand in operands)
            return is_short and (is_quiet or is_comparison) and op is not Op.CALL
        case _:
            return False


_COMPARISONS: Final = frozenset({*_EQUALITY.values(), *_ORDER.values()})


def choice(node: ast.IfExp, scope: Scope, expected: ValueType | None) -> Expression:
    """Check `a if test else b`."""
    test = condition(node.test, scope, "the condition")
    yes = scope.value(node.body, expected)
    no = scope.typed(node.orelse, yes.type, "the value after `else`")
    if yes.type is UNIT_TYPE:
        raise ProblemError(node.body, "this returns nothing", hint="write an `if` statement")
    at = scope.at(node)
    answer = scope.hidden(yes.type)
    branch = Branch(test, (Assign(answer, yes, at),), (Assign(answer, no, at),))
    return Staged((branch,), Read(answer, at))


def comparison(node: ast.Compare, scope: Scope) -> Expression:
    """Check `a < b`, `a < b <= c`, `k in m`."""
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn() as op], comparators=[container]):
            found = membership(node, container, scope=scope)
            if isinstance(op, ast.In):
                return found
            return scope.operation(Op.NOT, BOOL_TYPE, found, at=scope.at(node))
        case ast.Compare(ops=[op], comparators=[right_node]):
            left = scope.value(node.left)
            right = scope.value(right_node, left.type)
            return _compared(node, op, left, right, right_node, scope=scope)
        case _:
            return _chain(node, scope)


def _chain(node: ast.Compare, scope: Scope) -> Expression:
    """Check `a < b <= c`: every value is computed once, and none after the first failure."""
    at = scope.at(node)
    simple = _simple_chain(node, scope)
    if simple is not None:
        return simple
    answer = scope.hidden(BOOL_TYPE)
    steps: list[Assign | Branch] = []
    left = scope.value(node.left)
    last = len(node.ops) - 1
    for place, (op, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
        if isinstance(op, ast.In | ast.NotIn):
            raise ProblemError(node, "`in` between other comparisons", hint="join them with `and`")
        right = scope.value(right_node, left.type)
        inner: list[Assign] = []
        if place < last and not isinstance(right, Literal | Read):
            middle = scope.hidden(right.type)
            if place == 0 and not isinstance(left, Literal | Read):
                first = scope.hidden(left.type)
                inner.append(Assign(first, left, at))
                left = Read(first, at)
            inner.append(Assign(middle, right, at))
            right = Read(middle, at)
        result = _compared(node, op, left, right, right_node, scope=scope)
        inner.append(Assign(answer, result, at))
        if place == 0:
            steps.extend(inner)
        else:
            steps.append(Branch(Read(answer, at), tuple(inner)))
        left = right
    return Staged(tuple(steps), Read(answer, at))


def _simple_chain(node: ast.Compare, scope: Scope) -> Expression | None:
    """Return `a < b and b <= c` if computing all of it costs less than branches, else None."""
    parts = [node.left, *node.comparators]
    if not all(isinstance(part, ast.Name | ast.Constant) for part in parts):
        return None
    steps: list[Expression] = []
    for op, left_node, right_node in zip(node.ops, parts, parts[1:], strict=False):
        left = scope.value(left_node)
        right = scope.value(right_node, left.type)
        if left.type not in (INT_TYPE, FIXED_TYPE) or isinstance(op, ast.In | ast.NotIn):
            return None
        steps.append(_compared(node, op, left, right, right_node, scope=scope))
    return joined(Op.AND, steps, at=scope.at(node))


def _compared(
    node: ast.Compare,
    op: ast.cmpop,
    left: Expression,
    right: Expression,
    right_node: ast.expr,
    *,
    scope: Scope,
) -> Expression:
    if isinstance(op, ast.Is | ast.IsNot):
        hint = "compare with == or !="
        raise ProblemError(node, "`is` is not part of the language", hint=hint)
    if left.type != right.type:
        message = f"comparing {with_article(left.type)} with {with_article(right.type)}"
        hint = conversion_hint(right_node, right.type, left.type)
        raise ProblemError(node, message, hint=hint)
    at = scope.at(node)
    equality = _EQUALITY.get(type(op))
    if equality is not None:
        if not isinstance(left.type, Scalar) or left.type is UNIT_TYPE:
            raise ProblemError(node, f"{left.type} has no ==", hint=_equality_hint(left.type))
        return scope.operation(equality, BOOL_TYPE, left, right, at=at)
    if left.type not in _ORDERED:
        hint = "compare Bytes(x)" if left.type is ADDRESS_TYPE else ""
        raise ProblemError(node, f"{left.type} has no order", hint=hint)
    return scope.operation(_ORDER[type(op)], BOOL_TYPE, left, right, at=at)


def _equality_hint(type_: ValueType) -> str:
    match type_:
        case RecordOf():
            return "compare its fields"
        case ListOf():
            return "compare the items in a loop"
        case OptionOf():
            return "use x.is_some(), x.is_none() or x.unwrap()"
        case _:
            return ""
