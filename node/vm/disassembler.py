"""Write a module as text that people read and `assembler` reads back to the same module.

A line is one declaration or one instruction; what follows a `;` is for people only: the index of a
declaration, the offset of an instruction, the gas of the segment that begins there, and what its
immediates name. Types are written by name if they are scalars, else as `t` and their index.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, assert_never

import msgspec

from node.vm.bytecode import RawInstruction, decode_code
from node.vm.constants import constant_value
from node.vm.module import Constant, Function, InterfaceMethod, Module
from node.vm.opcodes import Immediate, Op
from node.vm.segments import segment_costs
from node.vm.types import (
    COMPOSITE_FIRST,
    SCALAR_NAMES,
    CompositeType,
    Field,
    ListType,
    MapType,
    OptionType,
    RecordType,
)

_COMMENT_COLUMN: Final = 36
_INDENT: Final = "  "


def disassemble(module: Module) -> str:
    """Return the text of a module whose code can be decoded; it need not be verified.

    Raises:
        InvalidModuleError: a constant or the code of a function cannot be decoded.
    """
    return "".join(f"{line.rstrip()}\n" for line in _lines(module))


def _type_text(index: int) -> str:
    """Return the type as the text of a module writes it."""
    return SCALAR_NAMES[index] if index < len(SCALAR_NAMES) else f"t{index}"


def _lines(module: Module) -> Iterator[str]:
    names = _names(module)
    yield f"module {module.name} {module.version}"
    for place, entry in enumerate(module.types):
        yield _commented(f"type {_entry_text(entry)}", f"t{COMPOSITE_FIRST + place}")
    for place, constant in enumerate(module.constants):
        yield _commented(f"constant {_constant_text(constant)}", f"constant {place}")
    for place, field in enumerate(module.storage):
        yield _commented(f"storage {_field_text(field)}", f"storage {place}")
    for place, event in enumerate(module.events):
        fields = " ".join(map(_field_text, event.fields))
        yield _commented(f"event {event.name} {fields}", f"event {place}")
    for place, method in enumerate(module.methods):
        yield _commented(f"method {_method_text(method)}", f"method {place}")
    for place, function in enumerate(module.functions):
        yield ""
        signature = _signature(function.params, function.result)
        text = f"function {function.name} {function.kind.name.lower()} {signature}"
        yield _commented(text, f"function {place}")
        if function.locals:
            yield f"{_INDENT}locals {' '.join(map(_type_text, function.locals))}"
        yield from _code_lines(function, names)


def _entry_text(entry: CompositeType) -> str:
    match entry:
        case ListType(item=item):
            return f"list {_type_text(item)}"
        case OptionType(item=item):
            return f"option {_type_text(item)}"
        case MapType(key=key, value=value):
            return f"map {_type_text(key)} {_type_text(value)}"
        case RecordType(name=name, fields=fields):
            return f"record {name} {' '.join(map(_field_text, fields))}"
        case _:
            assert_never(entry)


def _constant_text(constant: Constant) -> str:
    name = _type_text(constant.type)
    value = constant_value(constant)
    match value:
        case int():
            return f"{name} {value}"
        case bytes():
            return f"{name} 0x{value.hex()}"
        case str():
            # A ; would begin a comment.
            literal = msgspec.json.encode(value).decode("utf-8").replace(";", "\\u003b")
            return f"{name} {literal}"
        case _:
            assert_never(value)


def _field_text(field: Field) -> str:
    return f"{field.name}:{_type_text(field.type)}"


def _method_text(method: InterfaceMethod) -> str:
    signature = _signature(method.params, method.result)
    return f"{method.interface}.{method.name} {method.kind.name.lower()} {signature}"


def _signature(params: Sequence[int], result: int) -> str:
    return f"({' '.join(map(_type_text, params))}) {_type_text(result)}"


def _code_lines(function: Function, names: Mapping[Immediate, Sequence[str]]) -> Iterator[str]:
    code = tuple(decode_code(function.code))
    depth = 1
    for raw, gas in zip(code, segment_costs(code), strict=True):
        if raw.spec.op in {Op.ELSE, Op.END, Op.REPEAT}:
            depth = max(depth - 1, 1)
        pairs = zip(raw.spec.immediates, raw.immediates, strict=True)
        words = [raw.spec.op.name, *(_immediate_text(kind, number) for kind, number in pairs)]
        comment = f"{raw.offset:4}" + (f" gas {gas}" if gas else "")
        yield _commented(_INDENT * depth + " ".join(words), comment + _named(raw, names))
        if raw.spec.op in {Op.IF, Op.ELSE, Op.LOOP}:
            depth += 1


def _immediate_text(kind: Immediate, number: int) -> str:
    """Return an immediate as the text of a module writes it."""
    return _type_text(number) if kind is Immediate.TYPE else str(number)


def _names(module: Module) -> dict[Immediate, list[str]]:
    """Return what immediates may name, as far as it has names."""
    return {
        Immediate.CONSTANT: [_constant_text(constant) for constant in module.constants],
        Immediate.STORAGE_FIELD: [field.name for field in module.storage],
        Immediate.FUNCTION: [function.name for function in module.functions],
        Immediate.METHOD: [f"{method.interface}.{method.name}" for method in module.methods],
        Immediate.EVENT: [event.name for event in module.events],
    }


def _named(raw: RawInstruction, names: Mapping[Immediate, Sequence[str]]) -> str:
    """Return what the first immediate names, if it names something that has a name."""
    if not raw.immediates:
        return ""
    candidates = names.get(raw.spec.immediates[0], ())
    place = raw.immediates[0]
    return f"  {candidates[place]}" if 0 <= place < len(candidates) else ""


def _commented(text: str, comment: str) -> str:
    return f"{text:{_COMMENT_COLUMN}} ; {comment}"
