"""Writes that are not agreed yet, over a state that is: nested, and undone in constant time each.

Everything that runs inside one commit reads and writes through one `Overlay`. A transaction takes a
mark before it starts; a failure rolls back to the mark, so a failed transition writes nothing.
"""

import enum
from collections.abc import Mapping
from typing import Final, NewType, Protocol

from typing_extensions import override

Mark = NewType("Mark", int)
"""A moment in the life of one overlay."""


class StateReader(Protocol):
    """The state after some commit; it never changes while somebody reads it."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of the key, None if there is none."""
        ...


class EmptyState(StateReader):
    """What is there before genesis."""

    @override
    def get(self, key: bytes) -> bytes | None:
        return None


class _Unwritten(enum.Enum):
    UNWRITTEN = enum.auto()


_UNWRITTEN: Final = _Unwritten.UNWRITTEN


class Overlay:
    """Collect the writes of one commit over the state below; itself a `StateReader`."""

    __slots__ = ("_below", "_read", "_undo", "_written")

    def __init__(self, below: StateReader) -> None:
        self._below = below
        self._read: dict[bytes, bytes | None] = {}
        self._written: dict[bytes, bytes | None] = {}
        self._undo: list[tuple[bytes, bytes | _Unwritten | None]] = []

    def get(self, key: bytes) -> bytes | None:
        """Return the value of the key as the writes so far left it, None if there is none."""
        value = self._written.get(key, _UNWRITTEN)
        if value is not _UNWRITTEN:
            return value
        if key in self._read:
            return self._read[key]
        below = self._below.get(key)
        self._read[key] = below
        return below

    def put(self, key: bytes, value: bytes) -> None:
        """Give the key a value."""
        self._undo.append((key, self._written.get(key, _UNWRITTEN)))
        self._written[key] = value

    def delete(self, key: bytes) -> None:
        """Take the value of the key away; harmless where there is none."""
        self._undo.append((key, self._written.get(key, _UNWRITTEN)))
        self._written[key] = None

    def mark(self) -> Mark:
        """Return the present moment, to roll back to."""
        return Mark(len(self._undo))

    def rollback(self, mark: Mark) -> None:
        """Undo every write since the mark, newest first."""
        undo = self._undo
        written = self._written
        while len(undo) > mark:
            key, before = undo.pop()
            if before is _UNWRITTEN:
                del written[key]
            else:
                written[key] = before

    def changes(self) -> Mapping[bytes, bytes | None]:
        """Return what differs from the state below, by ascending key; None means deleted."""
        return {
            key: value
            for key, value in sorted(self._written.items())
            if value != self._below_value(key)
        }

    def _below_value(self, key: bytes) -> bytes | None:
        return self._read[key] if key in self._read else self._below.get(key)
