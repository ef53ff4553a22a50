"""Byzantine gossip nodes; none of them runs a router.

spam      publishes invalid messages to everyone it can reach
flood     advertises what it does not have, asks for what does not exist, grafts in backoff
withhold  sits in meshes, takes every message and passes none on
eclipse   commands sybils on few addresses that all sit in the mesh of one victim
"""

from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from devnet.simulator.gossip.events import (
    Beat,
    Connected,
    Disconnected,
    NodeEffect,
    NodeInput,
    Transmit,
)
from devnet.simulator.gossip.ledger import INVALID
from devnet.simulator.gossip.node import HEARTBEAT_MS, TOPIC
from devnet.simulator.gossip.scenario import SECOND_US
from devnet.simulator.gossip.world import World
from devnet.simulator.kernel.dice import uniform
from devnet.simulator.kernel.machine import Machine
from p2p.gossip.policy import TOPIC20_SIZE_BYTES, unsigned_message
from p2p.gossip.rpc_fields import (
    control_field,
    graft_field,
    ihave_field,
    iwant_field,
    subscription_field,
)
from p2p.wire.protobuf import length_prefixed
from primitives.clock import Instant

VICTIM: Final = 0
REDIAL_US: Final = 5 * SECOND_US
SPAM_PER_BEAT: Final = 5
IHAVE_RPCS_PER_BEAT: Final = 20
IDS_PER_RPC: Final = 50
REGRAFT_BEATS: Final = 90
"""A minute and a bit: backoffs are over by then."""

_RAW: Final = TOPIC.encode()
_GRAFT: Final = length_prefixed(control_field([graft_field(_RAW)]))
_HELLO: Final = length_prefixed(subscription_field(_RAW, is_subscribed=True)) + _GRAFT


class Attacker:
    """What all attackers do: come in, subscribe, get into the mesh, and come back when thrown out.

    This one withholds and nothing else.
    """

    def __init__(self, machine: Machine[NodeInput, NodeEffect], world: World) -> None:
        self.machine = machine
        self.world = world
        self.own = machine.node
        self.rng = world.scheduler.rng(f"attacker.{self.own}")
        self.peers: dict[int, None] = {}
        self.beats = 0
        self.is_dialling = False

    def boot(self, now: Instant) -> Sequence[NodeEffect]:
        """Start a heartbeat."""
        self._set_timer(now)
        return ()

    def handle(self, event: NodeInput, now: Instant) -> Sequence[NodeEffect]:
        """Say hello to who connects, attack at each heartbeat, and ignore what is said to us."""
        match event:
            case Connected(peer=peer):
                self.peers[peer] = None
                return [Transmit(peer, _HELLO)]
            case Disconnected(peer=peer):
                self.peers.pop(peer, None)
                if not self.is_dialling:
                    self.is_dialling = True
                    self.world.scheduler.after(REDIAL_US, self.dial)
            case Beat():
                self.beats += 1
                self._set_timer(now)
                return [effect for peer in self.peers for effect in self.attack(peer)]
            case _:
                pass
        return ()

    def execute(self, effect: NodeEffect) -> int:
        """Send what the attack wrote."""
        if isinstance(effect, Transmit):
            self.world.send(self.own, effect.peer, effect.raw)
        return 0

    def dial(self) -> None:
        """Open connections to random honest nodes."""
        self.is_dialling = False
        for _ in range(2 * self.world.scenario.dials):
            if len(self.peers) < self.world.scenario.dials:
                honest = self.world.honest
                self.world.connect(self.own, honest[uniform(self.rng, 0, len(honest) - 1)])

    def attack(self, peer: int) -> Sequence[Transmit]:
        """Do to one peer what this attacker does once a heartbeat."""
        return [Transmit(peer, _GRAFT)] if self.beats % REGRAFT_BEATS == 0 else ()

    def _set_timer(self, now: Instant) -> None:
        self.machine.set_timer("beat", now.monotonic_ms + HEARTBEAT_MS, Beat())


class Spammer(Attacker):
    """Publishes what every validator rejects."""

    @override
    def attack(self, peer: int) -> Sequence[Transmit]:
        """Send invalid messages, new ones each time."""
        size_bytes = self.world.scenario.size_bytes
        payloads = (
            bytes((INVALID,)) + self.rng.randbytes(size_bytes - 1) for _ in range(SPAM_PER_BEAT)
        )
        return [
            Transmit(peer, length_prefixed(unsigned_message(payload, topic=_RAW).publish_field))
            for payload in payloads
        ]


class Flooder(Attacker):
    """Wears out others with control messages."""

    @override
    def attack(self, peer: int) -> Sequence[Transmit]:
        """Advertise and ask for made-up messages, and graft whatever the answer was."""
        ids = [self.rng.randbytes(TOPIC20_SIZE_BYTES) for _ in range(IDS_PER_RPC)]
        offer = length_prefixed(control_field([ihave_field(_RAW, ids), iwant_field(ids)]))
        return [Transmit(peer, _GRAFT), *[Transmit(peer, offer)] * IHAVE_RPCS_PER_BEAT]


class Sybil(Attacker):
    """One of many identities around the victim; like a withholder it is hard to tell from bad luck.

    The node that commands them is a `Sybil` itself.
    """

    @override
    def dial(self) -> None:
        """Come to the victim, and again."""
        self.is_dialling = False
        self.world.connect(self.own, VICTIM)


KINDS: Final = {"spam": Spammer, "flood": Flooder, "withhold": Attacker, "eclipse": Sybil}
