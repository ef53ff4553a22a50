"""Read the text that `disassembler` writes: for tests, and for people who want to try the bytecode.

The text is only turned into a module; whether it may run is for `verifier.verify` to say.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from node.vm.bytecode import encode_instruction
from node.vm.constants import make_constant
from node.vm.instruction_set import spec_of
from node.vm.module import Constant, Event, Function, FunctionKind, InterfaceMethod, Module
from node.vm.opcodes import Immediate, Op
from node.vm.types import (
    SCALAR_NAMES,
    STR,
    CompositeType,
    Field,
    ListType,
    MapType,
    OptionType,
    RecordType,
    TypeIndex,
)
from primitives.errors import VmError


class AssemblyError(VmError):
    """Refuse text that is no module.

    Args:
        line: its number, the first is 1.
    """

    code: ClassVar[str] = "assembly"

    def __init__(self, detail: str, *, line: int) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line


def assemble(text: str) -> Module:
    """Return the module of the text.

    Raises:
        AssemblyError: a line is none that a module has.
    """
    assembly = _Assembly()
    number = 0
    for number, line in enumerate(text.split("\n"), start=1):
        statement = line.partition(";")[0].strip()
        if not statement:
            continue
        try:
            assembly.take(statement)
        except (ValueError, LookupError, OverflowError, msgspec.MsgspecError) as error:
            raise AssemblyError(f"{statement!r}: {error}", line=number) from error
    if not assembly.name:
        raise AssemblyError("there is no line `module NAME VERSION`", line=number)
    return assembly.module()


class _Assembly:
    def __init__(self) -> None:
        self.name = ""
        self._version = 0
        self._types: list[CompositeType] = []
        self._constants: list[Constant] = []
        self._storage: list[Field] = []
        self._events: list[Event] = []
        self._methods: list[InterfaceMethod] = []
        self._functions: list[Function] = []
        self._code = bytearray()

    def module(self) -> Module:
        """Return what the lines so far make."""
        self._end_function()
        return Module(
            version=self._version,
            name=self.name,
            types=tuple(self._types),
            constants=tuple(self._constants),
            storage=tuple(self._storage),
            events=tuple(self._events),
            methods=tuple(self._methods),
            functions=tuple(self._functions),
        )

    def take(self, statement: str) -> None:
        """Take the next line in, without its comment."""
        word, _, rest = statement.partition(" ")
        words = rest.split()
        match word:
            case "module":
                name, version = words
                self.name, self._version = name, int(version)
            case "type":
                self._types.append(_entry(words))
            case "constant":
                self._constants.append(_constant(rest.strip()))
            case "storage":
                self._storage.extend(map(_field, words))
            case "event":
                self._events.append(Event(words[0], tuple(map(_field, words[1:]))))
            case "method":
                self._methods.append(_method(rest))
            case _:
                self._take_function(word, rest)

    def _take_function(self, word: str, rest: str) -> None:
        if word == "function":
            self._end_function()
            self._functions.append(_function(rest))
            return
        if not self._functions:
            raise ValueError("an instruction outside a function")
        if word == "locals":
            local_types = tuple(map(_type, rest.split()))
            last = self._functions[-1]
            self._functions[-1] = msgspec.structs.replace(last, locals=local_types)
            return
        self._code += _instruction(word, rest.split())

    def _end_function(self) -> None:
        if self._functions:
            last = self._functions[-1]
            self._functions[-1] = msgspec.structs.replace(last, code=bytes(self._code))
            self._code.clear()


def _entry(words: Sequence[str]) -> CompositeType:
    match words:
        case ["list", item]:
            return ListType(_type(item))
        case ["option", item]:
            return OptionType(_type(item))
        case ["map", key, value]:
            return MapType(_type(key), _type(value))
        case ["record", name, *fields]:
            return RecordType(name, tuple(map(_field, fields)))
        case _:
            raise ValueError("no such type")


def _type(word: str) -> TypeIndex:
    if word in SCALAR_NAMES:
        return TypeIndex(SCALAR_NAMES.index(word))
    if not word.startswith("t"):
        raise ValueError(f"{word} is no type")
    return TypeIndex(_index(word[1:]))


def _index(word: str) -> int:
    number = int(word)
    if not 0 <= number < 1 << 32:
        raise ValueError(f"{word} is no index")
    return number


def _constant(rest: str) -> Constant:
    name, _, literal = rest.partition(" ")
    index = _type(name)
    if index == STR:
        return make_constant(msgspec.json.decode(literal, type=str), index)
    if literal.startswith("0x"):
        return make_constant(bytes.fromhex(literal[2:]), index)
    return make_constant(int(literal), index)


def _field(word: str) -> Field:
    name, _, type_word = word.partition(":")
    return Field(name, _type(type_word))


def _signature(rest: str) -> tuple[list[str], tuple[TypeIndex, ...], TypeIndex]:
    """Return the words before the parameters, their types, and that of the result."""
    head, _, tail = rest.partition("(")
    params, _, result = tail.partition(")")
    return head.split(), tuple(map(_type, params.split())), _type(result.strip())


def _method(rest: str) -> InterfaceMethod:
    (qualified, kind), params, result = _signature(rest)
    interface, _, name = qualified.partition(".")
    return InterfaceMethod(
        interface=interface,
        name=name,
        kind=FunctionKind[kind.upper()],
        params=params,
        result=result,
    )


def _function(rest: str) -> Function:
    (name, kind), params, result = _signature(rest)
    return Function(
        name=name,
        kind=FunctionKind[kind.upper()],
        params=params,
        result=result,
        locals=(),
        code=b"",
    )


def _instruction(word: str, words: Sequence[str]) -> bytes:
    spec = spec_of(Op[word])
    if len(words) != len(spec.immediates):
        raise ValueError(f"{word} takes {len(spec.immediates)} immediates, got {len(words)}")
    pairs = zip(spec.immediates, words, strict=True)
    return encode_instruction(spec, tuple(_immediate(kind, each) for kind, each in pairs))


def _immediate(kind: Immediate, word: str) -> int:
    return _type(word) if kind is Immediate.TYPE else int(word)
