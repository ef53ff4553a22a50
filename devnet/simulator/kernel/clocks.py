"""The two clocks of a simulated node: monotonic for timers, wall for timestamps.

Invariant: the monotonic clock never goes back within one boot, whatever happens to its rate; a
deadline converted to true time is never early.
"""

from random import Random

from devnet.simulator.kernel.dice import uniform
from primitives.clock import Instant

RATE_ERROR_PERMILLE_MAX = 300
WALL_JUMP_MS_MAX = 600_000
WALL_ORIGIN_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z at virtual time zero
BOOT_ORIGIN_MS_MAX = 1_000_000_000

# A rate of 1000 nanoseconds per true microsecond is a perfect clock. Counting in nanoseconds makes
# every conversion exact; rounding at each change of rate once let a timer fire early.
_RATE_ONE = 1000
_NS_PER_MS = 1_000_000


class NodeClock:
    """What one node believes about time, given the true virtual time."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._rate = _RATE_ONE
        self._anchor_us = 0
        self._monotonic_ns = 0
        self._wall_ns = WALL_ORIGIN_MS * _NS_PER_MS
        self.reboot(0)

    @property
    def rate_error_permille(self) -> int:
        """Return by how much the clock runs fast (positive) or slow."""
        return self._rate - _RATE_ONE

    def instant(self, now_us: int) -> Instant:
        """Read both clocks at a true time that is not before the last change of either."""
        elapsed_ns = (now_us - self._anchor_us) * self._rate
        return Instant(
            (self._monotonic_ns + elapsed_ns) // _NS_PER_MS,
            (self._wall_ns + elapsed_ns) // _NS_PER_MS,
        )

    def monotonic_ms(self, now_us: int) -> int:
        """Read the monotonic clock."""
        return (self._monotonic_ns + (now_us - self._anchor_us) * self._rate) // _NS_PER_MS

    def due_us(self, deadline_ms: int) -> int:
        """Return the first true time at which the monotonic clock shows the deadline.

        The answer is in the past for a deadline that has passed, and holds until the rate changes.
        """
        remaining_ns = deadline_ms * _NS_PER_MS - self._monotonic_ns
        return self._anchor_us - (-remaining_ns // self._rate)

    def set_rate_error(self, permille: int, now_us: int) -> None:
        """Run fast (positive) or slow from now on; timers must be converted anew."""
        assert abs(permille) <= RATE_ERROR_PERMILLE_MAX, "rate error out of range"
        self._anchor(now_us)
        self._rate = _RATE_ONE + permille

    def jump_wall(self, delta_ms: int) -> None:
        """Set the wall clock forwards or backwards; the monotonic clock does not notice."""
        assert abs(delta_ms) <= WALL_JUMP_MS_MAX, "wall clock jump out of range"
        self._wall_ns += delta_ms * _NS_PER_MS

    def correct_wall(self, now_us: int) -> None:
        """Undo all jumps and drift of the wall clock, as a time server would."""
        self._anchor(now_us)
        self._wall_ns = WALL_ORIGIN_MS * _NS_PER_MS + now_us * _RATE_ONE

    def reboot(self, now_us: int) -> None:
        """Give the monotonic clock a new random origin; the wall clock goes on."""
        self._anchor(now_us)
        self._monotonic_ns = uniform(self._rng, 0, BOOT_ORIGIN_MS_MAX) * _NS_PER_MS

    def _anchor(self, now_us: int) -> None:
        """Bank the time that passed at the old rate."""
        elapsed_ns = (now_us - self._anchor_us) * self._rate
        self._monotonic_ns += elapsed_ns
        self._wall_ns += elapsed_ns
        self._anchor_us = now_us
