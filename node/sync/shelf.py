"""Which states this node holds for those who fetch them: few, and none for long.

Guards: every held state costs the disk space of all commits since, so their number is bounded, and
one that nobody asks about is let go. One place is for the newest state, which this node chooses, so
that nobody can fill the shelf with states that are of use to no one.
"""

from typing import Protocol

from node.storage.state_errors import HoldLimitError, StatePrunedError
from node.sync.limits import ServingLimits
from primitives.ids import Height


class Holds(Protocol):
    """What keeps old states; a `StateStore` does."""

    def hold(self, height: Height) -> None:
        """Keep the state at a height."""
        ...

    def release(self, height: Height) -> None:
        """End that."""
        ...


class _Held:
    """One state on the shelf."""

    __slots__ = ("since_ms", "used_ms")

    def __init__(self, now_ms: int) -> None:
        self.since_ms = now_ms
        self.used_ms = now_ms


class Shelf:
    """The held states."""

    def __init__(self, holds: Holds, *, limits: ServingLimits) -> None:
        self._holds = holds
        self._limits = limits
        self._held: dict[Height, _Held] = {}

    @property
    def heights(self) -> tuple[Height, ...]:
        """Return the heights of the held states."""
        return tuple(self._held)

    def fresh(self, *, now_ms: int) -> Height | None:
        """Return the newest held state that may be offered still; None if it is time for one."""
        newest = max(self._held, default=None)
        if newest is None:
            return None
        age_ms = now_ms - self._held[newest].since_ms
        return newest if age_ms < self._limits.snapshot_fresh_ms else None

    def use(self, height: Height, *, now_ms: int) -> bool:
        """Note that somebody asks for a held state; tell whether it is held."""
        held = self._held.get(height)
        if held is not None:
            held.used_ms = now_ms
        return held is not None

    def offer(self, height: Height, *, now_ms: int) -> bool:
        """Hold our own choice; tell whether there is room for it."""
        return self._take(height, now_ms=now_ms, room=self._limits.snapshots_max)

    def request(self, height: Height, *, now_ms: int) -> bool:
        """Hold the choice of somebody else; tell whether there is room beside our own."""
        return self._take(height, now_ms=now_ms, room=self._limits.snapshots_max - 1)

    def tidy(self, *, now_ms: int) -> None:
        """Let go what nobody asked about for a while."""
        idle_ms = self._limits.snapshot_idle_ms
        for height in [at for at, held in self._held.items() if now_ms - held.used_ms >= idle_ms]:
            self._let_go(height)

    def clear(self) -> None:
        """Let go everything."""
        for height in self.heights:
            self._let_go(height)

    def _take(self, height: Height, *, now_ms: int, room: int) -> bool:
        self.tidy(now_ms=now_ms)
        if self.use(height, now_ms=now_ms):
            return True
        if len(self._held) >= room:
            return False
        try:
            self._holds.hold(height)
        except (StatePrunedError, HoldLimitError):
            return False
        self._held[height] = _Held(now_ms)
        return True

    def _let_go(self, height: Height) -> None:
        del self._held[height]
        self._holds.release(height)
