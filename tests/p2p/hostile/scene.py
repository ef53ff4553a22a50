"""A node under attack, an honest peer beside it, and what has to hold whatever the attacker does.

Time is virtual: nothing waits, and a limit of ten seconds is over at once.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from p2p.gossip.events import Deliver
from p2p.gossip.parameters import BLOCKS_SCORE
from p2p.gossip.policy import MessageIdRule, SigningPolicy
from p2p.gossip.topic import TopicRules, Validation
from p2p.host import Host, HostSettings
from p2p.limits import Limits
from p2p.memory import MemoryNetwork
from p2p.ping import PING_PROTOCOL, answer_pings, ping
from p2p.pubsub import PubSub
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId
from tests.dsl.virtual_time import LoopClock, run_jumping
from tests.p2p.hostile.kit import Intruder, Stranger, identity_of

VICTIM_IP: Final = "10.1.0.1"
HONEST_IP: Final = "10.2.0.1"
ATTACKER_IP: Final = "66.9.0.1"
"""A public one: private ones are never banned."""
PLAIN: Final = "plain"
SIGNED: Final = "signed"
JUDGED: Final = "judged"
UNSCORED: Final = "unscored"
MESHSUB: Final = "/meshsub/1.2.0"
CONNECTION_COST_BYTES: Final = 1024 * 1024
"""What a connection that does nothing may cost both ends, which share this process."""

RULES: Final = (
    TopicRules(name=PLAIN, score=BLOCKS_SCORE),
    TopicRules(
        name=SIGNED,
        policy=SigningPolicy.STRICT_SIGN,
        message_id=MessageIdRule.SPEC,
        score=BLOCKS_SCORE,
    ),
    TopicRules(name=JUDGED, validation=Validation.ASYNC, score=BLOCKS_SCORE),
    TopicRules(name=UNSCORED, policy=SigningPolicy.STRICT_SIGN, message_id=MessageIdRule.SPEC),
)


class Heap:
    """How much memory the body of a `with` statement took at most."""

    peak_bytes = 0


@contextmanager
def measured() -> Iterator[Heap]:
    heap = Heap()
    tracemalloc.start()
    try:
        yield heap
        heap.peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@dataclass
class Node:
    """A host with gossip, and what it heard."""

    host: Host
    pubsub: PubSub
    heard: list[bytes] = field(default_factory=list)

    def take(self, effect: Deliver) -> None:
        self.heard.append(effect.message.payload)

    def score(self, peer_id: PeerId) -> float:
        return self.pubsub.router.score(peer_id)


@dataclass
class Scene:
    """Who is there; `check` is called when the attack is over, and may be called before."""

    network: MemoryNetwork
    victim: Node
    honest: Node
    door: Multiaddr
    _said: int = 0

    async def knock(self, *, ip: str = ATTACKER_IP) -> Stranger:
        return await Stranger.knock(self.network, self.door, ip=ip)

    async def intrude(self, *, name: str = "intruder", ip: str = ATTACKER_IP) -> Intruder:
        return await Intruder.enter(
            self.network, self.door, expected=self.victim.host.peer_id, name=name, ip=ip
        )

    async def check(self) -> None:
        """Check that the honest peer noticed nothing: its ping and its messages arrive."""
        connection = self.honest.host.connections.of(self.victim.host.peer_id)
        assert connection is not None
        assert connection.is_open
        dice = self.honest.host.dice
        read_s = asyncio.get_running_loop().time
        (round_trip_ms,) = await ping(connection, count=1, dice=dice, read_s=read_s)
        assert round_trip_ms < 1_000
        for sender, receiver in ((self.honest, self.victim), (self.victim, self.honest)):
            self._said += 1
            payload = b"honest %d" % self._said
            sender.pubsub.publish(PLAIN, payload)
            await asyncio.sleep(0.5)
            assert payload in receiver.heard

    def is_connected(self, peer_id: PeerId) -> bool:
        return self.victim.host.connections.of(peer_id) is not None

    def is_banned(self, subject: PeerId | str) -> bool:
        now_ms = self.victim.host.clock.monotonic_ms()
        return self.victim.host.bans.is_banned(subject, now_ms=now_ms)


def new_host(network: MemoryNetwork, name: str, ip: str, *, limits: Limits | None = None) -> Host:
    return Host(
        identity_of(name),
        transports=(network.host(ip),),
        clock=LoopClock(),
        dice=Random(name),
        settings=HostSettings(limits=limits or Limits()),
    )


@asynccontextmanager
async def node(
    network: MemoryNetwork, name: str, ip: str, *, limits: Limits | None = None
) -> AsyncIterator[Node]:
    host = new_host(network, name, ip, limits=limits)
    pubsub = PubSub(host, RULES)
    host.handle(PING_PROTOCOL, answer_pings, streams_max=2)
    async with host, pubsub:
        peer = Node(host, pubsub)
        for rules in RULES:
            pubsub.subscribe(rules.name, peer.take)
        yield peer


class Rogue:
    """A whole host of the attacker, whose streams say what the attacker wants."""

    def __init__(self, host: Host, scene: Scene) -> None:
        self.host = host
        self.peer_id = host.peer_id
        self._scene = scene

    async def open(self, protocol: str = MESHSUB) -> Stream:
        """Open a stream to the victim, connecting first if need be."""
        victim = self._scene.victim.host.peer_id
        await self.host.connect(victim, (self._scene.door,))
        return await self.host.open_stream(victim, [protocol])


async def swallow(stream: Stream) -> None:
    """Read a stream to its end."""
    while await stream.read():
        pass


@asynccontextmanager
async def rogue(scene: Scene, name: str = "rogue", ip: str = ATTACKER_IP) -> AsyncIterator[Rogue]:
    host = new_host(scene.network, name, ip)
    host.handle(MESHSUB, swallow)
    async with host:
        yield Rogue(host, scene)


def under_attack(
    attack: Callable[[Scene], Awaitable[None]], *, limits: Limits | None = None
) -> None:
    """Let a scene play in virtual time; the honest peer must not notice."""

    async def play() -> None:
        network = MemoryNetwork()
        async with (
            node(network, "victim", VICTIM_IP, limits=limits) as victim,
            node(network, "honest", HONEST_IP) as honest,
        ):
            (door,) = await victim.host.listen(Multiaddr.of_tcp(VICTIM_IP, 4_001))
            await honest.host.connect(victim.host.peer_id, (door,))
            await asyncio.sleep(0.2)
            scene = Scene(network, victim, honest, door)
            await attack(scene)
            await scene.check()

    run_jumping(play())
