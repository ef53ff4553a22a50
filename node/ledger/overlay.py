"""Writes that are not agreed yet, over a state that is: nested, and undone in constant time each.

Everything that runs inside one commit reads and writes through one `Overlay`. A transaction takes a
mark before it starts; a failure rolls back to the mark, so a failed transition writes nothing.
"""

import enum
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


class _Unknown(enum.Enum):
    UNKNOWN = enum.auto()


_UNKNOWN: Final = _Unknown.UNKNOWN


class Overlay:
    """Collect the writes of one commit over the state below; itself a `StateReader`."""

    __slots__ = ("_below", "_now", "_read", "_undo")

    def __init__(self, below: StateReader) -> None:
        self._below = below
        self._now: dict[bytes, bytes | None] = {}
        self._read: dict[bytes, bytes | None] = {}
        self._undo: list[tuple[bytes, bytes | _Unknown | None]] = []

    def get(self, key: bytes) -> bytes | None:
        """Return the value of the key as the writes so far left it, None if there is none."""
        # What was read and what was written stand together, so that most reads are one lookup.
        value = self._now.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._now[key] = self._read[key] = self._below.get(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Give the key a value."""
        now = self._now
        self._undo.append((key, now.get(key, _UNKNOWN)))
        now[key] = value

    def delete(self, key: bytes) -> None:
        """Take the value of the key away; harmless where there is none."""
        now = self._now
        self._undo.append((key, now.get(key, _UNKNOWN)))
        now[key] = None

    def mark(self) -> Mark:
        """Return the present moment, to roll back to."""
        return Mark(len(self._undo))

    def rollback(self, mark: Mark) -> None:
        """Undo every write since the mark, newest first."""
        undo = self._undo
        now = self._now
        while len(undo) > mark:
            key, before = undo.pop()
            if before is _UNKNOWN:
                del now[key]
            else:
                now[key] = before

    def changes(self) -> dict[bytes, bytes | None]:
        """Return what differs from the state below, by ascending key; None means deleted."""
        now, read = self._now, self._read
        changed: list[bytes] = []
        for key, value in now.items():
            before = read.get(key, _UNKNOWN)
            if before is _UNKNOWN:
                before = self._below.get(key)
            if value != before:
                changed.append(key)
        changed.sort()
        return {key: now[key] for key in changed}
