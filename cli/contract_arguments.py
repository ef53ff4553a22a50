"""Arguments of contract calls: from the words of a command line to what a method takes.

The node says which types a method takes, as the contract language writes them; a record of a
contract's own is not known by its name, so such a method is called from a program.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from node.rpc.schemas import Json
from node.rpc.values import from_json, to_json
from node.vm.abi import PythonValue, to_value
from node.vm.type_table import TypeTable
from node.vm.types import (
    ADDRESS,
    BOOL,
    COMPOSITE_FIRST,
    SCALAR_NAMES,
    STR,
    CompositeType,
    ListType,
    OptionType,
    TypeIndex,
)
from node.vm.values import ValueCodec
from primitives.errors import ConfigurationError
from primitives.ids import Address

_GENERIC: Final = re.compile(r"(List|Option)\[(.+)\]")
_BOOLEANS: Final = {"true": True, "false": False}

ReadAddress = Callable[[str], Address]


class Signature:
    """The types of one method's arguments.

    Raises:
        ConfigurationError: a type that a command line cannot hold.
    """

    def __init__(self, params: Sequence[str]) -> None:
        self._entries: list[CompositeType] = []
        self._params = [self._index(param) for param in params]
        self._table = TypeTable(self._entries)

    def values(self, words: Sequence[str], read_address: ReadAddress) -> list[PythonValue]:
        """Return the values that words stand for.

        Raises:
            ConfigurationError: their number is another, or one is none of its type.
        """
        if len(words) != len(self._params):
            names = ", ".join(self._table.name(param) for param in self._params) or "nothing"
            raise ConfigurationError(f"the method takes {names}; {len(words)} words were given")
        return [
            from_json(self._table, param, self._json(param, word, read_address))
            for param, word in zip(self._params, words, strict=True)
        ]

    def jsons(self, words: Sequence[str], read_address: ReadAddress) -> list[Json]:
        """Return the same as JSON, as the API takes it."""
        values = self.values(words, read_address)
        return [
            to_json(self._table, param, value)
            for param, value in zip(self._params, values, strict=True)
        ]

    def encode(self, values: Sequence[PythonValue]) -> bytes:
        """Return the arguments as a transaction carries them.

        Raises:
            ForeignValueError: a value is out of the range of its type.
        """
        codec = ValueCodec.of_fields(self._entries, self._params)
        return codec.encode(
            tuple(
                to_value(self._table, param, value)
                for param, value in zip(self._params, values, strict=True)
            )
        )

    def _index(self, name: str) -> TypeIndex:
        if name in SCALAR_NAMES:
            return TypeIndex(SCALAR_NAMES.index(name))
        generic = _GENERIC.fullmatch(name)
        if generic is None:
            raise ConfigurationError(f"a {name} cannot be written on a command line")
        item = self._index(generic[2])
        entry = ListType(item) if generic[1] == "List" else OptionType(item)
        if entry not in self._entries:
            self._entries.append(entry)
        return TypeIndex(COMPOSITE_FIRST + self._entries.index(entry))

    def _json(self, param: TypeIndex, word: str, read_address: ReadAddress) -> Json:
        if param == ADDRESS:
            return read_address(word).hex()
        if param == STR:
            return word
        if param == BOOL:
            return _BOOLEANS.get(word.lower(), word)
        if param < COMPOSITE_FIRST:
            return word
        try:
            return json.loads(word)
        except (ValueError, RecursionError) as error:
            name = self._table.name(param)
            raise ConfigurationError(f"{word[:60]!r} is no {name}: write it as JSON") from error
