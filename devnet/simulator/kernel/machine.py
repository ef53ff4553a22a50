"""One simulated machine: a processor, a disk and a clock under one sans-I/O program.

Invariant: the program has one owner, gets one input at a time, and the effects of an input are
carried out in order; a machine that crashed never carries out another effect, fires another timer
or reads another input of that life.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.disk import Disk, DiskFailureError
from devnet.simulator.kernel.input_queue import InputQueue
from devnet.simulator.kernel.program import CrashCause, MachineCounters, Program
from devnet.simulator.kernel.scheduler import Scheduler
from devnet.simulator.kernel.timers import Timers
from primitives.clock import Instant

InputT = TypeVar("InputT")
EffectT = TypeVar("EffectT")


class Machine(Generic[InputT, EffectT]):
    """Hosts a program; starts powered off.

    Args:
        install: builds the program around this machine.

    Attributes:
        processing_us: how long the processor takes over each input before the program sees it.
        on_crash: called after the machine went down, whatever the cause.
    """

    def __init__(
        self,
        node: int,
        scheduler: Scheduler,
        install: Callable[["Machine[InputT, EffectT]"], Program[InputT, EffectT]],
        *,
        disk: Disk,
        clock: NodeClock,
    ) -> None:
        self.node = node
        self.disk = disk
        self.clock = clock
        self.counters = MachineCounters()
        self.processing_us = 0
        self.on_crash: Callable[[int, CrashCause], None] | None = None
        self._scheduler = scheduler
        self._crash_rng = scheduler.rng(f"machine.{node}.crash")
        self._life = 0
        self._is_up = False
        # Busy: running, blocked, processing or paused. Only an idle machine takes an input inline.
        self._is_busy = False
        self._is_paused = False
        self._was_woken = False
        self._timers: Timers[InputT] = Timers(scheduler, clock, self._fire)
        self._queue: InputQueue[InputT] = InputQueue()
        self._rest: tuple[Sequence[EffectT], int] = ((), 0)
        self._crash_at_effect = -1
        self._program = install(self)

    @property
    def is_up(self) -> bool:
        """Tell whether the machine is powered on; a paused one is."""
        return self._is_up

    @property
    def is_paused(self) -> bool:
        """Tell whether the program is stopped by a signal."""
        return self._is_paused

    def now(self) -> Instant:
        """Read this machine's clocks."""
        return self.clock.instant(self._scheduler.now_us)

    def start(self) -> None:
        """Power on and boot the program; harmless when it is up."""
        if self._is_up:
            return
        self._is_up = True
        self._is_busy = True
        self.counters.boots += 1
        self.clock.reboot(self._scheduler.now_us)
        self._scheduler.trace("boot", self.node)
        if self._carry_out(self._life, self._program.boot(self.now()), 0):
            self._drain()

    def receive(self, event: InputT) -> bool:
        """Take an input from the network; return False when the machine is down."""
        if not self._is_up:
            return False
        if self._is_busy:
            self.counters.overflowed += self._queue.put_network(event)
        else:
            self._begin(event)
        return True

    def submit(self, event: InputT) -> None:
        """Take a local input (a timer, a finished job); never dropped while the machine is up."""
        if self._is_busy:
            self._queue.put_local(event)
        elif self._is_up:
            self._begin(event)

    def submit_after(self, delay_us: int, event: InputT) -> None:
        """Take a local input later, if this life lasts until then."""
        self._scheduler.after(delay_us, self._submit_in_life, self._life, event)

    def set_timer(self, key: Hashable, deadline_ms: int, event: InputT) -> None:
        """Submit an input at a monotonic deadline; replaces the timer of the same key."""
        self._timers.set(key, deadline_ms, event)

    def cancel_timer(self, key: Hashable) -> None:
        """Forget a timer, if it is set."""
        self._timers.cancel(key)

    def set_clock_rate_error(self, permille: int) -> None:
        """Let the clock run fast or slow from now on, and the timers with it."""
        self.clock.set_rate_error(permille, self._scheduler.now_us)
        self._timers.rearm()

    def crash(self, cause: CrashCause = CrashCause.KILLED) -> None:
        """Lose power now; harmless when down. May be called from inside an effect."""
        if not self._is_up:
            return
        self._is_up = False
        self._life += 1
        self._is_busy = self._is_paused = self._was_woken = False
        self._queue.clear()
        self._rest = ((), 0)
        self._timers.clear()
        self._crash_at_effect = -1
        self.disk.crash(self._crash_rng)
        self.counters.crashes += 1
        self._scheduler.trace("crash", self.node)
        if self.on_crash is not None:
            self.on_crash(self.node, cause)

    def crash_before_effect(self, count: int) -> None:
        """Crash at an effect boundary: 1 is before the next effect, 2 before the one after it."""
        assert count >= 1, "the next effect is number 1"
        self._crash_at_effect = self.counters.effects + count

    def cancel_crash(self) -> None:
        """Forget a planned crash."""
        self._crash_at_effect = -1

    @property
    def has_planned_crash(self) -> bool:
        """Tell whether a crash at an effect is still to come."""
        return self._crash_at_effect >= 0

    def pause(self) -> None:
        """Stop the program as SIGSTOP does: inputs queue, timers are late, the clock goes on."""
        if self._is_up and not self._is_paused:
            self._is_paused = True
            self._was_woken = not self._is_busy
            self._is_busy = True

    def resume(self) -> None:
        """Let the program go on; harmless when it is not paused."""
        if not self._is_paused:
            return
        self._is_paused = False
        if self._was_woken:
            self._was_woken = False
            self._wake(self._life)

    def _begin(self, event: InputT) -> None:
        """Process an input on an idle machine, and then what queued up meanwhile."""
        self._is_busy = True
        if self._take(event):
            self._drain()

    def _drain(self) -> None:
        """Take queued inputs until none is left or something blocks."""
        while self._queue and not self._is_paused:
            if not self._take(self._queue.take()):
                return
        self._was_woken = self._is_paused
        self._is_busy = self._is_paused

    def _take(self, event: InputT) -> bool:
        """Start on an input; return whether the machine is ready for the next."""
        if self.processing_us:
            self._scheduler.after(self.processing_us, self._end_processing, self._life, event)
            return False
        return self._feed(event)

    def _feed(self, event: InputT) -> bool:
        """Let the program see an input; return whether the machine is ready for the next."""
        self.counters.inputs += 1
        # The life is read first: after a crash inside `handle`, nothing it returns may be done.
        return self._carry_out(self._life, self._program.handle(event, self.now()), 0)

    def _end_processing(self, life: int, event: InputT) -> None:
        """Let the program see an input that the processor was slow to get to."""
        if life != self._life:
            return
        if self._is_paused:
            self._queue.put_back(event)
            self._was_woken = True
        elif self._feed(event):
            self._drain()

    def _carry_out(self, life: int, effects: Sequence[EffectT], start: int) -> bool:
        """Execute effects in order; return False when one of them crashed or blocked us."""
        if life != self._life:
            return False
        counters = self.counters
        blocked_us = 0
        for index in range(start, len(effects)):
            counters.effects += 1
            if counters.effects == self._crash_at_effect:
                self.crash(CrashCause.AT_EFFECT)
            else:
                try:
                    blocked_us = self._program.execute(effects[index])
                except DiskFailureError:
                    self.crash(CrashCause.DISK_FAILURE)
            if life != self._life:
                return False
            if blocked_us:
                self._rest = (effects, index + 1)
                self._scheduler.after(blocked_us, self._wake, life)
                return False
        return True

    def _wake(self, life: int) -> None:
        """Go on after an effect that blocked, or after a pause."""
        if life != self._life:
            return
        if self._is_paused:
            self._was_woken = True
            return
        (effects, start), self._rest = self._rest, ((), 0)
        if self._carry_out(life, effects, start):
            self._drain()

    def _submit_in_life(self, life: int, event: InputT) -> None:
        """Submit an input unless the machine has crashed since it was scheduled."""
        if life == self._life:
            self.submit(event)

    def _fire(self, event: InputT) -> None:
        """Submit the input of a timer."""
        self.counters.timers += 1
        self._scheduler.trace("timer", self.node)
        self.submit(event)
