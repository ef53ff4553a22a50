"""LOAD to SLLOAD: the operands are the keys of the field, then what the opcode adds."""

from typing import Any

from node.vm.interpreter.machine import Machine
from node.vm.opcodes import Op
from node.vm.operations import storage
from node.vm.slots import slot_of
from node.vm.verified import Instruction


def access_storage(machine: Machine, instruction: Instruction) -> None:
    """LOAD to SLLOAD."""
    place = instruction.immediates[0]
    linked = machine.run.linked.field(place)
    operands = machine.pop(len(instruction.operands))
    key_count = len(linked.field.keys)
    slot = slot_of(place, linked.field, operands[:key_count])
    result = _result(machine, instruction, slot, operands[key_count:])
    if instruction.results:
        machine.push(result)


def _result(  # noqa: C901, PLR0911, PLR0912 - one case for each opcode of the family
    machine: Machine, instruction: Instruction, slot: bytes, rest: tuple[Any, ...]
) -> Any:  # noqa: ANN401 - any Value
    run = machine.run
    field = run.linked.field(instruction.immediates[0])
    match instruction.op:
        case Op.LOAD:
            return storage.load(run, field, slot)
        case Op.LOAD_OPTION:
            return storage.load_option(run, field, slot)
        case Op.STORE:
            return storage.store(run, field, slot, *rest)
        case Op.REMOVE:
            return storage.remove(run, slot)
        case Op.HAS:
            return storage.has(run, field, slot)
        case Op.SLLEN:
            return storage.list_length(run, slot)
        case Op.SLGET:
            return storage.list_item(run, field, slot, *rest)
        case Op.SLSET:
            return storage.set_list_item(run, field, slot, *rest)
        case Op.SLAPPEND:
            return storage.append_list_item(run, field, slot, *rest)
        case Op.SLPOP:
            return storage.pop_list_item(run, field, slot)
        case Op.SLCLEAR:
            return storage.clear_list(run, slot)
        case _:
            return storage.load_list(run, field, slot)
