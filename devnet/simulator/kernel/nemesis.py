"""Carries out a fault plan: havoc until `heal_at_us`, peace from then on.

Until then only safety can be asked for; afterwards, with every machine up and every fault gone,
liveness too. Clocks keep a rate error of at most 0.1 %, as real ones do.
"""

from collections.abc import Callable, Sequence
from typing import Any

from devnet.simulator.kernel.dice import uniform
from devnet.simulator.kernel.faults import Episodes, FaultKind, FaultPlan
from devnet.simulator.kernel.machine_strikes import AnyMachine, CasualtyLimits, MachineStrikes
from devnet.simulator.kernel.network import Network
from devnet.simulator.kernel.network_strikes import NetworkStrikes
from devnet.simulator.kernel.program import CrashCause
from devnet.simulator.kernel.scheduler import Priority, Scheduler

HEALED_RATE_PERMILLE_MAX = 1


class Nemesis:
    """Strikes machines and network at random moments, and heals them all at one."""

    def __init__(
        self,
        scheduler: Scheduler,
        network: Network[Any],
        machines: Sequence[AnyMachine],
        plan: FaultPlan,
        *,
        heal_at_us: int,
        limits: CasualtyLimits,
    ) -> None:
        self._scheduler = scheduler
        self._network = network
        self._plan = plan
        self._heal_at_us = heal_at_us
        self._is_healed = False
        self._struck = dict.fromkeys(plan.kinds, 0)
        self._endings: dict[int, Callable[[], None]] = {}
        self._endings_count = 0
        self._machines_count = len(machines)
        self._machine_strikes = MachineStrikes(
            scheduler, machines, plan, limits=limits, hold=self._hold
        )
        nodes = [machine.node for machine in machines]
        self._strikes = (
            self._machine_strikes.by_kind()
            | NetworkStrikes(
                network, nodes, slow_link_us=plan.slow_link_us, hold=self._hold
            ).by_kind()
        )

    @property
    def is_healed(self) -> bool:
        """Tell whether peace has begun."""
        return self._is_healed

    def start(self) -> None:
        """Begin the havoc and schedule the end of it; machines may be up or still off."""
        self._network.set_link_faults(self._plan.links)
        self._machine_strikes.watch()
        if FaultKind.CLOCK_DRIFT in self._struck:
            self._machine_strikes.drift(self._plan.clock_rate_permille_max)
            self._struck[FaultKind.CLOCK_DRIFT] = self._machines_count
        for episodes in self._plan.episodes:
            self._schedule_strike(episodes)
        self._scheduler.at(self._heal_at_us, self.heal, priority=Priority.FAULT)

    def heal(self) -> None:
        """End all faults now and restart what crashed; harmless the second time."""
        if self._is_healed:
            return
        self._is_healed = True
        self._scheduler.trace("heal", -1)
        for token in list(self._endings):
            self._end(token)
        self._network.heal_all()
        if FaultKind.CLOCK_DRIFT in self._struck:
            self._machine_strikes.drift(HEALED_RATE_PERMILLE_MAX)
        self._machine_strikes.heal()

    def fired_counts(self) -> dict[FaultKind, int]:
        """Return how often each kind of the plan really happened, for coverage gates."""
        network = self._network.counters
        crashes = self._machine_strikes.crash_counts
        seen = {
            FaultKind.LOSS: network.lost,
            FaultKind.DUPLICATION: network.duplicated,
            FaultKind.REORDER: network.reordered,
            FaultKind.DELAY_SPIKES: network.spiked,
            FaultKind.CORRUPTION: network.corrupted,
            FaultKind.CRASH_AT_EFFECT: crashes[CrashCause.AT_EFFECT],
            FaultKind.DISK_ERROR: crashes[CrashCause.DISK_FAILURE],
        }
        return {kind: seen.get(kind, struck) for kind, struck in self._struck.items()}

    def _schedule_strike(self, episodes: Episodes) -> None:
        """Plan the next episode of a kind."""
        rng = self._scheduler.rng(f"nemesis.{episodes.kind}.gap")
        gap_us = uniform(rng, 0, 2 * episodes.gap_us_mean)
        self._scheduler.after(gap_us, self._strike, episodes, priority=Priority.FAULT)

    def _strike(self, episodes: Episodes) -> None:
        """Begin one episode, if there is something to strike, and plan the next."""
        if self._is_healed:
            return
        rng = self._scheduler.rng(f"nemesis.{episodes.kind}")
        length_us = uniform(rng, episodes.length_us_max // 10, episodes.length_us_max)
        if self._strikes[episodes.kind](rng, length_us):
            self._struck[episodes.kind] += 1
            self._scheduler.trace("strike", -1, episodes.kind.encode())
        self._schedule_strike(episodes)

    def _hold(self, length_us: int, ending: Callable[[], None]) -> None:
        """Undo a fault after its time, or at the healing if that is earlier."""
        self._endings_count += 1
        self._endings[self._endings_count] = ending
        self._scheduler.after(length_us, self._end, self._endings_count, priority=Priority.FAULT)

    def _end(self, token: int) -> None:
        """Undo a fault, once."""
        ending = self._endings.pop(token, None)
        if ending is not None:
            ending()
