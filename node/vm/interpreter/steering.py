"""Control flow, calls, and the host: the opcodes that reach beyond one stack."""

from typing import Any

from node.vm.interpreter.machine import Machine
from node.vm.opcodes import Op
from node.vm.operations import world
from node.vm.verified import Instruction


def steer(machine: Machine, instruction: Instruction) -> None:
    """IF, ELSE, END, LOOP, REPEAT, BREAK, CONTINUE."""
    match instruction.op:
        case Op.IF:
            (condition,) = machine.pop(1)
            if not condition:
                machine.top.place = instruction.target
        case Op.END | Op.LOOP:
            pass
        case _:
            machine.top.place = instruction.target


def end(machine: Machine, instruction: Instruction) -> None:
    """RETURN, FAIL, REQUIRE."""
    (operand,) = machine.pop(1)
    match instruction.op:
        case Op.RETURN:
            machine.leave(operand)
        case Op.FAIL:
            assert isinstance(operand, str)
            world.revert(operand)
        case _:
            if not operand:
                message = machine.run.linked.module.constants[instruction.immediates[0]]
                assert isinstance(message, str)
                world.revert(message)


def call(machine: Machine, instruction: Instruction) -> None:
    """CALL."""
    machine.call(instruction.immediates[0], machine.pop(len(instruction.operands)))


def invoke(machine: Machine, instruction: Instruction) -> None:
    """INVOKE."""
    method = instruction.immediates[0]
    operands: tuple[Any, ...] = machine.pop(len(instruction.operands))
    target, *arguments = operands
    value = arguments.pop(0) if machine.run.linked.is_method_payable(method) else 0
    result = world.invoke(machine.run, method, target, value, tuple(arguments))
    machine.push(result)


def read_frame(machine: Machine, instruction: Instruction) -> None:
    """SENDER, SELF, VALUE, NOW, HEIGHT, BEACON."""
    machine.push(getattr(machine.run.frame, world.FRAME_FIELDS[instruction.op]))


def ask_host(machine: Machine, instruction: Instruction) -> None:
    """BALANCE to GAS_LEFT, those that only ask."""
    operands = machine.pop(len(instruction.operands))
    machine.push(world.QUESTIONS[instruction.op](machine.run, *operands))


def move_host(machine: Machine, instruction: Instruction) -> None:
    """TRANSFER, EMIT, SCHEDULE."""
    operands: tuple[Any, ...] = machine.pop(len(instruction.operands))
    match instruction.op:
        case Op.TRANSFER:
            world.transfer(machine.run, *operands)
        case Op.EMIT:
            world.emit(machine.run, instruction.immediates[0], operands)
        case _:
            at_ms, gas, *arguments = operands
            world.schedule(machine.run, instruction.immediates[0], at_ms, gas, tuple(arguments))
