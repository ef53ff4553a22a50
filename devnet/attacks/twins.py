"""Twins: two instances of one validator share a key and each talks to part of the committee.

Between them they equivocate, vote twice and forget, without a line of malicious protocol code.
Source: Bano et al., "Twins: BFT systems made robust", OPODIS 2021.
"""

from collections.abc import Sequence

from typing_extensions import override

from consensus.events import Broadcast, Effect
from devnet.simulator.kernel.dice import chance
from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.validators.validator import EpochInstance, FromPeer, NodeInput, Validator
from devnet.simulator.validators.world import World
from primitives.clock import Instant

RESHUFFLE_ROUNDS = 5
BOTH_PERMILLE = 200


class Twins(Validator):
    """The first twin; it hosts the second on a hidden machine with a disk of its own."""

    def __init__(self, machine: Machine[NodeInput, Effect], world: World) -> None:
        super().__init__(machine, world)
        self._rng = world.scheduler.rng(f"attack.{self.own}")
        self._audience = dict.fromkeys(world.nodes, True)
        self._hidden: Machine[NodeInput, Effect] = Machine(
            machine.node,
            world.scheduler,
            lambda hidden: _Twin(hidden, world, self),
            disk=Disk(world.scheduler, self._rng),
            clock=machine.clock,
        )

    @override
    def boot(self, now: Instant) -> Sequence[Effect]:
        self._hidden.start()
        return super().boot(now)

    @override
    def handle(self, event: NodeInput, now: Instant) -> Sequence[Effect]:
        if isinstance(event, FromPeer):
            self._hidden.receive(event)
        return super().handle(event, now)

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        if effect.block.round % RESHUFFLE_ROUNDS == 0:
            for node in self._audience:
                self._audience[node] = chance(self._rng, 500)
        self.send_to_part(instance, effect, is_first=True)

    def send_to_part(self, instance: EpochInstance, effect: Broadcast, *, is_first: bool) -> None:
        """Show a block to the nodes that this twin talks to now, at times to all."""
        raw = self.block_message(instance, effect.block)
        to_all = chance(self._rng, BOTH_PERMILLE)
        for node, hears_first in self._audience.items():
            if node != self.own and (to_all or hears_first is is_first):
                self.transmit(node, raw)


class _Twin(Validator):
    """The second twin."""

    def __init__(self, machine: Machine[NodeInput, Effect], world: World, first: Twins) -> None:
        super().__init__(machine, world)
        self._first = first

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        self._first.send_to_part(instance, effect, is_first=False)
