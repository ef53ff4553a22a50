import asyncio
import random

import pytest

from p2p.errors import PeerTimeoutError, StreamResetError
from p2p.host import Host
from p2p.ping import PING_PROTOCOL, PING_SIZE_BYTES, PINGS_AT_ONCE, PINGS_PER_S, answer_pings, ping
from p2p.stream import Stream
from primitives.errors import RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import HOLD, Town, hold, meet, now_s


async def ping_of(near: Host, far: Host, *, count: int = 1) -> list[float]:
    connection = await meet(near, far)
    read_s = asyncio.get_running_loop().time
    return await ping(connection, count=count, dice=random.Random(1), read_s=read_s)


@in_virtual_time
async def test_pings_come_back_on_one_stream_both_ways() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        for host in (near, far):
            host.handle(PING_PROTOCOL, answer_pings, streams_max=2)
        assert await ping_of(near, far, count=3) == [0, 0, 0]
        assert await ping_of(far, near) == [0]
        assert near.usages.of(PING_PROTOCOL).outbound_streams == 1


@in_virtual_time
async def test_ping_is_answered_behind_bulk_bytes_of_another_stream() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, answer_pings)
        connection = await meet(near, far)
        bulk = await connection.open_stream([HOLD])
        bulk.write(bytes(10_000_000))
        assert await ping_of(near, far) == [0]
        bulk.reset()


@in_virtual_time
async def test_ping_without_an_answer_fails_after_ten_seconds() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, hold)
        began_s = now_s()
        with pytest.raises(PeerTimeoutError):
            await ping_of(near, far)
        assert 10 <= now_s() - began_s < 11


@in_virtual_time
async def test_ping_that_comes_back_changed_is_a_violation() -> None:
    async def lie(stream: Stream) -> None:
        await stream.read_exactly(PING_SIZE_BYTES)
        stream.write(bytes(PING_SIZE_BYTES))

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, lie)
        with pytest.raises(RemoteProtocolError, match="changed"):
            await ping_of(near, far)


@in_virtual_time
async def test_ping_stream_that_asks_nothing_is_closed() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, answer_pings)
        connection = await meet(near, far)
        idle = await connection.open_stream([PING_PROTOCOL])
        with pytest.raises(StreamResetError):
            await idle.read()
        assert connection.is_open


@in_virtual_time
async def test_flood_of_pings_is_answered_slowly() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, answer_pings)
        connection = await meet(near, far)
        stream = await connection.open_stream([PING_PROTOCOL])
        began_s = now_s()
        flood_count = PINGS_AT_ONCE + 2 * PINGS_PER_S
        stream.write(bytes(flood_count * PING_SIZE_BYTES))
        await stream.read_exactly(flood_count * PING_SIZE_BYTES)
        assert 1.9 < now_s() - began_s < 2.1
        stream.close_write()
        assert await stream.read() == b""


@in_virtual_time
async def test_ping_that_is_cancelled_is_over_at_once() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PING_PROTOCOL, hold)
        await meet(near, far)
        began_s = now_s()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ping_of(near, far)
        assert now_s() - began_s < 1.1
