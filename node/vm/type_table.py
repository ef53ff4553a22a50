"""Look types up: the scalars, and the entries of one module's table."""

import hashlib
from collections.abc import Sequence
from typing import Final, assert_never

from node.vm.types import (
    COMPOSITE_FIRST,
    SCALAR_NAMES,
    CompositeType,
    ListType,
    MapType,
    OptionType,
    RecordType,
    TypeIndex,
)

_SCALARS: Final = len(SCALAR_NAMES)


class TypeTable:
    """The types of one module, by index. Two types are the same if their indices are."""

    __slots__ = ("_digests", "_leaves", "entries")

    def __init__(self, entries: Sequence[CompositeType]) -> None:
        self.entries: Final = tuple(entries)
        self._digests: dict[TypeIndex, str] = {}
        self._leaves: dict[TypeIndex, int] = {}

    def exists(self, index: int) -> bool:
        """Tell whether the index is that of a type."""
        return 0 <= index < _SCALARS or 0 <= index - COMPOSITE_FIRST < len(self.entries)

    def entry(self, index: TypeIndex) -> CompositeType | None:
        """Return what a composite type is made of, None for a scalar."""
        return None if index < COMPOSITE_FIRST else self.entries[index - COMPOSITE_FIRST]

    def list_item(self, index: TypeIndex) -> TypeIndex | None:
        """Return the type of the items of a List, None for another type."""
        entry = self.entry(index)
        return entry.item if isinstance(entry, ListType) else None

    def option_item(self, index: TypeIndex) -> TypeIndex | None:
        """Return the type of what an Option may hold, None for another type."""
        entry = self.entry(index)
        return entry.item if isinstance(entry, OptionType) else None

    def record_fields(self, index: TypeIndex) -> tuple[TypeIndex, ...] | None:
        """Return the types of the fields of a Record, None for another type."""
        entry = self.entry(index)
        return (
            tuple(field.type for field in entry.fields) if isinstance(entry, RecordType) else None
        )

    def is_map(self, index: TypeIndex) -> bool:
        """Tell whether the type is a Map, so none of values."""
        return isinstance(self.entry(index), MapType)

    def name(self, index: TypeIndex) -> str:
        """Return the type as the language writes it, such as `List[Update]`."""
        entry = self.entry(index)
        match entry:
            case None:
                return SCALAR_NAMES[index]
            case ListType(item=item):
                return f"List[{self.name(item)}]"
            case OptionType(item=item):
                return f"Option[{self.name(item)}]"
            case MapType(key=key, value=value):
                return f"Map[{self.name(key)}, {self.name(value)}]"
            case RecordType(name=name):
                return name
            case _:
                assert_never(entry)

    def signature(self, index: TypeIndex) -> str:
        """Return the structure of the type: equal for types of two modules that mean the same.

        A record is its fields with names and types; its own name does not count.
        `TYPE_LEAVES_MAX` bounds the length.
        """
        entry = self.entry(index)
        match entry:
            case None:
                return SCALAR_NAMES[index]
            case ListType(item=item):
                return f"List[{self.signature(item)}]"
            case OptionType(item=item):
                return f"Option[{self.signature(item)}]"
            case MapType(key=key, value=value):
                return f"Map[{self.signature(key)},{self.signature(value)}]"
            case RecordType(fields=fields):
                parts = (f"{field.name}:{self.signature(field.type)}" for field in fields)
                return f"{{{','.join(parts)}}}"
            case _:
                assert_never(entry)

    def signature_digest(self, index: TypeIndex) -> str:
        """Return a short text, equal for two types exactly if their signatures are.

        A signature is as long as the type is wide; this is made from the digests of the parts, once
        for each type.
        """
        digest = self._digests.get(index)
        if digest is None:
            digest = self._digests[index] = self._made_digest(self.entry(index), index)
        return digest

    def leaves(self, index: TypeIndex) -> int:
        """Return how many scalars the type has, with all records spelt out; a Map, its values."""
        leaves = self._leaves.get(index)
        if leaves is None:
            leaves = self._leaves[index] = self._counted_leaves(self.entry(index))
        return leaves

    def _made_digest(self, entry: CompositeType | None, index: TypeIndex) -> str:
        match entry:
            case None:
                return SCALAR_NAMES[index]
            case ListType(item=item):
                text = f"List[{self.signature_digest(item)}]"
            case OptionType(item=item):
                text = f"Option[{self.signature_digest(item)}]"
            case MapType(key=key, value=value):
                text = f"Map[{self.signature_digest(key)},{self.signature_digest(value)}]"
            case RecordType(fields=fields):
                text = ",".join(
                    f"{part.name}:{self.signature_digest(part.type)}" for part in fields
                )
            case _:
                assert_never(entry)
        return hashlib.sha256(text.encode()).hexdigest()

    def _counted_leaves(self, entry: CompositeType | None) -> int:
        match entry:
            case None:
                return 1
            case ListType(item=item) | OptionType(item=item) | MapType(value=item):
                return self.leaves(item)
            case RecordType(fields=fields):
                return sum(self.leaves(field.type) for field in fields)
            case _:
                assert_never(entry)
