"""Say what a clock is; the real one lives in a shell, the virtual one in the simulator.

Deadlines compare monotonic times, which never jump; wall times go into blocks, where others judge
them. Pure rooms receive an `Instant` and own no clock.
"""

from typing import Protocol

import msgspec


class Clock(Protocol):
    """A source of both times."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment; never less than before."""
        ...

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch; may jump either way."""
        ...


class Instant(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Both readings of one clock, taken together."""

    monotonic_ms: int
    wall_ms: int
