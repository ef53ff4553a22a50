"""Turn checked steps into the bytes of one function.

Expressions leave their value on the stack; what needs a branch in the middle of an expression is a
`Staged`, whose hidden variables become locals here.
"""

from typing import Final, assert_never

from node.vm.bytecode import INTEGER_MAX, INTEGER_MIN, encode_instruction
from node.vm.constants import make_constant
from node.vm.instruction_set import spec_of
from node.vm.lang.tree import (
    Assign,
    Branch,
    Expression,
    Fail,
    Immediate,
    Leave,
    Literal,
    Loop,
    Operation,
    Perform,
    Read,
    Repeat,
    Require,
    Return,
    Staged,
    Step,
    TakeLast,
    Variable,
    ends,
)
from node.vm.lang.type_numbers import TypeNumbers
from node.vm.lang.types import BOOL_TYPE, INT_TYPE, UNIT_TYPE
from node.vm.module import Constant
from node.vm.opcodes import Op
from node.vm.types import TypeIndex

_RESULT_OF_ITS_OWN: Final = (Op.CALL, Op.INVOKE, Op.UNIT)
"""The operations that leave a Unit on the stack; the others of type None leave nothing."""


class Pool:
    """What the functions of a module share: types and constants, in the order of first use."""

    def __init__(self) -> None:
        self.types = TypeNumbers()
        self._constants: dict[Constant, int] = {}

    @property
    def constants(self) -> tuple[Constant, ...]:
        """All constants, by number."""
        return tuple(self._constants)

    def constant(self, literal: Literal) -> int:
        """Return the number of a constant."""
        constant = make_constant(literal.value, self.types.number(literal.type))
        return self._constants.setdefault(constant, len(self._constants))


class FunctionCode:
    """The code of one function while it grows.

    Args:
        params: the variables that the caller fills; they are the first locals.
    """

    def __init__(self, pool: Pool, params: tuple[Variable, ...]) -> None:
        self._pool = pool
        self._locals = {variable: number for number, variable in enumerate(params)}
        self._params_count = len(params)
        self._code = bytearray()

    @property
    def code(self) -> bytes:
        """The bytes so far."""
        return bytes(self._code)

    @property
    def local_types(self) -> tuple[TypeIndex, ...]:
        """The types of the locals behind the parameters."""
        own = list(self._locals)[self._params_count :]
        return tuple(self._pool.types.number(variable.type) for variable in own)

    def whole(self, steps: tuple[Step, ...]) -> None:
        """Write a whole function; one that reaches its end returns nothing."""
        self.steps(steps)
        if not ends(steps):
            self._emit(Op.UNIT)
            self._emit(Op.RETURN)

    def steps(self, steps: tuple[Step, ...]) -> None:
        """Write steps one after the other."""
        for step in steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        match step:
            case Assign(variable=variable, value=value):
                self._value(value)
                self._emit(Op.SET, self._local(variable))
            case Perform(operation=value):
                self._value(value)
                if _leaves_value(value):
                    self._emit(Op.DROP)
            case Branch():
                self._branch(step)
            case Loop(body=body):
                self._emit(Op.LOOP)
                self.steps(body)
                self._emit(Op.REPEAT)
            case Leave():
                self._emit(Op.BREAK)
            case Repeat():
                self._emit(Op.CONTINUE)
            case _:
                self._ending(step)

    def _ending(self, step: Return | Fail | Require) -> None:
        match step:
            case Return(value=value):
                self._value(value)
                self._emit(Op.RETURN)
            case Fail(message=message):
                self._value(message)
                self._emit(Op.FAIL)
            case Require(test=test, message=literal):
                self._value(test)
                self._emit(Op.REQUIRE, self._pool.constant(literal))

    def _branch(self, step: Branch) -> None:
        test, yes, no = step.test, step.yes, step.no
        if not yes:
            test, yes, no = _opposite(test), no, yes
        self._value(test)
        self._emit(Op.IF)
        self.steps(yes)
        if no:
            self._emit(Op.ELSE)
            self.steps(no)
        self._emit(Op.END)

    def _value(self, value: Expression) -> None:
        match value:
            case Literal():
                self._literal(value)
            case Read(variable=variable):
                self._emit(Op.GET, self._local(variable))
            case Operation(op=op, immediates=immediates, operands=operands):
                for operand in operands:
                    self._value(operand)
                self._emit(op, *map(self._immediate, immediates))
            case Staged(steps=steps, result=result):
                self.steps(steps)
                self._value(result)
            case TakeLast(whole=whole, item=item):
                self._value(whole)
                self._emit(Op.LPOP)
                self._emit(Op.SET, self._local(item))
            case _:
                assert_never(value)

    def _literal(self, literal: Literal) -> None:
        value = literal.value
        if literal.type is BOOL_TYPE:
            self._emit(Op.TRUE if value else Op.FALSE)
        elif literal.type is INT_TYPE and isinstance(value, int) and _is_short(value):
            self._emit(Op.INT, value)
        else:
            self._emit(Op.CONST, self._pool.constant(literal))

    def _immediate(self, immediate: Immediate) -> int:
        if isinstance(immediate, int):
            return immediate
        return self._pool.types.number(immediate)

    def _local(self, variable: Variable) -> int:
        return self._locals.setdefault(variable, len(self._locals))

    def _emit(self, op: Op, *immediates: int) -> None:
        self._code += encode_instruction(spec_of(op), immediates)


def _is_short(value: int) -> bool:
    return INTEGER_MIN <= value <= INTEGER_MAX


def _leaves_value(value: Expression) -> bool:
    match value:
        case Operation(type=type_, op=op):
            return type_ is not UNIT_TYPE or op in _RESULT_OF_ITS_OWN
        case Staged(result=result):
            return _leaves_value(result)
        case _:
            return True


_OPPOSITES: Final = {Op.EQ: Op.NE, Op.LT: Op.GE, Op.LE: Op.GT}
_ALL_OPPOSITES: Final = {**_OPPOSITES, **{no: yes for yes, no in _OPPOSITES.items()}}


def _opposite(test: Expression) -> Expression:
    """Return the test that holds when this one does not."""
    match test:
        case Operation(op=Op.NOT, operands=(inner,)):
            return inner
        case Operation(type=type_, op=op, operands=operands, at=at) if op in _ALL_OPPOSITES:
            return Operation(type_, _ALL_OPPOSITES[op], (), operands, at)
        case Operation(at=at) | Read(at=at) | TakeLast(at=at):
            return Operation(BOOL_TYPE, Op.NOT, (), (test,), at)
        case Staged(steps=steps, result=result):
            return Staged(steps, _opposite(result))
        case Literal(value=value):
            return Literal(BOOL_TYPE, not value)
        case _:
            assert_never(test)
