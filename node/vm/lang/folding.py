"""Compute what is known beforehand, such as `7 * 24 * 3600`, with the machine's own rules."""

import ast
from collections.abc import Callable, Mapping
from typing import Final

from node.vm.lang.errors import ProblemError
from node.vm.lang.literals import FIXED_SCALE
from node.vm.lang.tree import Expression, Literal, Operation
from node.vm.lang.types import FIXED_TYPE, INT_TYPE
from node.vm.limits import CONSTANT_BYTES_MAX, INT_BITS, INT_MAX, INT_MIN, SHIFT_MAX
from node.vm.opcodes import Op

_TWO_NUMBERS: Final[Mapping[Op, Callable[[int, int], int]]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUB: lambda a, b: a - b,
    Op.MUL: lambda a, b: a * b,
    Op.DIV: lambda a, b: a // b,
    Op.MOD: lambda a, b: a % b,
    Op.POW: lambda a, b: a**b,
    Op.SHL: lambda a, b: a << b,
    Op.SHR: lambda a, b: a >> b,
    Op.AND: lambda a, b: a & b,
    Op.OR: lambda a, b: a | b,
    Op.XOR: lambda a, b: a ^ b,
    Op.FMUL: lambda a, b: a * b // FIXED_SCALE,
    Op.FDIV: lambda a, b: a * FIXED_SCALE // b,
}
_DIVISIONS: Final = (Op.DIV, Op.MOD, Op.FDIV)
_SHIFTS: Final = (Op.SHL, Op.SHR)


def folded(node: ast.AST, operation: Operation) -> Expression:
    """Return the value of an operation whose operands are literals, else the operation.

    Raises:
        ProblemError: it would trap each time it runs.
    """
    match operation.operands:
        case (Literal(value=str(left)), Literal(value=str(right))) if operation.op is Op.CONCAT:
            text = left + right
            return operation if _is_long(text.encode()) else Literal(operation.type, text)
        case (Literal(value=bytes(left)), Literal(value=bytes(right))) if operation.op is Op.CONCAT:
            return operation if _is_long(left + right) else Literal(operation.type, left + right)
        case _:
            return _folded_number(node, operation)


def _is_long(raw: bytes) -> bool:
    return len(raw) > CONSTANT_BYTES_MAX


def _folded_number(node: ast.AST, operation: Operation) -> Expression:
    if operation.type not in (INT_TYPE, FIXED_TYPE):
        return operation
    match operation.operands:
        case (Literal(value=int(number)),) if operation.op is Op.NEG:
            result = -number
        case (Literal(value=int(left)), Literal(value=int(right))):
            result = _computed(node, operation.op, left, right)
        case _:
            return operation
    if not INT_MIN <= result <= INT_MAX:
        raise ProblemError(node, f"the result does not fit {operation.type}")
    return Literal(operation.type, result)


def _computed(node: ast.AST, op: Op, left: int, right: int) -> int:
    if op in _DIVISIONS and right == 0:
        raise ProblemError(node, "division by zero")
    if op in _SHIFTS and not 0 <= right <= SHIFT_MAX:
        raise ProblemError(node, f"a shift by {right} bits", hint=f"shift by 0 to {SHIFT_MAX}")
    if op is Op.POW:
        if right < 0:
            raise ProblemError(node, "a negative exponent", hint="divide instead")
        if abs(left) > 1 and right > INT_BITS:
            raise ProblemError(node, "the result does not fit Int")
        if abs(left) <= 1:
            # Only the parity matters, and the exponent may have 256 bits.
            right = right % 2 if right > 1 and left < 0 else min(right, 1)
    return _TWO_NUMBERS[op](left, right)
