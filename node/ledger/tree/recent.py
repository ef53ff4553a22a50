"""What was used of late, bounded by its size.

Two halves: what is found in the older one moves to the newer one; once the newer one is full, it
becomes the older one, and what was in that is forgotten. So nothing is sorted and no clock is kept,
and what is used more often than a half fills stays.
"""

from collections.abc import Mapping
from copy import copy
from typing import Generic, Self, TypeVar

from node.ledger.tree.log import Record

K = TypeVar("K")
V = TypeVar("V", bound=Record)


class Recent(Generic[K, V]):
    """Byte strings by key; belongs to one thread.

    Args:
        bytes_max: of everything together, but for what was added to either half at once.
        extra_bytes: what is counted for each value besides its bytes.
    """

    __slots__ = ("_extra", "_half_max", "_newer", "_newer_bytes", "_older")

    def __init__(self, *, bytes_max: int, extra_bytes: int) -> None:
        self._half_max = bytes_max // 2
        self._extra = extra_bytes
        self._newer: dict[K, V] = {}
        self._older: dict[K, V] = {}
        self._newer_bytes = 0

    def get(self, key: K) -> V | None:
        """Return the value, None if it is not remembered."""
        found = self._newer.get(key)
        if found is None:
            found = self._older.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def take(self, key: K) -> V | None:
        """Return the value and forget it, None if it is not remembered."""
        older = self._older.pop(key, None)
        found = self._newer.pop(key, None)
        if found is None:
            return older
        self._newer_bytes -= len(found) + self._extra
        return found

    def put(self, key: K, value: V) -> None:
        """Remember a value, instead of the one that was remembered by the key."""
        newer = self._newer
        before = newer.get(key)
        newer[key] = value
        self._newer_bytes += len(value) + (self._extra if before is None else -len(before))
        if self._newer_bytes > self._half_max:
            self._turn_over()

    def put_all(self, values: Mapping[K, V]) -> None:
        """Remember these values, instead of those that were remembered by their keys."""
        newer, extra = self._newer, self._extra
        added = 0
        for key, value in values.items():
            before = newer.get(key)
            added += len(value) + (extra if before is None else -len(before))
            newer[key] = value
        self._newer_bytes += added
        if self._newer_bytes > self._half_max:
            self._turn_over()

    def hand_over(self) -> Self:
        """Return another with everything that is remembered here; afterwards nothing is."""
        heir = copy(self)
        self._newer, self._older, self._newer_bytes = {}, {}, 0
        return heir

    def _turn_over(self) -> None:
        self._older, self._newer, self._newer_bytes = self._newer, {}, 0
