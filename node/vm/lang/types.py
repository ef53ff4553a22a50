"""The types as the language knows them: structures with names, compared by what they are.

A module refers to types by index (`node.vm.types`); `codegen.py` gives each type here its index.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import override

from node.vm.types import ADDRESS, BOOL, BYTES, FIXED, INT, STR, UNIT, TypeIndex


class Scalar(enum.Enum):
    """A type without parts; the text is its name in the language."""

    UNIT = "None"
    BOOL = "Bool"
    INT = "Int"
    FIXED = "Fixed"
    BYTES = "Bytes"
    STR = "Str"
    ADDRESS = "Address"

    @override
    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values of one type, in order."""

    item: "ValueType"

    @override
    def __str__(self) -> str:
        return f"List[{self.item}]"


@dataclass(frozen=True, slots=True)
class OptionOf:
    """A value that may be absent."""

    item: "ValueType"

    @override
    def __str__(self) -> str:
        return f"Option[{self.item}]"


@dataclass(frozen=True, slots=True)
class Part:
    """A named value: a field of a record, a parameter, a field of an event."""

    name: str
    type: "ValueType"


@dataclass(frozen=True, slots=True)
class RecordOf:
    """Named values; a source has one record of each name."""

    name: str
    parts: tuple[Part, ...]

    def part(self, name: str) -> tuple[int, "ValueType"] | None:
        """Return the place and the type of a field, None if there is no such field."""
        for index, part in enumerate(self.parts):
            if part.name == name:
                return index, part.type
        return None

    @override
    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values by key; lives in storage only."""

    key: Scalar
    value: "Type"

    @override
    def __str__(self) -> str:
        return f"Map[{self.key}, {self.value}]"


ValueType: TypeAlias = Scalar | ListOf | OptionOf | RecordOf
Type: TypeAlias = ValueType | MapOf

UNIT_TYPE, BOOL_TYPE, INT_TYPE, FIXED_TYPE = Scalar.UNIT, Scalar.BOOL, Scalar.INT, Scalar.FIXED
BYTES_TYPE, STR_TYPE, ADDRESS_TYPE = Scalar.BYTES, Scalar.STR, Scalar.ADDRESS

SCALAR_INDICES: dict[Scalar, TypeIndex] = {
    Scalar.UNIT: UNIT,
    Scalar.BOOL: BOOL,
    Scalar.INT: INT,
    Scalar.FIXED: FIXED,
    Scalar.BYTES: BYTES,
    Scalar.STR: STR,
    Scalar.ADDRESS: ADDRESS,
}


def with_article(type_: Type) -> str:
    """Return "an Int", "a Bool"."""
    name = str(type_)
    return f"an {name}" if name[0] in "AIO" else f"a {name}"


def depth(type_: ValueType) -> int:
    """Return how many types are nested in the deepest part, the type itself included."""
    match type_:
        case Scalar():
            return 0
        case ListOf(item) | OptionOf(item):
            return 1 + depth(item)
        case RecordOf(parts=parts):
            return 1 + max((depth(part.type) for part in parts), default=0)


def leaves(type_: ValueType) -> int:
    """Count the scalars in a type, with all records spelt out."""
    match type_:
        case Scalar():
            return 1
        case ListOf(item) | OptionOf(item):
            return leaves(item)
        case RecordOf(parts=parts):
            return sum(leaves(part.type) for part in parts)
