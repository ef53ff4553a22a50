"""Type the opcodes whose stack effect the table says in full, such as `[T] Int -> T`."""

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple, assert_never

from node.vm.instruction_set import SPECS
from node.vm.opcodes import Op, OpSpec
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.type_table import TypeTable
from node.vm.types import (
    ADDRESS,
    BOOL,
    BYTES,
    FIXED,
    INT,
    SCALAR_NAMES,
    STR,
    UNIT,
    TypeIndex,
)


class StackEffect(NamedTuple):
    """The types that an instruction pops and pushes, the deepest first."""

    operands: tuple[TypeIndex, ...]
    results: tuple[TypeIndex, ...]


LETTERS: Final[dict[str, tuple[TypeIndex, ...] | None]] = {
    "N": (INT, FIXED),
    "B": (INT, BOOL),
    "S": (BOOL, INT, FIXED, BYTES, STR, ADDRESS),
    "O": (INT, FIXED, BYTES, STR),
    "X": (BYTES, STR),
    "T": None,
}
"""The types that a letter may stand for; None: every type but Unit."""


@enum.unique
class _Form(enum.Enum):
    SCALAR = ""
    LETTER = "letter"
    LIST = "list"
    OPTION = "option"


class _Slot(NamedTuple):
    """One operand or result. The token is its text; equal tokens of a row are the same type."""

    form: _Form
    token: str
    letter: str
    scalar: TypeIndex


class _Pattern(NamedTuple):
    operands: tuple[_Slot, ...]
    results: tuple[_Slot, ...]


def pattern_effect(spec: OpSpec, top: Sequence[TypeIndex], table: TypeTable) -> StackEffect:
    """Return the effect of an opcode on operands of these types.

    Raises:
        InvalidModuleError: the opcode does not take them.
    """
    pattern = PATTERNS[spec.op]
    bound: dict[str, TypeIndex] = {}
    for slot, actual in zip(pattern.operands, top, strict=True):
        if not _fits(slot, actual, bound, table):
            names = " ".join(table.name(index) for index in top)
            raise InvalidModuleError(
                Reason.OPERAND_TYPE, f"{spec.op.name} {spec.stack}: got {names}"
            )
    results = tuple(
        slot.scalar if slot.form is _Form.SCALAR else bound[slot.token] for slot in pattern.results
    )
    return StackEffect(tuple(top), results)


def _fits(slot: _Slot, actual: TypeIndex, bound: dict[str, TypeIndex], table: TypeTable) -> bool:
    """Tell whether the type fits the slot, and note what its tokens stand for from now on."""
    match slot.form:
        case _Form.SCALAR:
            return actual == slot.scalar
        case _Form.LETTER:
            return _binds(slot.letter, actual, bound)
        case _Form.LIST | _Form.OPTION:
            is_list = slot.form is _Form.LIST
            part = table.list_item(actual) if is_list else table.option_item(actual)
            bound[slot.token] = actual
            return part is not None and _binds(slot.letter, part, bound)
        case _:
            assert_never(slot.form)


def _binds(letter: str, actual: TypeIndex, bound: dict[str, TypeIndex]) -> bool:
    if letter in SCALAR_NAMES:
        return SCALAR_NAMES[actual : actual + 1] == (letter,)
    allowed = LETTERS[letter]
    if actual == UNIT or (allowed is not None and actual not in allowed):
        return False
    return bound.setdefault(letter, actual) == actual


def _slot(token: str) -> _Slot:
    letter = token.strip("[]?")
    if token.startswith("["):
        return _Slot(_Form.LIST, token, letter, UNIT)
    if token.startswith("?"):
        return _Slot(_Form.OPTION, token, letter, UNIT)
    if token in SCALAR_NAMES:
        return _Slot(_Form.SCALAR, token, letter, TypeIndex(SCALAR_NAMES.index(token)))
    return _Slot(_Form.LETTER, token, letter, UNIT)


def _is_word(token: str) -> bool:
    return token.strip("[]?").islower()


def _patterns() -> dict[Op, _Pattern]:
    patterns: dict[Op, _Pattern] = {}
    for spec in SPECS:
        if spec is None:
            continue
        below, _, above = spec.stack.partition("->")
        tokens = (*below.split(), *above.split())
        if spec.immediates or any(_is_word(token) for token in tokens):
            continue
        operands, results = (tuple(map(_slot, side.split())) for side in (below, above))
        patterns[spec.op] = _Pattern(operands, results)
    return patterns


PATTERNS: Final[dict[Op, _Pattern]] = _patterns()
"""Of the opcodes without immediates and without words; the others have rules in `stack_rules`."""
