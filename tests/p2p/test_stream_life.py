"""Work that makes sense only as long as its stream is alive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from p2p.errors import ConnectionLostError, StreamMisuseError, StreamResetError
from p2p.stream import Stream
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import Town, into, meet, now_s, pass_time, until

KEEP = "/keep/1"


@asynccontextmanager
async def ends() -> AsyncIterator[tuple[Stream, Stream]]:
    town = Town()
    streams: list[Stream] = []
    async with town.open(1) as near, town.open(2) as far:
        far.handle(KEEP, into(streams))
        connection = await meet(near, far)
        stream = await connection.open_stream([KEEP])
        await until(lambda: streams)
        yield stream, streams[0]
        connection.abort(ConnectionLostError("the test is over", peer="p"))


async def work_for(stream: Stream) -> None:
    with pytest.raises(StreamResetError):
        async with stream.while_alive():
            await pass_time(3_600)


@in_virtual_time
async def test_work_is_cancelled_when_the_stream_is_lost_and_never_begins_after_it() -> None:
    async with ends() as (near, far):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work_for(far))
            await pass_time(1)
            began_s = now_s()
            near.reset()
        await work_for(far)
        assert now_s() - began_s < 1


@in_virtual_time
async def test_work_for_a_stream_that_stays_ends_as_it_likes() -> None:
    async with ends() as (_, far):
        with pytest.raises(TimeoutError, match="of our own"):
            async with far.while_alive():
                raise TimeoutError("of our own")
        async with far.while_alive():
            far.reset()
        await pass_time(1)


@in_virtual_time
async def test_one_works_at_a_time() -> None:
    async with ends() as (_, far), far.while_alive():
        with pytest.raises(StreamMisuseError):
            async with far.while_alive():
                pass
