"""A toy protocol for the kernel: every node counts aloud, never the same number twice.

Each beat a node writes its next number to its disk, syncs, and tells everyone; a listener answers.
Run as a module with a seed, it prints the trace hash of one chaotic run.
"""

import enum
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.faults import FaultPlan, draw_plan, parse_faults
from devnet.simulator.kernel.latency import LatencyModel, parse_latency
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.kernel.machine_strikes import CasualtyLimits
from devnet.simulator.kernel.nemesis import Nemesis
from devnet.simulator.kernel.network import LinkOrder, Network
from devnet.simulator.kernel.scheduler import Scheduler, TieOrder
from primitives.clock import Instant

BEAT_MS = 60
ACK = b"ack"

Effect = tuple[str, int, bytes]
ToyMachine = Machine[tuple[int, bytes], Effect]


class SyncHabit(enum.Enum):
    """When a node syncs what it is about to say."""

    BEFORE_SENDING = enum.auto()
    AFTER_SENDING = enum.auto()


@dataclass
class Record:
    """What outsiders saw: the numbers of each node in the order they went on the wire."""

    spoken: dict[int, list[int]] = field(default_factory=dict)
    heard_count: int = 0


class Counter:
    """The program of one node: its adapter and its protocol at once."""

    def __init__(self, world: "World", machine: ToyMachine, habit: SyncHabit) -> None:
        self._world = world
        self._machine = machine
        self._habit = habit
        self._number = 0

    def boot(self, now: Instant) -> Sequence[Effect]:
        numbers = self._machine.disk.records("numbers")
        self._number = numbers[-1] if numbers else 0
        return [("timer", now.monotonic_ms + BEAT_MS, b"")]

    def handle(self, event: tuple[int, bytes], now: Instant) -> Sequence[Effect]:
        source, message = event
        if message == b"beat":
            return self._speak(now)
        self._world.record.heard_count += 1
        return () if message == ACK else [("send", source, ACK)]

    def execute(self, effect: Effect) -> int:
        name, value, message = effect
        machine = self._machine
        match name:
            case "write":
                machine.disk.append("numbers", value)
            case "sync":
                return machine.disk.sync()
            case "tell":
                self._world.record.spoken.setdefault(machine.node, []).append(value)
                for target in range(self._world.node_count):
                    if target != machine.node:
                        self._world.network.send(machine.node, target, message)
            case "send":
                self._world.network.send(machine.node, value, message)
            case _:
                machine.set_timer("beat", value, (machine.node, b"beat"))
        return 0

    def _speak(self, now: Instant) -> Sequence[Effect]:
        self._number += 1
        write: Effect = ("write", self._number, b"")
        sync: Effect = ("sync", 0, b"")
        tell: Effect = ("tell", self._number, b"%d" % self._number)
        timer: Effect = ("timer", now.monotonic_ms + BEAT_MS, b"")
        if self._habit is SyncHabit.BEFORE_SENDING:
            return [write, sync, tell, timer]
        return [write, tell, sync, timer]


class World:
    """A network of counting nodes."""

    def __init__(
        self,
        seed: int,
        *,
        node_count: int = 4,
        latency: LatencyModel | None = None,
        habit: SyncHabit = SyncHabit.BEFORE_SENDING,
        order: LinkOrder = LinkOrder.ANY,
        sync_us: int = 500,
    ) -> None:
        self.node_count = node_count
        self.record = Record()
        self.scheduler = Scheduler(seed, tie_order=TieOrder.SHUFFLED)
        self.network: Network[bytes] = Network(
            self.scheduler, latency or parse_latency("wan5:jitter"), self._deliver, order=order
        )
        self.machines = [
            ToyMachine(
                node,
                self.scheduler,
                lambda machine: Counter(self, machine, habit),
                disk=Disk(self.scheduler, self.scheduler.rng(f"disk.{node}"), sync_us=sync_us),
                clock=NodeClock(self.scheduler.rng(f"clock.{node}")),
            )
            for node in range(node_count)
        ]

    def suffer(self, plan: FaultPlan, *, heal_at_us: int, amnesiacs_max: int = 1) -> Nemesis:
        """Start a nemesis that heals in time."""
        self.network.gst_us = heal_at_us
        self.network.delta_us = 400_000
        limits = CasualtyLimits(down_max=self.node_count // 3, amnesiacs_max=amnesiacs_max)
        nemesis = Nemesis(
            self.scheduler, self.network, self.machines, plan, heal_at_us=heal_at_us, limits=limits
        )
        nemesis.start()
        return nemesis

    def run(self, seconds: int) -> None:
        """Power on what is off and run until so many seconds after the beginning."""
        for machine in self.machines:
            machine.start()
        self.scheduler.run_until(seconds * 1_000_000)

    def _deliver(self, source: int, target: int, message: bytes) -> bool:
        return self.machines[target].receive((source, message))


def chaotic_world(seed: int) -> tuple[World, Nemesis]:
    """Run 20 seconds of every fault and 10 of peace."""
    world = World(seed)
    for machine in world.machines:
        machine.start()
    plan = draw_plan(parse_faults("all,rollback"), world.scheduler.rng)
    nemesis = world.suffer(plan, heal_at_us=20_000_000)
    world.scheduler.run_until(30_000_000)
    return world, nemesis


if __name__ == "__main__":
    sys.stdout.write(chaotic_world(int(sys.argv[1]))[0].scheduler.trace_hash() + "\n")
