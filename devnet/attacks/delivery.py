"""Attackers that sign honestly and lie by when, and to whom, they send."""

from typing_extensions import override

from consensus.events import Broadcast, Effect
from devnet.simulator.kernel.dice import chance, subset, uniform
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.validators.validator import EpochInstance, NodeInput, Validator
from devnet.simulator.validators.world import World

REVEAL_ROUNDS = 12
LAG_US_MAX = 1_500_000
WITHHOLD_PERMILLE = 600


class Silent(Validator):
    """Never says anything: a crashed validator."""

    @override
    def transmit(self, peer: int, raw: bytes) -> None:
        return


class SelectiveSender(Validator):
    """Sends every block to a random part of the committee, another part each time."""

    @override
    def transmit(self, peer: int, raw: bytes) -> None:
        rng = self.world.scheduler.rng(f"attack.{self.own}")
        if chance(rng, WITHHOLD_PERMILLE):
            super().transmit(peer, raw)


class WithholdingLeader(Validator):
    """Keeps its block to itself, or shows it to one node, whenever it leads."""

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        if self.own not in instance.core.leaders(effect.block.round):
            super().broadcast(instance, effect)
            return
        rng = self.world.scheduler.rng(f"attack.{self.own}")
        peers = [peer for peer in self.world.nodes if peer != self.own]
        raw = self.block_message(instance, effect.block)
        for peer in subset(rng, peers, size=uniform(rng, 0, 1)):
            self.transmit(peer, raw)


class HiddenDag(Validator):
    """Builds blocks on everything and shows none, then reveals a whole chain at once."""

    def __init__(self, machine: Machine[NodeInput, Effect], world: World) -> None:
        super().__init__(machine, world)
        self._hidden: list[bytes] = []

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        self._hidden.append(self.block_message(instance, effect.block))
        if effect.block.round % REVEAL_ROUNDS == 0:
            for raw in self._hidden:
                for peer in self.world.nodes:
                    if peer != self.own:
                        self.transmit(peer, raw)
            self._hidden.clear()


class LaggingVoter(Validator):
    """Votes late: everything it sends leaves up to a second and a half after its time."""

    @override
    def transmit(self, peer: int, raw: bytes) -> None:
        rng = self.world.scheduler.rng(f"attack.{self.own}")
        self.world.scheduler.after(
            uniform(rng, 0, LAG_US_MAX), self.world.network.send, self.own, peer, raw
        )
