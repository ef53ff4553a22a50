"""Bound a rate: a bucket fills steadily, every action takes some of it out.

Source: the token bucket of RFC 2697, with one colour. Time is passed in.
"""

from typing import Final

_MS_PER_S: Final = 1_000


class TokenBucket:
    """One rate with a burst; it may go into debt, which delays what follows."""

    __slots__ = ("_burst", "_filled_ms", "_per_s", "_tokens")

    def __init__(self, *, per_s: int, burst: int, now_ms: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens: float = burst
        self._filled_ms = now_ms

    def take(self, amount: int, *, now_ms: int) -> int:
        """Take an amount and return for how many ms the next taker has to wait, mostly 0."""
        self._fill(now_ms)
        self._tokens -= amount
        if self._tokens >= 0:
            return 0
        return 1 + int(-self._tokens * _MS_PER_S / self._per_s)

    def has(self, amount: int, *, now_ms: int) -> bool:
        """Take an amount if it is there; tell whether it was."""
        self._fill(now_ms)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def is_full(self, *, now_ms: int) -> bool:
        """Tell whether nothing was taken for so long that the bucket may be forgotten."""
        self._fill(now_ms)
        return self._tokens >= self._burst

    def _fill(self, now_ms: int) -> None:
        elapsed_ms = now_ms - self._filled_ms
        if elapsed_ms > 0:
            self._filled_ms = now_ms
            grown = self._tokens + elapsed_ms * self._per_s / _MS_PER_S
            self._tokens = min(self._burst, grown)
