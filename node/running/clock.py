"""The clock of this machine."""

import time
from typing import Final

_NS_PER_MS: Final = 1_000_000


class SystemClock:
    """Implements `primitives.clock.Clock`."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment; never less than before."""
        return time.monotonic_ns() // _NS_PER_MS

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch; may jump either way."""
        return time.time_ns() // _NS_PER_MS
