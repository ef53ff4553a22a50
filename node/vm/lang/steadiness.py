"""Tell which values may be computed a little earlier or later without anybody noticing."""

from typing import assert_never

from node.vm.instruction_set import spec_of
from node.vm.lang.tree import (
    Assign,
    Branch,
    Expression,
    Literal,
    Operation,
    Origin,
    Read,
    Staged,
    Step,
    TakeLast,
)
from node.vm.opcodes import Effect, Op


def is_steady(value: Expression) -> bool:
    """Tell whether computing the value changes nothing that another value could depend on."""
    match value:
        case Literal() | Read():
            return True
        case Operation(op=op, operands=operands):
            is_call = op in {Op.CALL, Op.INVOKE} or spec_of(op).effect is Effect.WRITE
            return not is_call and all(map(is_steady, operands))
        case Staged(steps=steps, result=result):
            return all(map(_is_steady_step, steps)) and is_steady(result)
        case TakeLast():
            return False
        case _:
            assert_never(value)


def _is_steady_step(step: Step) -> bool:
    match step:
        case Assign(variable=variable, value=value):
            return variable.origin is Origin.HIDDEN and is_steady(value)
        case Branch(test=test, yes=yes, no=no):
            return is_steady(test) and all(map(_is_steady_step, (*yes, *no)))
        case _:
            return False
