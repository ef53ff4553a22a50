"""The declarations that all generated programs share: types, storage, events, methods, literals."""

from typing import Final

from node.vm.constants import make_constant
from node.vm.instruction_set import SPECS
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.module import Constant, Event, FunctionKind, InterfaceMethod
from node.vm.opcodes import Op
from node.vm.patterns import LETTERS, PATTERNS
from node.vm.shapes import Value
from node.vm.type_table import TypeTable
from node.vm.types import (
    ADDRESS,
    BOOL,
    BYTES,
    COMPOSITE_FIRST,
    FIXED,
    INT,
    SCALAR_NAMES,
    STR,
    UNIT,
    CompositeType,
    Field,
    ListType,
    MapType,
    OptionType,
    RecordType,
    TypeIndex,
)

_ENTRIES: list[CompositeType] = []


def _entry(entry: CompositeType) -> TypeIndex:
    _ENTRIES.append(entry)
    return TypeIndex(COMPOSITE_FIRST + len(_ENTRIES) - 1)


INTS: Final = _entry(ListType(INT))
STRS: Final = _entry(ListType(STR))
ADDRESSES: Final = _entry(ListType(ADDRESS))
FIXEDS: Final = _entry(ListType(FIXED))
BLOBS: Final = _entry(ListType(BYTES))
FLAGS: Final = _entry(ListType(BOOL))
MAYBE_INT: Final = _entry(OptionType(INT))
MAYBE_STR: Final = _entry(OptionType(STR))
PERSON: Final = _entry(
    RecordType(
        "Person",
        (Field("age", INT), Field("name", STR), Field("home", ADDRESS), Field("scores", INTS)),
    )
)
PRICE: Final = _entry(RecordType("Price", (Field("amount", FIXED), Field("firm", BOOL))))
PEOPLE: Final = _entry(ListType(PERSON))
PRICES: Final = _entry(ListType(PRICE))
TABLE: Final = _entry(ListType(INTS))
TABLES: Final = _entry(ListType(TABLE))
MAYBE_PERSON: Final = _entry(OptionType(PERSON))
MAYBE_TABLE: Final = _entry(OptionType(TABLE))
MAYBE_MAYBE: Final = _entry(OptionType(MAYBE_INT))
_BALANCES: Final = _entry(MapType(ADDRESS, INT))
_BY_NAME: Final = _entry(MapType(STR, PERSON))
_SERIES: Final = _entry(MapType(INT, INTS))
_FLAGGED: Final = _entry(MapType(BOOL, STR))
_NESTED: Final = _entry(MapType(BYTES, _FLAGGED))

TYPES: Final = tuple(_ENTRIES)
TYPE_TABLE: Final = TypeTable(TYPES)
VALUE_TYPES: Final = (BOOL, INT, FIXED, BYTES, STR, ADDRESS, *range(INTS, MAYBE_MAYBE + 1))

STORAGE: Final = (
    Field("counter", INT),
    Field("price", FIXED),
    Field("owner", PERSON),
    Field("log", INTS),
    Field("people", PEOPLE),
    Field("balances", _BALANCES),
    Field("by_name", _BY_NAME),
    Field("series", _SERIES),
    Field("nested", _NESTED),
    Field("maybe", MAYBE_PERSON),
    Field("tables", TABLES),
)
EVENTS: Final = (
    Event("Counted", (Field("by", ADDRESS), Field("amount", INT))),
    Event("Named", (Field("person", PERSON), Field("table", TABLE))),
    Event("Empty", ()),
)
METHODS: Final = (
    InterfaceMethod(
        interface="Other", name="ask", kind=FunctionKind.VIEW, params=(INT,), result=INT
    ),
    InterfaceMethod(
        interface="Other", name="pay", kind=FunctionKind.PAYABLE, params=(PERSON,), result=BOOL
    ),
    InterfaceMethod(
        interface="Other", name="tell", kind=FunctionKind.EXTERNAL, params=(), result=UNIT
    ),
)

LITERALS: Final[dict[TypeIndex, tuple[int | bytes | str, ...]]] = {
    INT: (
        *(0, 1, -1, 2, 31, 32, 127, 128, 255, 256, -32, -33, -128, -129, 65_535, 65_536),
        *(2**32 - 1, 2**32, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64),
        *(2**127, 2**128, INT_MAX, INT_MAX - 1, INT_MIN, INT_MIN + 1, 10**18, 10**38),
    ),
    FIXED: (0, 1, -1, 10**18, -(10**18), 25 * 10**16, 20 * 10**18, INT_MAX, INT_MIN, 2**64),
    BYTES: (b"", b"\0", b"a", b"abc", bytes(31), bytes(range(32)), b"x" * 65, b"y" * 129),
    STR: ("", "a", "abc", "héllo", "日本語", "🎈" * 20, "n" * 31, "n" * 32, "k" * 128, "k" * 129),
    ADDRESS: (bytes(32), b"\x11" * 32, b"\x22" * 32, b"\x30" * 32, b"\xff" * 32),
}
"""Values at the edges of something."""

CONSTANTS: Final[tuple[Constant, ...]] = tuple(
    make_constant(value, index) for index, values in LITERALS.items() for value in values
)
CONSTANT_VALUES: Final[tuple[Value, ...]] = tuple(
    value for values in LITERALS.values() for value in values
)

Signature = tuple[Op, tuple[TypeIndex, ...], tuple[TypeIndex, ...]]
"""An opcode without immediates, what it pops and what it pushes."""


def _signatures() -> tuple[Signature, ...]:
    """Return every opcode without immediates on every choice of types that it takes."""
    found: list[Signature] = []
    for op in PATTERNS:
        spec = SPECS[op]
        assert spec is not None
        below, _, above = spec.stack.partition("->")
        operands, results = below.split(), above.split()
        letters = sorted(
            {token.strip("[]?") for token in (*operands, *results)} - set(SCALAR_NAMES)
        )
        assert len(letters) <= 1
        for choice in LETTERS[letters[0]] or VALUE_TYPES if letters else (UNIT,):
            popped = [_instance(token, TypeIndex(choice)) for token in operands]
            pushed = [_instance(token, TypeIndex(choice)) for token in results]
            if None not in popped and None not in pushed:
                found.append(
                    (
                        op,
                        tuple(each for each in popped if each is not None),
                        tuple(each for each in pushed if each is not None),
                    )
                )
    return tuple(found)


def _instance(token: str, choice: TypeIndex) -> TypeIndex | None:
    """Return the type that a token of the table stands for, None if the palette lacks it."""
    name = token.strip("[]?")
    part = TypeIndex(SCALAR_NAMES.index(name)) if name in SCALAR_NAMES else choice
    if token.startswith("["):
        return _made_of(ListType(part))
    if token.startswith("?"):
        return _made_of(OptionType(part))
    return part


def _made_of(entry: CompositeType) -> TypeIndex | None:
    return TypeIndex(COMPOSITE_FIRST + TYPES.index(entry)) if entry in TYPES else None


def option_of(item: TypeIndex) -> TypeIndex | None:
    """Return the Option of a type, None if the palette lacks it."""
    return _made_of(OptionType(item))


SIGNATURES: Final = _signatures()
