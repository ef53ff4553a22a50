"""A node that follows live: it is pushed by gossip, and asks now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.sync.follower import Follower
from node.sync.limits import SyncLimits
from node.sync.news import CertificateNews
from tests.p2p.town import until
from tests.sync.chronicle import GENESIS, GENESIS_OF_SHORT_EPOCHS, Chronicle
from tests.sync.village import QUICK, Node, RealClock, grown, introduce

BY_GOSSIP_ALONE = replace(QUICK, poll_ms=60_000)


@dataclass
class Pair:
    """A server that publishes its certificates, and a node that hears them."""

    server: Node
    node: Node
    voice: CertificateNews
    ears: CertificateNews
    chronicle: Chronicle

    def publish(self) -> None:
        certified = self.server.chain.certified
        assert certified is not None
        self.voice.publish(CERTIFICATE_CODEC.encode(certified))

    def follower(self, limits: SyncLimits) -> Follower:
        return self.node.follower(limits=limits, news=self.ears)


@asynccontextmanager
async def pair(folder: Path, *, genesis: bytes = GENESIS) -> AsyncIterator[Pair]:
    async with grown(folder, 1, genesis=genesis) as (place, server, chronicle):
        node = await place.node()
        voice, ears = await place.gossip(server), await place.gossip(node)
        await introduce(node, server)
        await until(lambda: ears.mesh_size and voice.mesh_size)
        yield Pair(server, node, voice, ears, chronicle)


@pytest.mark.asyncio
async def test_follower_executes_what_is_certified_as_soon_as_it_hears_of_it(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as both, asyncio.TaskGroup() as group:
        task = group.create_task(both.follower(BY_GOSSIP_ALONE).follow())
        await until(lambda: both.node.chain.head.height == 1)
        clock, delays_ms = RealClock(), []
        for _ in range(5):
            await both.chronicle.grow(1)
            began_ms = clock.monotonic_ms()
            both.publish()
            await until(lambda: both.node.chain.certified == both.server.chain.certified)
            delays_ms.append(clock.monotonic_ms() - began_ms)
        task.cancel()
        assert sorted(delays_ms)[2] < 200
        # Every certificate that was heard is kept, so that each receipt is proven here too.
        numbers = range(both.node.chain.head.checkpoint_count)
        assert all(both.node.chain.certificate(number) is not None for number in numbers)


@pytest.mark.asyncio
async def test_follower_without_gossip_asks_now_and_then(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (place, server, chronicle), asyncio.TaskGroup() as group:
        node = await place.node()
        await introduce(node, server)
        task = group.create_task(node.follower().follow())
        await until(lambda: node.chain.head.height == 1)
        await chronicle.grow(2)
        await until(lambda: node.chain.head == server.chain.head)
        task.cancel()


@pytest.mark.asyncio
async def test_follower_hears_its_way_through_epochs(tmp_path: Path) -> None:
    async with pair(tmp_path, genesis=GENESIS_OF_SHORT_EPOCHS) as both:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(both.follower(BY_GOSSIP_ALONE).follow())
            for _ in range(11):
                await both.chronicle.grow(1)
                both.publish()
            await until(lambda: both.node.chain.head == both.server.chain.head)
            task.cancel()
        assert both.node.chain.head.epoch == 2


@pytest.mark.asyncio
async def test_following_ends_when_it_is_told_to(tmp_path: Path) -> None:
    async with pair(tmp_path, genesis=GENESIS_OF_SHORT_EPOCHS) as both:
        chain = both.node.chain
        async with asyncio.TaskGroup() as group:
            group.create_task(both.follower(QUICK).follow(until=lambda: chain.head.epoch == 1))
            await both.chronicle.grow(5)
        assert chain.head.epoch == 1
