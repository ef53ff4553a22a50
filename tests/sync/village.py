"""Nodes that meet in memory, in real time: what they do waits for real disks and threads."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from node.chain.chain import Chain
from node.chain.limits import DEFAULT_LIMITS, ChainLimits
from node.sync.answers import Answers
from node.sync.follower import Follower
from node.sync.limits import DEFAULT_SERVING, ServingLimits, SyncLimits
from node.sync.news import CertificateNews, certificate_rules
from node.sync.server import SyncServer
from p2p.host import Host
from p2p.pubsub import PubSub
from p2p.request import Handler, RequestServer
from p2p.wire.peer_id import PeerId
from tests.chain.founded import StillClock
from tests.p2p.town import Town, meet
from tests.sync.chronicle import GENESIS, Chronicle

QUICK = SyncLimits(
    peers_wait_ms=200,
    patience_ms=400,
    answer_ms=5_000,
    survey_ms=2_000,
    stagger_ms=2_000,
    poll_ms=100,
    rest_ms=500,
)

LONG_MEMORY = ChainLimits(kept_epochs=1_000)

Mangle = Callable[[bytes], bytes | None]
"""Changes one chunk of an answer, or drops it and all after it."""


class RealClock:
    """The clocks of this machine, for what runs in threads too."""

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


@dataclass
class Node:
    """A host and a chain."""

    host: Host
    chain: Chain

    def follower(
        self, *, limits: SyncLimits = QUICK, news: CertificateNews | None = None
    ) -> Follower:
        return Follower(self.chain, self.host, clock=RealClock(), news=news, limits=limits)


@dataclass
class Village:
    """Nodes that come one by one."""

    folder: Path
    genesis: bytes
    town: Town
    stack: AsyncExitStack
    numbers: "itertools.count[int]"

    async def host(self) -> Host:
        """Return a host that nobody knows yet."""
        return await self.stack.enter_async_context(self.town.open(next(self.numbers)))

    def chain(self, folder: Path | None = None, *, limits: ChainLimits = DEFAULT_LIMITS) -> Chain:
        """Open a chain, in a folder of its own by default."""
        place = self.folder / f"node-{next(self.numbers)}" if folder is None else folder
        place.mkdir(exist_ok=True)
        return self.stack.enter_context(
            Chain.open(
                place, genesis=self.genesis, node_id=b"node", clock=StillClock(), limits=limits
            )
        )

    async def node(self, chain: Chain | None = None) -> Node:
        """Return a node that serves nobody."""
        return Node(await self.host(), self.chain() if chain is None else chain)

    async def server(
        self, chain: Chain | None = None, *, limits: ServingLimits = DEFAULT_SERVING
    ) -> Node:
        """Return a node that serves what it has."""
        node = await self.node(chain)
        SyncServer(node.host, node.chain, clock=RealClock(), limits=limits)
        return node

    async def host_before(self, other: Host) -> Host:
        """Return a host that is asked before another one, as long as both are unknown."""
        while True:
            host = await self.host()
            if host.peer_id < other.peer_id:
                return host

    async def liar(self, honest: Node, protocol: str, mangle: Mangle) -> Host:
        """Return a host that is asked first, and changes the answers of one protocol."""
        host = await self.host_before(honest.host)
        answers = Answers(honest.chain, clock=RealClock(), limits=DEFAULT_SERVING)
        for kind, handler in answers.handlers():
            changed = mangled(handler, mangle) if f"/{protocol}/" in kind.name else handler
            host.handle(kind.name, RequestServer(kind, changed, clock=RealClock()).serve)
        return host

    async def silent(self, honest: Node) -> Host:
        """Return a host that is asked first, takes every question and answers none."""
        host = await self.host_before(honest.host)
        answers = Answers(honest.chain, clock=RealClock(), limits=DEFAULT_SERVING)
        for kind, _ in answers.handlers():
            host.handle(kind.name, RequestServer(kind, never, clock=RealClock()).serve)
        return host

    async def gossip(self, node: Node) -> CertificateNews:
        """Give a node ears for certificates."""
        pubsub = PubSub(node.host, [certificate_rules(node.chain.chain_id)])
        await self.stack.enter_async_context(pubsub)
        return CertificateNews(node.chain, pubsub)


@asynccontextmanager
async def village(folder: Path, *, genesis: bytes = GENESIS) -> AsyncIterator[Village]:
    async with AsyncExitStack() as stack:
        yield Village(folder, genesis, Town(), stack, itertools.count(1))


@asynccontextmanager
async def grown(
    folder: Path,
    count: int,
    *,
    genesis: bytes = GENESIS,
    transfers_every: int = 1,
    limits: ChainLimits = LONG_MEMORY,
) -> AsyncIterator[tuple[Village, Node, Chronicle]]:
    """Yield a village with one server, whose chain has some commits."""
    async with village(folder, genesis=genesis) as place:
        server = await place.server(place.chain(limits=limits))
        chronicle = Chronicle(server.chain)
        await chronicle.grow(count, transfers_every=transfers_every)
        yield place, server, chronicle


async def introduce(node: Node, *others: Node | Host) -> None:
    """Connect a node to others."""
    for other in others:
        await meet(node.host, other.host if isinstance(other, Node) else other)


def mangled(handler: Handler, mangle: Mangle) -> Handler:
    async def changed(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        async with aclosing(handler(asker, body)) as chunks:
            async for chunk in chunks:
                other = mangle(chunk)
                if other is None:
                    return
                yield other

    return changed


async def never(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
    del asker, body
    await asyncio.Event().wait()
    yield b""
