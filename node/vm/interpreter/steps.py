"""What each family of opcodes does to the machine: pop the operands, work, push the results."""

import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from node.vm.interpreter.machine import Machine
from node.vm.opcodes import Op
from node.vm.operations import parts
from node.vm.operations.comparison import COMPARISONS, charge_comparison
from node.vm.operations.lists import LIST_OPERATIONS, contains_text
from node.vm.operations.numbers import NUMBER_OPERATIONS
from node.vm.operations.texts import TEXT_OPERATIONS
from node.vm.types import BYTES, STR
from node.vm.verified import Instruction

Step: TypeAlias = Callable[[Machine, Instruction], None]

SIZED_SCALARS: Final = (BYTES, STR)
"""The scalars whose size differs from value to value, so that comparing them costs by size."""


def push_value(machine: Machine, instruction: Instruction) -> None:
    """CONST, INT, TRUE, FALSE, UNIT, NONE, DEFAULT."""
    linked = machine.run.linked
    match instruction.op:
        case Op.CONST:
            machine.push(linked.module.constants[instruction.immediates[0]])
        case Op.INT:
            machine.push(instruction.immediates[0])
        case Op.TRUE | Op.FALSE:
            machine.push(instruction.op is Op.TRUE)
        case _:
            machine.push(linked.zero(instruction.results[0]))


def move(machine: Machine, instruction: Instruction) -> None:
    """DROP, DUP, GET, SET."""
    match instruction.op:
        case Op.DROP:
            machine.pop(1)
        case Op.DUP:
            machine.push(machine.top.stack[-1])
        case Op.GET:
            machine.push(machine.top.locals[instruction.immediates[0]])
        case _:
            (machine.top.locals[instruction.immediates[0]],) = machine.pop(1)


def calculate(machine: Machine, instruction: Instruction) -> None:
    """ADD to FLOOR_INT."""
    operands = machine.pop(len(instruction.operands))
    machine.push(NUMBER_OPERATIONS[instruction.op](*operands))


def compare(machine: Machine, instruction: Instruction) -> None:
    """EQ to GE."""
    a, b = machine.pop(2)
    if instruction.operands[0] in SIZED_SCALARS:
        assert isinstance(a, bytes | str)
        assert isinstance(b, bytes | str)
        charge_comparison(machine.run.meter, a, b)
    machine.push(COMPARISONS[instruction.op](a, b))


def negate(machine: Machine, _instruction: Instruction) -> None:
    """NOT."""
    (a,) = machine.pop(1)
    machine.push(not a)


def work_on_text(machine: Machine, instruction: Instruction) -> None:
    """CONCAT to BYTES_TO_ADDRESS."""
    operands = machine.pop(len(instruction.operands))
    machine.push(TEXT_OPERATIONS[instruction.op](machine.run.meter, *operands))


def work_on_list(machine: Machine, instruction: Instruction) -> None:
    """LIST to TOP_K."""
    operands = machine.pop(len(instruction.operands))
    result = list_operation(instruction)(machine.run.meter, *operands)
    if instruction.op is Op.LPOP:
        rest, last = result
        machine.push(rest)
        machine.push(last)
    else:
        machine.push(result)


def list_operation(instruction: Instruction) -> Callable[..., Any]:
    """Return the function of a list opcode; that of LCONTAINS depends on the items."""
    if instruction.op is Op.LCONTAINS and instruction.operands[1] in SIZED_SCALARS:
        return contains_text
    return LIST_OPERATIONS[instruction.op]


def work_on_parts(machine: Machine, instruction: Instruction) -> None:
    """RECORD to UNWRAP_OR."""
    operands = machine.pop(len(instruction.operands))
    machine.push(_part(machine, instruction, operands))


def _part(  # noqa: PLR0911 - one case for each opcode of the family
    machine: Machine, instruction: Instruction, operands: tuple[Any, ...]
) -> Any:  # noqa: ANN401 - any Value
    meter = machine.run.meter
    match instruction.op:
        case Op.RECORD:
            return parts.make_record(meter, *operands)
        case Op.FIELD:
            return operands[0][instruction.immediates[0]]
        case Op.WITH:
            return parts.replace_field(meter, *operands, place=instruction.immediates[0])
        case Op.SOME:
            return operands
        case Op.IS_SOME:
            return operator.is_not(operands[0], None)
        case Op.UNWRAP:
            return parts.unwrap(operands[0])
        case _:
            return parts.unwrap_or(*operands)
