"""The timers of one life of a machine: one per key, in the machine's own monotonic time.

Invariant: a timer never fires early by its machine's clock, nor after it was replaced or cleared.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.scheduler import Priority, Scheduler

InputT = TypeVar("InputT")


class _Timer(Generic[InputT]):
    """A pending timer; a new object for every setting, so identity tells the latest."""

    __slots__ = ("deadline_ms", "event")

    def __init__(self, deadline_ms: int, event: InputT) -> None:
        self.deadline_ms = deadline_ms
        self.event = event


class Timers(Generic[InputT]):
    """Hands the input of each timer to `fire` when its deadline has come."""

    def __init__(
        self, scheduler: Scheduler, clock: NodeClock, fire: Callable[[InputT], None]
    ) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._fire = fire
        self._pending: dict[Hashable, _Timer[InputT]] = {}

    def set(self, key: Hashable, deadline_ms: int, event: InputT) -> None:
        """Fire once the monotonic clock shows the deadline; replaces the timer of the same key."""
        timer = self._pending[key] = _Timer(deadline_ms, event)
        due_us = max(self._clock.due_us(deadline_ms), self._scheduler.now_us)
        self._scheduler.at(due_us, self._expire, key, timer, priority=Priority.TIMER)

    def cancel(self, key: Hashable) -> None:
        """Forget a timer, if it is set."""
        self._pending.pop(key, None)

    def clear(self) -> None:
        """Forget all timers."""
        self._pending.clear()

    def rearm(self) -> None:
        """Convert every deadline anew, after the rate of the clock changed."""
        for key, timer in list(self._pending.items()):
            self.set(key, timer.deadline_ms, timer.event)

    def _expire(self, key: Hashable, timer: _Timer[InputT]) -> None:
        """Fire a timer that was not replaced, cancelled or cleared meanwhile."""
        if self._pending.get(key) is not timer:
            return
        now_ms = self._clock.monotonic_ms(self._scheduler.now_us)
        assert now_ms >= timer.deadline_ms, "a timer never fires early"
        del self._pending[key]
        self._fire(timer.event)
