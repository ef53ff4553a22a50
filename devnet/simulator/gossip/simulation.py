"""One run: build the network, let honest nodes publish, let the others attack, and report."""

import gc
import time
from typing import Final

from devnet.simulator.gossip.attackers import KINDS, Attacker, Sybil
from devnet.simulator.gossip.events import FromPeer, NodeEffect, NodeInput, Publish
from devnet.simulator.gossip.node import HonestNode
from devnet.simulator.gossip.report import Report, measure
from devnet.simulator.gossip.scenario import (
    SECOND_US,
    SETTLE_US,
    SYBILS_PER_ECLIPSER,
    WARM_UP_US,
    Scenario,
    check,
)
from devnet.simulator.gossip.world import World
from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.dice import pick, uniform
from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.latency import parse_latency
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.kernel.network import LinkOrder, Network
from devnet.simulator.kernel.scheduler import Scheduler

DIAL_US_MAX: Final = SECOND_US
"""Nodes come up within this time."""


class Simulation:
    """A network of gossip routers under virtual time."""

    def __init__(self, scenario: Scenario) -> None:
        check(scenario)
        self.scenario = scenario
        self.scheduler = Scheduler(scenario.seed)
        eclipsers = sum(kind == "eclipse" for kind in scenario.attackers.values())
        self.sybils = eclipsers * SYBILS_PER_ECLIPSER
        self.world = World(scenario, self.scheduler, sybils=self.sybils)
        self.network: Network[bytes] = Network(
            self.scheduler, parse_latency(scenario.latency), self._deliver, order=LinkOrder.FIFO
        )
        self.world.network = self.network
        self.nodes: dict[int, HonestNode] = {}
        self._attackers: dict[int, Attacker] = {}
        self._rng = self.scheduler.rng("workload")
        self._published = 0
        self.world.machines = [self._machine(number) for number in range(self.world.count)]

    def run(self) -> Report:
        """Run to the end."""
        started_s = time.process_time()
        was_collecting = gc.isenabled()
        # Nothing here makes cycles that pile up, and a full collection costs more than the run.
        gc.disable()
        try:
            self._start()
            self.scheduler.run_until(self.scenario.seconds * SECOND_US)
        finally:
            if was_collecting:
                gc.enable()
        return measure(self, cpu_s=time.process_time() - started_s)

    def _start(self) -> None:
        for machine in self.world.machines:
            machine.start()
        programs: list[HonestNode | Attacker] = [*self.nodes.values(), *self._attackers.values()]
        for program in programs:
            self.scheduler.after(uniform(self._rng, 0, DIAL_US_MAX), program.dial)
        self.scheduler.at(WARM_UP_US, self._publish)

    def _publish(self) -> None:
        scenario = self.scenario
        if self.scheduler.now_us > scenario.seconds * SECOND_US - SETTLE_US:
            return
        self._published += 1
        payload = self._published.to_bytes(8, "big") + bytes(max(0, scenario.size_bytes - 8))
        self.world.machines[pick(self._rng, self.world.honest)].submit(Publish(payload))
        self.scheduler.after(SECOND_US // scenario.messages_per_s, self._publish)

    def _machine(self, number: int) -> Machine[NodeInput, NodeEffect]:
        def install(machine: Machine[NodeInput, NodeEffect]) -> HonestNode | Attacker:
            kind = self.scenario.attackers.get(number)
            if number >= self.scenario.nodes:
                attacker: Attacker = Sybil(machine, self.world)
            elif kind is not None:
                attacker = KINDS[kind](machine, self.world)
            else:
                node = self.nodes[number] = HonestNode(machine, self.world)
                return node
            self._attackers[number] = attacker
            return attacker

        return Machine(
            number,
            self.scheduler,
            install,
            disk=Disk(self.scheduler, self.scheduler.rng(f"node.{number}")),
            clock=NodeClock(self.scheduler.rng(f"node.{number}.clock")),
        )

    def _deliver(self, source: int, target: int, raw: bytes) -> bool:
        return self.world.machines[target].receive(FromPeer(source, raw))
