"""Control flow, calls, storage and the host."""

from typing import Final

from node.vm.fast.emitter import Emitter, Expression, operand_texts, pop_operands, tuple_text
from node.vm.fast.numbers import Translation
from node.vm.opcodes import Op
from node.vm.operations.world import FRAME_FIELDS, QUESTIONS
from node.vm.slots import key_encoder
from node.vm.types import TypeIndex
from node.vm.verified import Instruction

_ALL_LOCALS: Final = -1
_TYPED: Final = frozenset(
    {
        *(Op.LOAD_OPTION, Op.HAS, Op.SLGET, Op.SLSET, Op.SLAPPEND, Op.SLPOP, Op.SLLOAD),
    }
)
"""The storage opcodes that need to know what a slot holds."""

_MEASURED: Final = {Op.LOAD: "load", Op.STORE: "store"}
"""The storage opcodes that are functions of their own for each field."""

_BESIDES_KEYS: Final = {Op.STORE: 1, Op.SLGET: 1, Op.SLSET: 2, Op.SLAPPEND: 1}
"""How many operands a storage opcode takes besides the keys."""

STORAGE_OPS: Final = (
    *(Op.LOAD, Op.LOAD_OPTION, Op.STORE, Op.REMOVE, Op.HAS),
    *(Op.SLLEN, Op.SLGET, Op.SLSET, Op.SLAPPEND, Op.SLPOP, Op.SLCLEAR, Op.SLLOAD),
)


def _if(emitter: Emitter, _instruction: Instruction) -> None:
    (condition,) = emitter.pop(1)
    emitter.settle(_ALL_LOCALS)
    emitter.open(f"if {condition.text}:")


def _else(emitter: Emitter, instruction: Instruction) -> None:
    del emitter.stack[instruction.height :]
    emitter.close()
    emitter.open("else:")


def _close(emitter: Emitter, instruction: Instruction) -> None:
    del emitter.stack[instruction.height :]
    emitter.close()


def _loop(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.settle(_ALL_LOCALS)
    emitter.open("while True:")


def _break(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.line("break")


def _continue(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.line("continue")


def _return(emitter: Emitter, _instruction: Instruction) -> None:
    (result,) = emitter.pop(1)
    emitter.line("m.gas = g")
    emitter.line(f"return {result.text}")


def _fail(emitter: Emitter, _instruction: Instruction) -> None:
    (message,) = emitter.pop(1)
    emitter.line("m.gas = g")
    emitter.line(f"revert({message.text})")


def _require(emitter: Emitter, instruction: Instruction) -> None:
    (condition,) = emitter.pop(1)
    emitter.open(f"if not {condition.text}:")
    emitter.line("m.gas = g")
    emitter.line(f"revert(C{instruction.immediates[0]})")
    emitter.close()


def _call(emitter: Emitter, instruction: Instruction) -> None:
    texts = operand_texts(pop_operands(emitter, instruction))
    emitter.stack.append(emitter.call(f"f{instruction.immediates[0]}", "r", *texts))


def _storage(emitter: Emitter, instruction: Instruction) -> None:
    operands = pop_operands(emitter, instruction)
    key_count = len(operands) - _BESIDES_KEYS.get(instruction.op, 0)
    place = instruction.immediates[0]
    # A key that is too long traps while the slot is made.
    emitter.line("m.gas = g")
    slot = _slot(place, operands[:key_count], instruction.operands[:key_count])
    arguments = ["r", f"F{place}", slot] if instruction.op in _TYPED else ["r", slot]
    arguments += operand_texts(operands[key_count:])
    function = (
        _MEASURED[instruction.op] + str(place)
        if instruction.op in _MEASURED
        else f"op_{instruction.op.name}"
    )
    result = emitter.assign(f"{function}({', '.join(arguments)})")
    emitter.line("g = m.gas")
    if instruction.results:
        emitter.stack.append(result)


def _slot(place: int, keys: list[Expression], types: tuple[TypeIndex, ...]) -> str:
    parts = [f"P{place}"]
    for key, key_type in zip(keys, types, strict=True):
        encoded = key_encoder(key_type) is not None
        parts.append(f"K{key_type}({key.text})" if encoded else key.text)
    return " + ".join(parts)


def _frame(emitter: Emitter, instruction: Instruction) -> None:
    emitter.push(f"r.frame.{FRAME_FIELDS[instruction.op]}")


def _question(emitter: Emitter, instruction: Instruction) -> None:
    texts = operand_texts(pop_operands(emitter, instruction))
    emitter.stack.append(emitter.call(f"op_{instruction.op.name}", "r", *texts))


def _transfer(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.call("op_TRANSFER", "r", *operand_texts(emitter.pop(2)))


def _emit(emitter: Emitter, instruction: Instruction) -> None:
    fields = tuple_text(pop_operands(emitter, instruction))
    emitter.call(f"emit{instruction.immediates[0]}", "r", fields)


def _schedule(emitter: Emitter, instruction: Instruction) -> None:
    at_ms, gas, *arguments = pop_operands(emitter, instruction)
    function = str(instruction.immediates[0])
    emitter.call("op_SCHEDULE", "r", function, at_ms.text, gas.text, tuple_text(arguments))


REACHING_TRANSLATIONS: Final[dict[Op, Translation]] = {
    Op.IF: _if,
    Op.ELSE: _else,
    Op.END: _close,
    Op.LOOP: _loop,
    Op.REPEAT: _close,
    Op.BREAK: _break,
    Op.CONTINUE: _continue,
    Op.RETURN: _return,
    Op.FAIL: _fail,
    Op.REQUIRE: _require,
    Op.CALL: _call,
    **dict.fromkeys(STORAGE_OPS, _storage),
    **dict.fromkeys(FRAME_FIELDS, _frame),
    **dict.fromkeys(QUESTIONS, _question),
    Op.TRANSFER: _transfer,
    Op.EMIT: _emit,
    Op.SCHEDULE: _schedule,
}
