"""The types of the contract VM: seven scalars, and what a module builds from them.

A type is an index. 0 to 6 are the scalars below; from `COMPOSITE_FIRST` on, an index points into
the table of the module. An entry refers to scalars and to *earlier* entries only, so a table has no
cycle, and no two entries are equal, so two types are the same exactly when their indices are.
Values at run time: Int and Fixed are `int`, Bool is `bool`, Bytes and Address are `bytes`, Str is
`str`, Unit is `None`, List and Record are tuples, Option is `None` or a tuple of one.
"""

from typing import Annotated, Final, NewType, TypeAlias

import msgspec

TypeIndex = NewType("TypeIndex", int)
"""A scalar, or a place in the type table of a module."""

UNIT: Final = TypeIndex(0)
BOOL: Final = TypeIndex(1)
INT: Final = TypeIndex(2)
FIXED: Final = TypeIndex(3)
BYTES: Final = TypeIndex(4)
STR: Final = TypeIndex(5)
ADDRESS: Final = TypeIndex(6)

SCALAR_NAMES: Final = ("Unit", "Bool", "Int", "Fixed", "Bytes", "Str", "Address")

COMPOSITE_FIRST: Final = 16
"""The index of entry 0 of the table; 7 to 15 are kept for scalars to come."""

MAP_KEY_TYPES: Final = (BOOL, INT, BYTES, STR, ADDRESS)

TypeReference: TypeAlias = Annotated[TypeIndex, msgspec.Meta(ge=0, le=2**32 - 1)]


class Field(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A named part of a record, an event, or the storage of a contract."""

    name: str
    type: TypeReference


class ListType(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Values of one type, in order."""

    item: TypeReference


class OptionType(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """A value that may be absent."""

    item: TypeReference


class RecordType(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Named values; two records of different names are different types."""

    name: str
    fields: tuple[Field, ...]


class MapType(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Values by key; the type of storage only, there is no map among the values."""

    key: TypeReference
    value: TypeReference


CompositeType: TypeAlias = ListType | OptionType | RecordType | MapType
