"""Values, locals, bytes, lists, records and options."""

from typing import Final

from node.vm.fast.emitter import Emitter, operand_texts, pop_operands, tuple_text
from node.vm.fast.numbers import Translation
from node.vm.gas import DYNAMIC_GAS
from node.vm.meter import HEADER_ITEMS, ITEM_SIZE_BYTES
from node.vm.opcodes import Op
from node.vm.operations.lists import LIST_OPERATIONS
from node.vm.operations.texts import TEXT_OPERATIONS
from node.vm.types import BYTES, STR
from node.vm.verified import Instruction


def _integer(emitter: Emitter, instruction: Instruction) -> None:
    emitter.push_literal(instruction.immediates[0])


def _true(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.push_name("True")


def _false(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.push_name("False")


def _nothing(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.push_name("None")


def _default(emitter: Emitter, instruction: Instruction) -> None:
    emitter.push_name(f"Z{instruction.immediates[0]}")


def _drop(emitter: Emitter, _instruction: Instruction) -> None:
    emitter.pop(1)


def _duplicate(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop_atoms(1)
    emitter.stack += [a, a]


def _get(emitter: Emitter, instruction: Instruction) -> None:
    emitter.push_local(instruction.immediates[0])


def _set(emitter: Emitter, instruction: Instruction) -> None:
    place = instruction.immediates[0]
    (value,) = emitter.pop(1)
    emitter.settle(1 << place)
    emitter.line(f"l{place} = {value.text}")


def _called(emitter: Emitter, instruction: Instruction) -> None:
    texts = operand_texts(pop_operands(emitter, instruction))
    emitter.stack.append(emitter.call(f"op_{instruction.op.name}", "m", *texts))


def _list_contains(emitter: Emitter, instruction: Instruction) -> None:
    a, b = emitter.pop(2)
    sized = "_sized" if instruction.operands[1] in {BYTES, STR} else ""
    emitter.stack.append(emitter.call(f"op_LCONTAINS{sized}", "m", a.text, b.text))


def _list_pop(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    both = emitter.call("op_LPOP", "m", a.text)
    emitter.push(f"{both.text}[0]", both)
    emitter.push(f"{both.text}[1]", both)


def _length(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    emitter.push(f"len({a.text})", a)


def _item(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    emitter.line(f"if not 0 <= {b.text} < len({a.text}): trap_index(m, g)")
    emitter.stack.append(emitter.assign(f"{a.text}[{b.text}]"))


def _same(_emitter: Emitter, _instruction: Instruction) -> None:
    """ADDRESS_TO_BYTES: the value is the same."""


def _list(emitter: Emitter, instruction: Instruction) -> None:
    operands = pop_operands(emitter, instruction)
    emitter.charge(DYNAMIC_GAS["LIST"].cost(len(operands)))
    emitter.allocate_items(ITEM_SIZE_BYTES * (len(operands) + HEADER_ITEMS))
    emitter.push(tuple_text(operands), *operands)


def _record(emitter: Emitter, instruction: Instruction) -> None:
    operands = pop_operands(emitter, instruction)
    emitter.allocate_items(ITEM_SIZE_BYTES * (len(operands) + HEADER_ITEMS))
    emitter.push(tuple_text(operands), *operands)


def _field(emitter: Emitter, instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    emitter.push(f"{a.text}[{instruction.immediates[0]}]", a)


def _with(emitter: Emitter, instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    place = instruction.immediates[0]
    emitter.line("m.gas = g")
    emitter.stack.append(emitter.assign(f"op_WITH(m, {a.text}, {b.text}, place={place})"))


def _some(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop(1)
    emitter.push(f"({a.text},)", a)


def _is_some(emitter: Emitter, _instruction: Instruction) -> None:
    # An atom: CPython warns of `(5,) is not None`, where it has folded the tuple into a constant.
    (a,) = emitter.pop_atoms(1)
    emitter.push(f"({a.text} is not None)", a)


def _unwrap(emitter: Emitter, _instruction: Instruction) -> None:
    (a,) = emitter.pop_atoms(1)
    emitter.line(f"if {a.text} is None: trap_unwrap(m, g)")
    emitter.push(f"{a.text}[0]", a)


def _unwrap_or(emitter: Emitter, _instruction: Instruction) -> None:
    a, b = emitter.pop_atoms(2)
    emitter.push(f"({b.text} if {a.text} is None else {a.text}[0])", a, b)


MOVING_TRANSLATIONS: Final[dict[Op, Translation]] = {
    Op.INT: _integer,
    Op.TRUE: _true,
    Op.FALSE: _false,
    Op.UNIT: _nothing,
    Op.NONE: _default,
    Op.DEFAULT: _default,
    Op.DROP: _drop,
    Op.DUP: _duplicate,
    Op.GET: _get,
    Op.SET: _set,
    **dict.fromkeys(TEXT_OPERATIONS, _called),
    **dict.fromkeys(LIST_OPERATIONS, _called),
    Op.LEN: _length,
    Op.BYTE_AT: _item,
    Op.ADDRESS_TO_BYTES: _same,
    Op.LIST: _list,
    Op.LGET: _item,
    Op.LPOP: _list_pop,
    Op.LLEN: _length,
    Op.LCONTAINS: _list_contains,
    Op.RECORD: _record,
    Op.FIELD: _field,
    Op.WITH: _with,
    Op.SOME: _some,
    Op.IS_SOME: _is_some,
    Op.UNWRAP: _unwrap,
    Op.UNWRAP_OR: _unwrap_or,
}
