"""A node without a seat: from genesis or from where it was, to where its peers are."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.chain.limits import DEFAULT_LIMITS
from node.execution.commit import Closing
from node.storage.block_store import has_begun
from node.sync.errors import TooFarBehindError
from node.sync.follower import Reach
from primitives.ids import Epoch
from tests.p2p.town import until
from tests.sync.chronicle import GENESIS_OF_SHORT_EPOCHS
from tests.sync.village import QUICK, grown, introduce, village


@pytest.mark.asyncio
async def test_new_node_follows_from_genesis_to_the_same_state(tmp_path: Path) -> None:
    async with grown(tmp_path, 5) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        caught = await node.follower().catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
        assert (caught.height, caught.commits, caught.answers) == (5, 5, 1)
        assert node.chain.certified == server.chain.certified


@pytest.mark.asyncio
async def test_commits_that_no_certificate_covers_are_not_executed(tmp_path: Path) -> None:
    async with grown(tmp_path, 5, transfers_every=3) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        await node.follower().catch_up(Reach.NEWEST)
        assert (server.chain.head.height, node.chain.head.height) == (5, 3)


@pytest.mark.asyncio
async def test_follower_walks_through_epochs(tmp_path: Path) -> None:
    async with grown(tmp_path, 13, genesis=GENESIS_OF_SHORT_EPOCHS) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        await node.follower().catch_up(Reach.NEWEST)
        assert server.chain.head.epoch == 2
        assert node.chain.head == server.chain.head
        assert node.chain.chain_file() == server.chain.chain_file()


@pytest.mark.asyncio
async def test_validator_catches_up_to_the_beginning_of_the_running_epoch(tmp_path: Path) -> None:
    async with grown(tmp_path, 13, genesis=GENESIS_OF_SHORT_EPOCHS) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        caught = await node.follower().catch_up()
        assert (caught.epoch, node.chain.head.commit_index) == (2, 0)
        # Its journal of that epoch is for consensus to begin.
        assert not has_begun(node.chain.environment, Epoch(2))
        assert caught.newest is not None
        assert caught.newest.height == server.chain.head.height


@pytest.mark.asyncio
async def test_following_stops_where_an_epoch_begins_if_it_is_told_to(tmp_path: Path) -> None:
    async with grown(tmp_path, 13, genesis=GENESIS_OF_SHORT_EPOCHS) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        follower, chain = node.follower(), node.chain
        assert await follower.is_epoch_over()
        await follower.follow(until=lambda: chain.head.epoch == 1)
        assert (chain.head.epoch, chain.head.commit_index) == (1, 0)
        # A seat may wait for this node there, and its journal begins with it.
        assert not has_begun(chain.environment, Epoch(1))
        await follower.catch_up()
        assert not await follower.is_epoch_over()


@pytest.mark.asyncio
async def test_epoch_that_was_closed_by_force_is_followed(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (place, server, chronicle):
        await chronicle.grow(1, closing=Closing.FORCED)
        await chronicle.grow(1)
        node = await place.node()
        await introduce(node, server)
        await node.follower().catch_up(Reach.NEWEST)
        assert node.chain.head.epoch == 1
        assert node.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_long_way_is_fetched_in_ranges_from_several_peers(tmp_path: Path) -> None:
    limits = replace(QUICK, direct_commits_max=2, range_commits=3, span_commits=8)
    async with grown(tmp_path, 22, transfers_every=11) as (place, server, _):
        node, second = await place.node(), await place.server(server.chain)
        await introduce(node, server, second)
        await node.follower(limits=limits).catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_follower_serves_what_it_followed(tmp_path: Path) -> None:
    async with grown(tmp_path, 7, genesis=GENESIS_OF_SHORT_EPOCHS) as (place, server, _):
        middle, last = await place.server(), await place.node()
        await introduce(middle, server)
        await middle.follower().catch_up(Reach.NEWEST)
        await introduce(last, middle)
        await last.follower().catch_up(Reach.NEWEST)
        assert last.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_node_goes_on_where_it_was(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (place, server, chronicle):
        node = await place.node()
        await introduce(node, server)
        assert (await node.follower().catch_up(Reach.NEWEST)).commits == 2
        await chronicle.grow(3)
        assert (await node.follower().catch_up(Reach.NEWEST)).commits == 3
        assert node.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_node_without_peers_goes_on_alone(tmp_path: Path) -> None:
    async with village(tmp_path) as place:
        node = await place.node()
        caught = await node.follower().catch_up()
        assert (caught.height, caught.answers, caught.newest) == (0, 0, None)


@pytest.mark.asyncio
async def test_node_whose_commits_nobody_keeps_is_told_to_join_by_snapshot(tmp_path: Path) -> None:
    short = GENESIS_OF_SHORT_EPOCHS
    async with grown(tmp_path, 15, genesis=short, limits=DEFAULT_LIMITS) as (place, server, _):
        node = await place.node()
        await introduce(node, server)
        with pytest.raises(TooFarBehindError, match="join again by a snapshot") as raised:
            await node.follower().catch_up()
        assert (raised.value.epoch, raised.value.index, raised.value.height) == (0, 1, 0)


@pytest.mark.asyncio
async def test_node_whose_peers_all_went_away_waits_for_others(tmp_path: Path) -> None:
    limits = replace(QUICK, direct_commits_max=0, patience_ms=1)
    async with grown(tmp_path, 2) as (place, server, _):
        node = await place.node()
        # It shows the way, and has nothing of it.
        guide = await place.liar(server, "commits", lambda _: None)
        await introduce(node, guide)
        with capture_logs() as logs:
            async with asyncio.TaskGroup() as group:
                group.create_task(node.follower(limits=limits).catch_up(Reach.NEWEST))
                await until(lambda: [log for log in logs if log["event"] == "nobody answers"])
                await introduce(node, server)
        assert node.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_peer_that_is_behind_as_well_is_no_reason_to_give_up(tmp_path: Path) -> None:
    limits = replace(QUICK, direct_commits_max=0, patience_ms=1)
    async with grown(tmp_path, 2) as (place, server, _):
        node, slow = await place.node(), await place.server()
        await introduce(slow, server)
        guide = await place.liar(server, "commits", lambda _: None)
        await introduce(node, guide, slow)
        async with asyncio.TaskGroup() as group:
            group.create_task(node.follower(limits=limits).catch_up(Reach.NEWEST))
            await slow.follower().catch_up(Reach.NEWEST)
        assert node.chain.head == server.chain.head
