"""Int and Fixed: exact integers that must fit into 256 bits with sign.

Operands are in range already, so no result in between has more than 512 bits.
"""

import math
import operator
from collections.abc import Callable
from typing import Final

from node.vm.limits import INT_BITS, INT_MAX, INT_MIN, SHIFT_MAX
from node.vm.opcodes import Op
from node.vm.traps import Trap, VmTrap

FIXED_SCALE: Final = 10**18


def checked(value: int) -> int:
    """Return the value if it is an Int."""
    if not INT_MIN <= value <= INT_MAX:
        raise VmTrap(Trap.OVERFLOW)
    return value


def add(a: int, b: int) -> int:
    """ADD."""
    return checked(a + b)


def subtract(a: int, b: int) -> int:
    """SUB."""
    return checked(a - b)


def multiply(a: int, b: int) -> int:
    """MUL."""
    return checked(a * b)


def divide(a: int, b: int) -> int:
    """DIV; only the least Int over -1 overflows."""
    if b == 0:
        raise VmTrap(Trap.DIVISION_BY_ZERO)
    return checked(a // b)


def modulo(a: int, b: int) -> int:
    """MOD."""
    if b == 0:
        raise VmTrap(Trap.DIVISION_BY_ZERO)
    return a % b


def negate(a: int) -> int:
    """NEG."""
    return checked(-a)


def absolute(a: int) -> int:
    """ABS."""
    return checked(abs(a))


def power(a: int, b: int) -> int:
    """POW; the sizes are compared first, so that no giant is ever made."""
    if b < 0:
        raise VmTrap(Trap.RANGE)
    if -1 <= a <= 1:
        return 1 if b == 0 else a if b % 2 else a * a
    # Here |a| >= 2**(bits - 1) >= 2, so the result has more than (bits - 1) * b bits.
    if b >= INT_BITS or (abs(a).bit_length() - 1) * b >= INT_BITS:
        raise VmTrap(Trap.OVERFLOW)
    return checked(a**b)


def shift_left(a: int, b: int) -> int:
    """SHL."""
    if not 0 <= b <= SHIFT_MAX:
        raise VmTrap(Trap.RANGE)
    return checked(a << b)


def shift_right(a: int, b: int) -> int:
    """SHR."""
    if not 0 <= b <= SHIFT_MAX:
        raise VmTrap(Trap.RANGE)
    return a >> b


def square_root(a: int) -> int:
    """ISQRT."""
    if a < 0:
        raise VmTrap(Trap.RANGE)
    return math.isqrt(a)


def multiply_divide(a: int, b: int, c: int) -> int:
    """MULDIV."""
    if c == 0:
        raise VmTrap(Trap.DIVISION_BY_ZERO)
    return checked(a * b // c)


def multiply_fixed(a: int, b: int) -> int:
    """FMUL."""
    return checked(a * b // FIXED_SCALE)


def divide_fixed(a: int, b: int) -> int:
    """FDIV."""
    return multiply_divide(a, FIXED_SCALE, b)


def to_fixed(a: int) -> int:
    """TO_FIXED."""
    return checked(a * FIXED_SCALE)


def floor_fixed(a: int) -> int:
    """FLOOR_INT."""
    return a // FIXED_SCALE


NUMBER_OPERATIONS: Final[dict[Op, Callable[..., int]]] = {
    Op.ADD: add,
    Op.SUB: subtract,
    Op.MUL: multiply,
    Op.DIV: divide,
    Op.MOD: modulo,
    Op.NEG: negate,
    Op.ABS: absolute,
    Op.POW: power,
    Op.MIN: min,
    Op.MAX: max,
    Op.AND: operator.and_,
    Op.OR: operator.or_,
    Op.XOR: operator.xor,
    Op.SHL: shift_left,
    Op.SHR: shift_right,
    Op.ISQRT: square_root,
    Op.MULDIV: multiply_divide,
    Op.FMUL: multiply_fixed,
    Op.FDIV: divide_fixed,
    Op.TO_FIXED: to_fixed,
    Op.FLOOR_INT: floor_fixed,
}
"""By opcode; AND, OR and XOR work on Bool too."""
