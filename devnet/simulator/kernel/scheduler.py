"""The heap of future events, the labelled dice and the trace hash: the only clock of a simulation.

Invariant: the executed events, and so the trace hash, are a function of the seed and of the code.
At one instant faults come before messages and messages before timers; equal ones run in order of
scheduling, or in seeded random order under `TieOrder.SHUFFLED`.
"""

import enum
import hashlib
import struct
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

TRACE_BUFFER_BYTES_MAX = 64 * 1024

_SEQUENCE_BITS = 48
_TIE_BITS = 32
_TRACE_HEAD = struct.Struct("<QiI")

# (time_us, priority, tie, callback, args); the tie is unique, so callbacks are never compared.
_Entry = tuple[int, int, int, Callable[..., None], tuple[Any, ...]]


class Priority(enum.IntEnum):
    """Which events come first at one instant."""

    FAULT = 0
    MESSAGE = 1
    TIMER = 2


class TieOrder(enum.Enum):
    """The order of events of one priority at one instant."""

    FIFO = enum.auto()
    SHUFFLED = enum.auto()


class Alarm:
    """A cancellable event; once cancelled it waits in the heap for its time and does nothing."""

    __slots__ = ("_args", "_callback")

    def __init__(self, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._callback: Callable[..., None] | None = callback
        self._args = args

    @property
    def is_pending(self) -> bool:
        """Tell whether the event is still to come."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the event; harmless after it ran."""
        self._callback = None
        self._args = ()

    def ring(self) -> None:
        """Run the event once, unless it was cancelled."""
        callback, args = self._callback, self._args
        if callback is not None:
            self.cancel()
            callback(*args)


class Scheduler:
    """Run callbacks in order of virtual time, microsecond by microsecond."""

    def __init__(self, seed: int, *, tie_order: TieOrder = TieOrder.FIFO) -> None:
        self.now_us = 0
        self.executed_count = 0
        self.seed = seed
        self._heap: list[_Entry] = []
        self._sequence = 0
        self._dice: dict[str, Random] = {}
        self._tie_bits = (
            self.rng("scheduler.ties").getrandbits if tie_order is TieOrder.SHUFFLED else None
        )
        self._trace = bytearray()
        self._trace_hash = hashlib.sha256()
        self._trace_kinds: dict[str, bytes] = {}

    @property
    def next_us(self) -> int | None:
        """Return the time of the next event, or None when nothing is scheduled."""
        return self._heap[0][0] if self._heap else None

    def rng(self, label: str) -> Random:
        """Return the dice of one concern, the same object for the same label.

        Each label has its own stream, so that switching one fault on does not shift the draws of
        another.
        """
        dice = self._dice.get(label)
        if dice is None:
            digest = hashlib.sha256(f"hanse.simulator.dice/{self.seed}/{label}".encode()).digest()
            dice = self._dice[label] = Random(int.from_bytes(digest, "big"))
        return dice

    def at(
        self,
        time_us: int,
        callback: Callable[..., None],
        *args: Any,  # noqa: ANN401 - the arguments of any callback
        priority: Priority = Priority.MESSAGE,
    ) -> None:
        """Run `callback(*args)` at a time that has not passed."""
        assert time_us >= self.now_us, "an event cannot be scheduled in the past"
        tie = self._sequence = self._sequence + 1
        if self._tie_bits is not None:
            tie |= self._tie_bits(_TIE_BITS) << _SEQUENCE_BITS
        heappush(self._heap, (time_us, priority, tie, callback, args))

    def after(
        self,
        delay_us: int,
        callback: Callable[..., None],
        *args: Any,  # noqa: ANN401 - the arguments of any callback
        priority: Priority = Priority.MESSAGE,
    ) -> None:
        """Run `callback(*args)` after a delay of zero or more."""
        self.at(self.now_us + delay_us, callback, *args, priority=priority)

    def alarm(
        self,
        time_us: int,
        callback: Callable[..., None],
        *args: Any,  # noqa: ANN401 - the arguments of any callback
        priority: Priority = Priority.TIMER,
    ) -> Alarm:
        """Schedule like `at` and return a handle that can cancel."""
        alarm = Alarm(callback, args)
        self.at(time_us, alarm.ring, priority=priority)
        return alarm

    def run_until(self, time_us: int) -> None:
        """Run every event up to and including a time, then stand at that time."""
        heap = self._heap
        executed_count = 0
        try:
            while heap and heap[0][0] <= time_us:
                self.now_us, _, _, callback, args = heappop(heap)
                executed_count += 1
                callback(*args)
        finally:
            # A violated invariant raises out of a callback; the count must still be right.
            self.executed_count += executed_count
        self.now_us = max(self.now_us, time_us)

    def step(self) -> bool:
        """Run the next event; return False when there is none."""
        if not self._heap:
            return False
        self.now_us, _, _, callback, args = heappop(self._heap)
        self.executed_count += 1
        callback(*args)
        return True

    def trace(self, kind: str, node: int, detail: bytes = b"") -> None:
        """Add one executed event to the trace hash.

        Args:
            kind: from a small set of labels.
            node: where it happened, -1 for nowhere.
            detail: what happened; keep it short (a digest), every byte is hashed.
        """
        label = self._trace_kinds.get(kind)
        if label is None:
            label = self._trace_kinds[kind] = f"{len(kind)}:{kind}".encode()
        trace = self._trace
        trace += _TRACE_HEAD.pack(self.now_us, node, len(detail))
        trace += label
        trace += detail
        if len(trace) > TRACE_BUFFER_BYTES_MAX:
            self._trace_hash.update(trace)
            trace.clear()

    def trace_hash(self) -> str:
        """Return the hash of everything traced so far, in hexadecimal."""
        trace_hash = self._trace_hash.copy()
        trace_hash.update(self._trace)
        return trace_hash.hexdigest()
