"""One honest gossip node as a kernel program: a thin shell round the router."""

from collections.abc import Sequence
from typing import Final, assert_never

from devnet.simulator.gossip.events import (
    Beat,
    Connected,
    Disconnected,
    FromPeer,
    Judged,
    NodeEffect,
    NodeInput,
    Publish,
    Transmit,
)
from devnet.simulator.gossip.ledger import INVALID
from devnet.simulator.gossip.scenario import SECOND_US
from devnet.simulator.gossip.world import World
from devnet.simulator.kernel.dice import uniform
from devnet.simulator.kernel.machine import Machine
from p2p.gossip.events import (
    Deliver,
    Disconnect,
    Effect,
    Heartbeat,
    PeerJoined,
    PeerLeft,
    Published,
    RpcReceived,
    Validate,
    Validated,
    Verdict,
    Wake,
)
from p2p.gossip.frames import RpcSplitter
from p2p.gossip.parameters import BLOCKS_SCORE, GossipParameters
from p2p.gossip.peer import MESHSUB_PROTOCOLS
from p2p.gossip.router import Router
from p2p.gossip.topic import TopicRules, Validation
from primitives.clock import Instant

TOPIC: Final = "simulation/blocks/1"
RULES: Final = TopicRules(name=TOPIC, validation=Validation.ASYNC, score=BLOCKS_SCORE)
HEARTBEAT_MS: Final = GossipParameters().heartbeat_ms
VALIDATION_US: Final = 1_000
REDIAL_US: Final = SECOND_US
_ROOM_BYTES: Final = 1 << 24


class HonestNode:
    """Implements the kernel's `Program` for a node that follows the protocol."""

    def __init__(self, machine: Machine[NodeInput, NodeEffect], world: World) -> None:
        self.machine = machine
        self.world = world
        self.own = machine.node
        self._rng = world.scheduler.rng(f"gossip.{self.own}")
        self._splitter = RpcSplitter()
        self._dialled: dict[int, None] = {}
        self._is_dialling = False
        parameters = GossipParameters(flood_size_bytes_max=world.scenario.flood_size_bytes_max)
        self.router = Router(
            world.identities[self.own], [RULES], dice=self._rng, parameters=parameters
        )

    def boot(self, now: Instant) -> Sequence[NodeEffect]:
        """Subscribe and start the heartbeat at a moment of its own."""
        first_ms = uniform(self._rng, 0, HEARTBEAT_MS)
        self.machine.set_timer("beat", now.monotonic_ms + first_ms, Beat())
        return self.router.subscribe(TOPIC, now_ms=now.monotonic_ms)

    def handle(self, event: NodeInput, now: Instant) -> Sequence[NodeEffect]:
        """Give one input to the router."""
        now_ms = now.monotonic_ms
        router = self.router
        match event:
            case FromPeer(peer=peer, raw=raw):
                return self._receive(peer, raw, now_ms)
            case Judged(message_id=message_id, verdict=verdict):
                return router.handle(Validated(message_id, verdict), now_ms=now_ms)
            case Beat():
                self.machine.set_timer("beat", now_ms + HEARTBEAT_MS, Beat())
                return router.handle(Heartbeat(), now_ms=now_ms)
            case Publish(payload=payload):
                return router.publish(TOPIC, payload, now_ms=now_ms)
            case Connected(peer=peer, direction=direction):
                world = self.world
                joined = PeerJoined(
                    world.identities[peer].peer_id, MESHSUB_PROTOCOLS[0], direction, world.ip(peer)
                )
                return router.handle(joined, now_ms=now_ms)
            case Disconnected(peer=peer):
                return self._lose(peer, now_ms)
            case _:
                assert_never(event)

    def execute(self, effect: NodeEffect) -> int:
        """Carry out one effect of the router."""
        world = self.world
        match effect:
            case Wake(peer_id=peer_id):
                raw = self.router.take(peer_id, _ROOM_BYTES)
                while raw:
                    world.ledger.note_sent(len(raw))
                    world.send(self.own, world.numbers[peer_id], raw)
                    raw = self.router.take(peer_id, _ROOM_BYTES)
            case Validate(message=message):
                is_invalid = message.payload[:1] == bytes((INVALID,))
                verdict = Verdict.REJECT if is_invalid else Verdict.ACCEPT
                self.machine.submit_after(VALIDATION_US, Judged(message.id, verdict))
            case Deliver(message=message, sender=sender):
                world.ledger.note_delivered(
                    self.own,
                    message.id,
                    payload=message.payload,
                    sender=world.numbers[sender],
                    now_us=world.scheduler.now_us,
                )
            case Published(message_id=message_id):
                world.ledger.note_published(self.own, message_id, now_us=world.scheduler.now_us)
            case Disconnect(peer_id=peer_id):
                self._disconnect(world.numbers[peer_id])
            case Transmit():
                raise AssertionError("the router writes what this node sends")
            case _:
                pass
        return 0

    def dial(self) -> None:
        """Open connections to random others until there are as many as the scenario asks for."""
        self._is_dialling = False
        world = self.world
        wanted = min(world.scenario.dials, world.scenario.nodes - 1)
        for _ in range(4 * wanted):
            if len(self._dialled) >= wanted:
                return
            target = uniform(self._rng, 0, world.scenario.nodes - 1)
            if world.connect(self.own, target):
                self._dialled[target] = None

    def _receive(self, peer: int, raw: bytes, now_ms: int) -> list[Effect]:
        if not self.world.is_connected(self.own, peer):
            return []
        peer_id = self.world.identities[peer].peer_id
        effects: list[Effect] = []
        for rpc in self._splitter.feed(raw):
            effects += self.router.handle(RpcReceived(peer_id, rpc), now_ms=now_ms)
        return effects

    def _lose(self, peer: int, now_ms: int) -> list[Effect]:
        if peer in self._dialled:
            del self._dialled[peer]
            if not self._is_dialling:
                self._is_dialling = True
                self.world.scheduler.after(REDIAL_US, self.dial)
        return self.router.handle(PeerLeft(self.world.identities[peer].peer_id), now_ms=now_ms)

    def _disconnect(self, peer: int) -> None:
        ledger = self.world.ledger
        if peer in self.world.scenario.attackers or peer >= self.world.scenario.nodes:
            ledger.attacker_disconnects += 1
        else:
            ledger.honest_disconnects.append((self.own, peer))
        self.world.ban(self.own, peer)
