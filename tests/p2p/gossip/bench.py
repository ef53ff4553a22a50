"""One router among peers that say what the test wants, and what the router tells each of them."""

import random
from collections.abc import Iterable
from typing import Final, TypeVar

from p2p.gossip.events import (
    Effect,
    Heartbeat,
    Input,
    PeerJoined,
    PeerLeft,
    RpcReceived,
)
from p2p.gossip.frames import RpcSplitter
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.policy import unsigned_message
from p2p.gossip.router import Router
from p2p.gossip.rpc import Control, Rpc, decode_rpc
from p2p.gossip.rpc_fields import control_field, graft_field, subscription_field
from p2p.gossip.topic import TopicRules
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Direction

T = TypeVar("T")

TOPIC: Final = "chain/blocks/1"
RAW: Final = TOPIC.encode()
RULES: Final = TopicRules(name=TOPIC)
SUBSCRIBE: Final = subscription_field(RAW, is_subscribed=True)
UNSUBSCRIBE: Final = subscription_field(RAW, is_subscribed=False)
GRAFT: Final = control_field([graft_field(RAW)])
ROOM: Final = 1 << 30
BEAT_MS: Final = GossipParameters().heartbeat_ms


def identity_of(number: int) -> Identity:
    """Return the identity of a numbered peer."""
    return Identity.from_seed(number.to_bytes(32, "big"))


def peer_of(number: int) -> PeerId:
    """Return the id of a numbered peer."""
    return identity_of(number).peer_id


def published(payload: bytes, topic: bytes = RAW) -> bytes:
    """Return an RPC with one unsigned message."""
    return unsigned_message(payload, topic=topic).publish_field


def only(effects: Iterable[Effect], kind: type[T]) -> list[T]:
    """Return the effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def merged(raw: bytes) -> Rpc:
    """Return all that these framed RPCs say, as one."""
    whole = Rpc([], [], Control())
    assert whole.control is not None
    for one in RpcSplitter().feed(raw):
        rpc = decode_rpc(one)
        whole.subscriptions += rpc.subscriptions
        whole.messages += rpc.messages
        if rpc.control is not None:
            for name in rpc.control.__struct_fields__:
                getattr(whole.control, name).extend(getattr(rpc.control, name))
    return whole


class Bench:
    """A router that is peer 0, under a clock that the test moves."""

    def __init__(
        self,
        rules: Iterable[TopicRules] = (RULES,),
        *,
        parameters: GossipParameters | None = None,
        subscribed: Iterable[str] = (TOPIC,),
        direct: Iterable[PeerId] = (),
        seed: int = 1,
    ) -> None:
        self.router = Router(
            identity_of(0),
            rules,
            dice=random.Random(seed),
            parameters=parameters or GossipParameters(),
            seqno_first=1_000,
            direct=direct,
        )
        self.now_ms = 0
        for name in subscribed:
            self.router.subscribe(name, now_ms=self.now_ms)

    def handle(self, event: Input) -> list[Effect]:
        return self.router.handle(event, now_ms=self.now_ms)

    def join(
        self,
        number: int,
        *says: bytes,
        direction: Direction = Direction.OUTBOUND,
        protocol: str = "/meshsub/1.2.0",
        ip: str = "127.0.0.1",
    ) -> PeerId:
        """Let a peer join and say something; what the router answers waits in its outbox."""
        peer_id = peer_of(number)
        self.handle(PeerJoined(peer_id, protocol, direction, ip))
        if says:
            self.hear(peer_id, *says)
        return peer_id

    def join_many(self, numbers: Iterable[int], *says: bytes) -> list[PeerId]:
        return [self.join(number, *(says or (SUBSCRIBE,))) for number in numbers]

    def leave(self, peer_id: PeerId) -> list[Effect]:
        return self.handle(PeerLeft(peer_id))

    def hear(self, peer_id: PeerId, *fields: bytes) -> list[Effect]:
        """Let a peer send one RPC of these fields."""
        return self.handle(RpcReceived(peer_id, b"".join(fields)))

    def control(self, peer_id: PeerId, *entries: bytes) -> list[Effect]:
        """Let a peer send one RPC of these control entries."""
        return self.hear(peer_id, control_field(entries))

    def beat(self, times: int = 1) -> list[Effect]:
        """Let heartbeats pass."""
        effects: list[Effect] = []
        for _ in range(times):
            self.now_ms += BEAT_MS
            effects += self.handle(Heartbeat())
        return effects

    def told(self, peer_id: PeerId) -> Rpc:
        """Take what waits for a peer."""
        return merged(self.router.take(peer_id, ROOM))

    def told_control(self, peer_id: PeerId) -> Control:
        control = self.told(peer_id).control
        assert control is not None
        return control

    def flush(self) -> None:
        """Throw away what waits for anybody."""
        for number in range(200):
            self.router.take(peer_of(number), ROOM)

    def mesh(self) -> tuple[PeerId, ...]:
        return self.router.mesh_peers(TOPIC)

    def in_mesh(self, number: int, **join: str) -> PeerId:
        """Let a peer join, subscribe and graft us."""
        peer_id = self.join(number, SUBSCRIBE, GRAFT, **join)  # type: ignore[arg-type]
        assert peer_id in self.mesh()
        self.told(peer_id)
        return peer_id
