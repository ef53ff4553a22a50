"""What a worker may use of the machine it runs on, and that machine's clock."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What a worker may use.

    Args:
        device: auto, cpu, cuda or cuda:N.
        threads: at most so many cores.
    """

    device: str
    threads: int


class MachineClock:
    """The clock of the operating system."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment."""
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000
