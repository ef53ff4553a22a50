"""Hosts with gossip that meet, for tests of the shell of gossip."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from p2p.gossip.events import Deliver
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.topic import TopicRules, Validation
from p2p.host import Host
from p2p.pubsub import MESH_PROTOCOLS, PubSub
from p2p.wire.peer_id import PeerId
from tests.p2p.town import Town, meet, until

NEWS = "news"
JUDGED = "judged"
RULES = (TopicRules(name=NEWS), TopicRules(name=JUDGED, validation=Validation.ASYNC))
PARAMETERS = GossipParameters()


@dataclass
class Reader:
    """A host with gossip, and what it heard."""

    host: Host
    pubsub: PubSub
    heard: list[bytes] = field(default_factory=list)

    def hear(self, delivery: Deliver) -> None:
        self.heard.append(delivery.message.payload)

    def knows(self, *others: "Reader", topic: str = NEWS) -> bool:
        mesh = self.pubsub.router.mesh_peers(topic)
        return all(other.host.peer_id in mesh for other in others)


@dataclass
class Club:
    """Readers that come one by one."""

    town: Town
    stack: AsyncExitStack

    async def join(
        self,
        number: int,
        *,
        topics: tuple[str, ...] = (NEWS,),
        protocols: tuple[str, ...] = MESH_PROTOCOLS,
        parameters: GossipParameters = PARAMETERS,
        direct: tuple[PeerId, ...] = (),
    ) -> Reader:
        host = await self.stack.enter_async_context(self.town.open(number))
        pubsub = PubSub(host, RULES, protocols=protocols, parameters=parameters, direct=direct)
        reader = Reader(host, await self.stack.enter_async_context(pubsub))
        for topic in topics:
            pubsub.subscribe(topic, reader.hear)
        return reader


@asynccontextmanager
async def club() -> AsyncIterator[Club]:
    async with AsyncExitStack() as stack:
        yield Club(Town(), stack)


@asynccontextmanager
async def two(*, topic: str = NEWS) -> AsyncIterator[tuple[Reader, Reader]]:
    """Yield two readers of a topic in each other's mesh."""
    async with club() as members:
        one, other = await members.join(1, topics=(topic,)), await members.join(2, topics=(topic,))
        await meet(one.host, other.host)
        await until(lambda: one.knows(other, topic=topic) and other.knows(one, topic=topic))
        yield one, other


@asynccontextmanager
async def beside(*, raw_number: int = 9) -> AsyncIterator[tuple[Reader, Host]]:
    """Yield a reader and a connected host that speaks no gossip of its own."""
    async with club() as members:
        reader = await members.join(1)
        stranger = await members.stack.enter_async_context(members.town.open(raw_number))
        yield reader, stranger
