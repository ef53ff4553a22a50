"""What a generated program may do, by the types it takes and gives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from node.vm.declarations import checked_storage
from node.vm.instruction_set import spec_of
from node.vm.module import FunctionKind
from node.vm.opcodes import Op
from node.vm.traps import Trap
from node.vm.types import (
    ADDRESS,
    BOOL,
    COMPOSITE_FIRST,
    INT,
    ListType,
    OptionType,
    RecordType,
    TypeIndex,
)
from node.vm.verified import StorageShape
from tests.vm import palette


class Line(NamedTuple):
    """An opcode with its immediates, what it pops and what it pushes."""

    op: Op
    immediates: tuple[int, ...]
    operands: tuple[TypeIndex, ...]
    results: tuple[TypeIndex, ...]


_PRONE: Final = frozenset({Trap.INDEX, Trap.RANGE, Trap.UNWRAP, Trap.DIVISION_BY_ZERO})

_SHAPING: Final = frozenset(
    {
        *(Op.DUP, Op.RETURN, Op.FAIL, Op.IF, Op.ELSE, Op.END),
        *(Op.LOOP, Op.REPEAT, Op.BREAK, Op.CONTINUE),
    }
)
"""What the generator places itself, since more must hold there than types."""


def is_prone(line: Line) -> bool:
    """Tell whether the opcode traps on most operands that it may get."""
    return not _PRONE.isdisjoint(spec_of(line.op).traps)


def _lines() -> Iterator[Line]:
    for op, operands, results in palette.SIGNATURES:
        if op not in _SHAPING:
            yield Line(op, (), operands, results)
    for index in palette.VALUE_TYPES:
        yield Line(Op.DROP, (), (TypeIndex(index),), ())
        if index >= COMPOSITE_FIRST:
            yield from _composite_lines(TypeIndex(index))
    yield from _storage_lines()
    for place, event in enumerate(palette.EVENTS):
        yield Line(Op.EMIT, (place,), tuple(field.type for field in event.fields), ())
    for place, method in enumerate(palette.METHODS):
        money = (INT,) if method.kind is FunctionKind.PAYABLE else ()
        operands = (ADDRESS, *money, *method.params)
        yield Line(Op.INVOKE, (place,), operands, (method.result,))
    yield Line(Op.COMMITTEE, (palette.ADDRESSES,), (), (palette.ADDRESSES,))
    for numbers in (palette.INTS, palette.FIXEDS):
        yield Line(Op.TOP_K, (palette.INTS,), (numbers, INT), (palette.INTS,))


def _composite_lines(index: TypeIndex) -> Iterator[Line]:
    match palette.TYPES[index - COMPOSITE_FIRST]:
        case ListType(item=item):
            for count in range(4):
                yield Line(Op.LIST, (count, index), (item,) * count, (index,))
        case OptionType(item=item):
            yield Line(Op.NONE, (index,), (), (index,))
            yield Line(Op.SOME, (index,), (item,), (index,))
        case RecordType(fields=fields):
            yield Line(Op.RECORD, (index,), tuple(field.type for field in fields), (index,))
            for place, field in enumerate(fields):
                yield Line(Op.FIELD, (place,), (index,), (field.type,))
                yield Line(Op.WITH, (place,), (index, field.type), (index,))
        case _:
            raise AssertionError("maps are no values")


def _storage_lines() -> Iterator[Line]:
    for place, field in enumerate(checked_storage(palette.STORAGE, palette.TYPE_TABLE)):
        keys, element = field.keys, field.element
        if field.shape is StorageShape.VALUE:
            yield Line(Op.LOAD, (place,), keys, (element,))
            option = palette.option_of(element)
            if option is not None:
                yield Line(Op.LOAD_OPTION, (place, option), keys, (option,))
            yield Line(Op.STORE, (place,), (*keys, element), ())
            yield Line(Op.REMOVE, (place,), keys, ())
            yield Line(Op.HAS, (place,), keys, (BOOL,))
        else:
            yield Line(Op.SLLEN, (place,), keys, (INT,))
            yield Line(Op.SLGET, (place,), (*keys, INT), (element,))
            yield Line(Op.SLSET, (place,), (*keys, INT, element), ())
            yield Line(Op.SLAPPEND, (place,), (*keys, element), ())
            yield Line(Op.SLPOP, (place,), keys, (element,))
            yield Line(Op.SLCLEAR, (place,), keys, ())
            yield Line(Op.SLLOAD, (place, field.leaf), keys, (field.leaf,))


_PLAIN_WEIGHT: Final = 6
"""How much rarer an opcode is that traps on most operands; else no program would get far."""

_ALL: Final = tuple(_lines())
LINES: Final = tuple(line for line in _ALL for _ in range(1 if is_prone(line) else _PLAIN_WEIGHT))

STATEMENTS: Final[Sequence[Line]] = tuple(line for line in LINES if not line.results)

PRODUCERS: Final[Mapping[int, Sequence[Line]]] = {
    index: tuple(line for line in LINES if line.results == (index,))
    for index in (0, *palette.VALUE_TYPES)
}
"""By type: what pushes one value of it and nothing else."""

PAIRS: Final[Sequence[Line]] = tuple(line for line in LINES if len(line.results) == 2)
"""What pushes two values: LPOP."""
