"""The clocks of a probe: its own CPU, and those of the machine for its host."""

import time
from dataclasses import dataclass
from typing import Self

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Meter:
    """One reading of the wall and of the CPU that all threads of this program have used."""

    seconds: float
    cpu_s: float

    @classmethod
    def read(cls) -> Self:
        """Read both now."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, earlier: "Meter") -> "Meter":
        """Return what passed between two readings."""
        return Meter(self.seconds - earlier.seconds, self.cpu_s - earlier.cpu_s)


class MachineClock:
    """The clock of this machine, as `primitives.clock.Clock`."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment; never less than before."""
        return time.monotonic_ns() // _NS_PER_MS

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch; may jump either way."""
        return time.time_ns() // _NS_PER_MS
