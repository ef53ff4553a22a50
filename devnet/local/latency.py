"""How long a link takes, and the line in which bytes wait for as long.

Sans-I/O: the time comes in with every call. Bytes leave a line in the order in which they came,
as TCP has it, so jitter stretches and bunches them but lets none overtake.
"""

import enum
import random
import re
from collections import deque
from typing import Final, TypeAlias

import msgspec
from typing_extensions import override

from devnet.local.errors import PlanError

LATENCY_MS_MAX: Final = 1_000
LINE_BYTES_MAX: Final = 4 << 20
"""On its way at a time: a line of 40 ms still carries a hundred megabytes a second."""

_FORM: Final = re.compile(r"\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?")
_MS_PER_S: Final = 1_000


class Latency(msgspec.Struct, frozen=True):
    """How long bytes take from one node to another, beyond what loopback takes.

    Args:
        mean_ms: one way; 0: nothing is delayed.
        jitter_ms: delays are drawn evenly from so much below the mean to so much above it.
    """

    mean_ms: int = 0
    jitter_ms: int = 0

    @property
    def is_felt(self) -> bool:
        """Tell whether anything is delayed."""
        return self.mean_ms > 0

    @override
    def __str__(self) -> str:
        """Return it in words."""
        if not self.is_felt:
            return "none but that of loopback"
        jitter = f" +-{self.jitter_ms}" if self.jitter_ms else ""
        return f"{self.mean_ms}{jitter} ms one way"


@enum.unique
class Ending(enum.Enum):
    """How a direction of a connection ends."""

    FINISHED = "finished"
    """Whoever sends has said everything."""

    LOST = "lost"
    """The connection is gone."""


Parcel: TypeAlias = bytes | Ending


class DelayLine:
    """What is on its way in one direction of one connection.

    Args:
        latency: of the link.
        dice: for jitter.
        bytes_max: at which the line is full, and whoever fills it shall wait.
    """

    def __init__(
        self, latency: Latency, *, dice: random.Random, bytes_max: int = LINE_BYTES_MAX
    ) -> None:
        self._latency = latency
        self._dice = dice
        self._bytes_max = bytes_max
        # Bounded by `bytes_max`, since whoever fills it asks `is_full`.
        self._parcels: deque[tuple[float, Parcel]] = deque()
        self._size_bytes = 0
        self._last_due_s = 0.0

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more should be put in for now."""
        return self._size_bytes >= self._bytes_max

    @property
    def next_due_s(self) -> float | None:
        """Return when the first parcel arrives, None for an empty line."""
        return self._parcels[0][0] if self._parcels else None

    def put(self, parcel: Parcel, *, now_s: float) -> None:
        """Send a parcel off."""
        self._last_due_s = max(self._last_due_s, now_s + self._drawn_s())
        self._parcels.append((self._last_due_s, parcel))
        self._size_bytes += _size_bytes(parcel)

    def take(self, *, now_s: float) -> Parcel | None:
        """Return the next parcel that has arrived, None if there is none yet."""
        if not self._parcels or self._parcels[0][0] > now_s:
            return None
        _, parcel = self._parcels.popleft()
        self._size_bytes -= _size_bytes(parcel)
        return parcel

    def _drawn_s(self) -> float:
        spread = self._dice.uniform(-1, 1) * self._latency.jitter_ms
        return (self._latency.mean_ms + spread) / _MS_PER_S


def parse_latency(text: str) -> Latency:
    """Return what "40" or "40,10" says; nothing says nothing is delayed.

    Raises:
        PlanError: it is not of that form, or too much.
    """
    if not text.strip():
        return Latency()
    found = _FORM.fullmatch(text)
    if found is None:
        raise PlanError(f"--latency is MEAN or MEAN,JITTER in ms, as 40 or 40,10; not {text!r}")
    mean_ms, jitter_ms = int(found[1]), int(found[2] or 0)
    if mean_ms > LATENCY_MS_MAX:
        raise PlanError(f"--latency is {LATENCY_MS_MAX} ms at most, not {mean_ms}")
    if jitter_ms > mean_ms:
        raise PlanError(f"--latency: a mean of {mean_ms} ms cannot vary by {jitter_ms} ms")
    return Latency(mean_ms, jitter_ms)


def _size_bytes(parcel: Parcel) -> int:
    return len(parcel) if isinstance(parcel, bytes) else 0
