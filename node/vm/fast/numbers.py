"""ADD to NOT, written into the line where they stand; the checks are those of the operations."""

from collections.abc import Callable
from typing import Final

from node.vm.fast.emitter import Emitter, Expression
from node.vm.gas import DYNAMIC_GAS
from node.vm.limits import INT_MAX, INT_MIN, SHIFT_MAX
from node.vm.opcodes import Op
from node.vm.operations.numbers import FIXED_SCALE
from node.vm.types import BYTES, STR
from node.vm.verified import Instruction

Translation = Callable[[Emitter, Instruction], None]

_TOO_GREAT: Final = f"if {{0}} > {INT_MAX}: trap_overflow(m, g)"
_TOO_SMALL: Final = f"if {{0}} < {INT_MIN}: trap_overflow(m, g)"
_UNFIT: Final = f"if not {INT_MIN} <= {{0}} <= {INT_MAX}: trap_overflow(m, g)"
_COMPARE: Final = DYNAMIC_GAS["EQ"]
_COMPARED: Final = {Op.EQ: "==", Op.NE: "!=", Op.LT: "<", Op.LE: "<=", Op.GT: ">", Op.GE: ">="}
_BITWISE: Final = {Op.AND: "&", Op.OR: "|", Op.XOR: "^"}


def _push_checked(emitter: Emitter, text: str, check: str = _UNFIT) -> None:
    result = emitter.assign(text)
    emitter.line(check.format(result.text))
    emitter.stack.append(result)


def _add(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    _push_checked(emitter, f"{a.text} + {b.text}", _check_of_sum(a, b))


def _check_of_sum(a: Expression, b: Expression) -> str:
    """With one number known, the sum can leave the range at one end only."""
    known = a.literal if a.literal is not None else b.literal
    if known is None:
        return _UNFIT
    return _TOO_GREAT if known >= 0 else _TOO_SMALL


def _subtract(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    check = _UNFIT
    if b.literal is not None:
        check = _TOO_SMALL if b.literal >= 0 else _TOO_GREAT
    _push_checked(emitter, f"{a.text} - {b.text}", check)


def _multiply(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    _push_checked(emitter, f"{a.text} * {b.text}")


def _refuse_zero(emitter: Emitter, divisor: Expression) -> None:
    if divisor.literal is None:
        emitter.line(f"if {divisor.text} == 0: trap_division(m, g)")
    elif divisor.literal == 0:
        emitter.line("trap_division(m, g)")


def _divide(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    _refuse_zero(emitter, b)
    if b.literal is None or b.literal in {0, -1}:
        _push_checked(emitter, f"{a.text} // {b.text}", _TOO_GREAT)
    else:
        emitter.push(f"({a.text} // {b.text})", a, b)


def _modulo(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    _refuse_zero(emitter, b)
    if b.literal == 0:
        emitter.push_literal(0)
    else:
        emitter.push(f"({a.text} % {b.text})", a, b)


def _negate(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    _push_checked(emitter, f"-{a.text}", _TOO_GREAT)


def _absolute(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    _push_checked(emitter, f"abs({a.text})", _TOO_GREAT)


def _lesser(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    emitter.push(f"({a.text} if {a.text} <= {b.text} else {b.text})", a, b)


def _greater(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    emitter.push(f"({a.text} if {a.text} >= {b.text} else {b.text})", a, b)


def _bitwise(emitter: Emitter, instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    emitter.push(f"({a.text} {_BITWISE[instruction.op]} {b.text})", a, b)


def _refuse_shift(emitter: Emitter, distance: Expression) -> None:
    if distance.literal is None or not 0 <= distance.literal <= SHIFT_MAX:
        emitter.line(f"if not 0 <= {distance.text} <= {SHIFT_MAX}: trap_range(m, g)")


def _shift_left(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    _refuse_shift(emitter, b)
    _push_checked(emitter, f"{a.text} << {b.text}")


def _shift_right(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    _refuse_shift(emitter, b)
    emitter.stack.append(emitter.assign(f"{a.text} >> {b.text}"))


def _multiply_divide(emitter: Emitter, _instruction: Instruction) -> None:
    a, b, c = emitter.pop_atoms(3)
    _refuse_zero(emitter, c)
    _push_checked(emitter, f"{a.text} * {b.text} // {c.text}")


def _multiply_fixed(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    _push_checked(emitter, f"{a.text} * {b.text} // {FIXED_SCALE}")


def _divide_fixed(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    _refuse_zero(emitter, b)
    _push_checked(emitter, f"{a.text} * {FIXED_SCALE} // {b.text}")


def _to_fixed(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    _push_checked(emitter, f"{a.text} * {FIXED_SCALE}")


def _floor_fixed(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    emitter.push(f"({a.text} // {FIXED_SCALE})", a)


def _called(emitter: Emitter, instruction: Instruction) -> None:
    operands = emitter.pop(len(instruction.operands))
    texts = (operand.text for operand in operands)
    emitter.stack.append(emitter.call(f"op_{instruction.op.name}", *texts))


def _compare(emitter: Emitter, instruction: Instruction) -> None:
    sign = _COMPARED[instruction.op]
    if instruction.operands[0] not in {BYTES, STR}:
        a, b = emitter.pop(2)
        emitter.push(f"({a.text} {sign} {b.text})", a, b)
        return
    a, b = emitter.pop_atoms(2)
    size = "len" if instruction.operands[0] == BYTES else "text_size"
    emitter.line(f"g -= {_COMPARE.gas} * ({size}({a.text}) + {size}({b.text}) >> {_COMPARE.shift})")
    emitter.line("if g < 0: exhaust(m)")
    emitter.push(f"({a.text} {sign} {b.text})", a, b)


def _not(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    emitter.push(f"(not {a.text})", a)


NUMBER_TRANSLATIONS: Final[dict[Op, Translation]] = {
    Op.ADD: _add,
    Op.SUB: _subtract,
    Op.MUL: _multiply,
    Op.DIV: _divide,
    Op.MOD: _modulo,
    Op.NEG: _negate,
    Op.ABS: _absolute,
    Op.POW: _called,
    Op.MIN: _lesser,
    Op.MAX: _greater,
    **dict.fromkeys(_BITWISE, _bitwise),
    Op.SHL: _shift_left,
    Op.SHR: _shift_right,
    Op.ISQRT: _called,
    Op.MULDIV: _multiply_divide,
    Op.FMUL: _multiply_fixed,
    Op.FDIV: _divide_fixed,
    Op.TO_FIXED: _to_fixed,
    Op.FLOOR_INT: _floor_fixed,
    **dict.fromkeys(_COMPARED, _compare),
    Op.NOT: _not,
}
