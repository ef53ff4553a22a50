"""What a nemesis does to machines: crashes, amnesia, pauses, slowness, sick disks, odd clocks.

Invariant: never more than `down_max` machines are down, or about to be, at one moment, and never
more than `amnesiacs_max` different ones lose or roll back their disk in one run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from devnet.simulator.kernel.clocks import WALL_JUMP_MS_MAX
from devnet.simulator.kernel.dice import pick, uniform
from devnet.simulator.kernel.faults import FaultKind, FaultPlan
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.kernel.network_strikes import Hold, Strike
from devnet.simulator.kernel.program import CrashCause
from devnet.simulator.kernel.scheduler import Priority, Scheduler

if TYPE_CHECKING:
    from devnet.simulator.kernel.disk import Snapshot

CRASH_EFFECTS_MAX = 200
DOWNTIME_US_MIN = 100_000
DOWNTIME_US_MAX = 10_000_000

AnyMachine = Machine[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CasualtyLimits:
    """How many machines may be down at once, and how many may ever lose their memory."""

    down_max: int
    amnesiacs_max: int


class MachineStrikes:
    """Strikes on machines; restarts what crashed after a random downtime.

    Attributes:
        crash_counts: how many crashes there were of each cause.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        machines: Sequence[AnyMachine],
        plan: FaultPlan,
        *,
        limits: CasualtyLimits,
        hold: Hold,
    ) -> None:
        self.crash_counts = dict.fromkeys(CrashCause, 0)
        self._scheduler = scheduler
        self._machines = machines
        self._plan = plan
        self._limits = limits
        self._hold = hold
        self._downtime_rng = scheduler.rng("nemesis.downtime")
        self._down: dict[int, AnyMachine] = {}
        self._slowed: dict[int, AnyMachine] = {}
        self._amnesiacs: dict[int, AnyMachine] = {}
        self._backups: dict[int, Snapshot] = {}

    def by_kind(self) -> dict[FaultKind, Strike]:
        """Return the strike of each kind."""
        return {
            FaultKind.CRASH: self._crash,
            FaultKind.CRASH_AT_EFFECT: self._crash_at_effect,
            FaultKind.AMNESIA: self._wipe,
            FaultKind.ROLLBACK: self._roll_back,
            FaultKind.PAUSE: self._pause,
            FaultKind.SLOW_NODE: self._slow_node,
            FaultKind.SLOW_DISK: self._slow_disk,
            FaultKind.DISK_ERROR: self._fail_disk,
            FaultKind.CLOCK_JUMP: self._jump_clock,
        }

    def watch(self) -> None:
        """Take over the restarts of all machines."""
        for machine in self._machines:
            machine.on_crash = self._note_crash

    def drift(self, permille_max: int) -> None:
        """Give every clock a random rate error."""
        rng = self._scheduler.rng(f"nemesis.{FaultKind.CLOCK_DRIFT}")
        for machine in self._machines:
            machine.set_clock_rate_error(uniform(rng, -permille_max, permille_max))

    def heal(self) -> None:
        """End what no episode ends by itself, and restart what crashed."""
        for machine in self._machines:
            machine.on_crash = None
            machine.cancel_crash()
            machine.disk.heal()
            machine.clock.correct_wall(self._scheduler.now_us)
        for node in list(self._down):
            self._restart(node)

    def _crash(self, rng: Random, length_us: int) -> bool:
        """Kill one machine."""
        machine = self._pick_victim(rng, self._machines)
        if machine is None:
            return False
        machine.crash()
        return True

    def _crash_at_effect(self, rng: Random, length_us: int) -> bool:
        """Let one machine die at an effect boundary that comes soon."""
        machine = self._pick_victim(rng, self._machines)
        if machine is not None:
            machine.crash_before_effect(uniform(rng, 1, CRASH_EFFECTS_MAX))
        return machine is not None

    def _fail_disk(self, rng: Random, length_us: int) -> bool:
        """Let the next sync of one machine fail, which stops it."""
        machine = self._pick_victim(rng, self._machines)
        if machine is not None:
            machine.disk.fail_next_sync()
        return machine is not None

    def _wipe(self, rng: Random, length_us: int) -> bool:
        """Kill one machine and empty its disk."""
        machine = self._pick_amnesiac(rng)
        if machine is None:
            return False
        machine.crash()
        machine.disk.wipe()
        return True

    def _roll_back(self, rng: Random, length_us: int) -> bool:
        """Kill one machine and restore a backup; the first time, make the backup."""
        machine = self._pick_amnesiac(rng)
        if machine is None:
            return False
        backup = self._backups.pop(machine.node, None)
        if backup is None:
            self._backups[machine.node] = machine.disk.snapshot()
            return False
        machine.crash()
        machine.disk.restore(backup)
        return True

    def _pause(self, rng: Random, length_us: int) -> bool:
        """Stop one program for a while."""
        machine = pick(rng, self._machines)
        if not machine.is_up or machine.is_paused:
            return False
        machine.pause()
        self._hold(length_us, machine.resume)
        return True

    def _slow_node(self, rng: Random, length_us: int) -> bool:
        """Slow the processor of one machine for a while."""
        machine = pick(rng, self._machines)
        if machine.node in self._slowed:
            return False
        self._slowed[machine.node] = machine
        machine.processing_us += self._plan.slow_node_us
        self._hold(length_us, lambda: self._end_slow_node(machine))
        return True

    def _end_slow_node(self, machine: AnyMachine) -> None:
        """Give a processor its speed back."""
        del self._slowed[machine.node]
        machine.processing_us -= self._plan.slow_node_us

    def _slow_disk(self, rng: Random, length_us: int) -> bool:
        """Make the syncs of one machine slow for a while."""
        disk = pick(rng, self._machines).disk
        if disk.slow_us_mean:
            return False
        disk.slow_us_mean = self._plan.slow_disk_us_mean

        def end() -> None:
            disk.slow_us_mean = 0

        self._hold(length_us, end)
        return True

    def _jump_clock(self, rng: Random, length_us: int) -> bool:
        """Set one wall clock wrong by up to ten minutes; it stays so until the next jump."""
        clock = pick(rng, self._machines).clock
        clock.correct_wall(self._scheduler.now_us)
        clock.jump_wall(uniform(rng, -WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX))
        return True

    def _pick_amnesiac(self, rng: Random) -> AnyMachine | None:
        """Draw a machine that may lose its disk."""
        machines = self._machines
        if len(self._amnesiacs) >= self._limits.amnesiacs_max:
            machines = list(self._amnesiacs.values())
        machine = self._pick_victim(rng, machines)
        if machine is not None:
            self._amnesiacs[machine.node] = machine
        return machine

    def _pick_victim(self, rng: Random, machines: Sequence[AnyMachine]) -> AnyMachine | None:
        """Draw a machine that may go down without breaking the limit."""
        doomed_count = sum(map(_is_doomed, self._machines))
        able = [machine for machine in machines if not _is_doomed(machine)]
        if doomed_count >= self._limits.down_max or not able:
            return None
        return pick(rng, able)

    def _note_crash(self, node: int, cause: CrashCause) -> None:
        """Plan the restart of a machine that went down, whoever did it."""
        self.crash_counts[cause] += 1
        self._down[node] = next(machine for machine in self._machines if machine.node == node)
        downtime_us = uniform(self._downtime_rng, DOWNTIME_US_MIN, DOWNTIME_US_MAX)
        self._scheduler.after(downtime_us, self._restart, node, priority=Priority.FAULT)

    def _restart(self, node: int) -> None:
        """Power on a machine that is still down."""
        machine = self._down.pop(node, None)
        if machine is not None:
            machine.start()


def _is_doomed(machine: AnyMachine) -> bool:
    """Tell whether a machine is down or about to be."""
    return not machine.is_up or machine.has_planned_crash or machine.disk.will_fail
