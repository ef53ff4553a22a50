import pytest

from p2p.perf import PERF_PROTOCOL, Exchange, measure_perf, serve_perf
from p2p.stream import Stream
from primitives.errors import PeerError, RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import Town, meet, until


@pytest.mark.parametrize(("up_bytes", "down_bytes"), [(0, 0), (1_000_000, 1), (1, 1_000_000)])
@in_virtual_time
async def test_as_many_bytes_go_up_and_down_as_were_asked_for(
    up_bytes: int, down_bytes: int
) -> None:
    served: list[Exchange] = []

    async def serve(stream: Stream) -> None:
        served.append(await serve_perf(stream))

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PERF_PROTOCOL, serve)
        connection = await meet(near, far)
        await measure_perf(connection, up_bytes=up_bytes, down_bytes=down_bytes)
        await until(lambda: served)
        assert served == [Exchange(up_bytes, down_bytes)]
        usage = near.usages.of(PERF_PROTOCOL)
        assert (usage.sent_bytes, usage.received_bytes) == (8 + up_bytes, down_bytes)


@in_virtual_time
async def test_server_that_sends_less_than_asked_for_is_caught() -> None:
    async def cheat(stream: Stream) -> None:
        stream.write(bytes(9))

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PERF_PROTOCOL, cheat)
        with pytest.raises(RemoteProtocolError, match="asked for 10 bytes, 9 came"):
            await measure_perf(await meet(near, far), up_bytes=0, down_bytes=10)


@in_virtual_time
async def test_server_that_gives_up_ends_the_measurement() -> None:
    async def give_up(stream: Stream) -> None:
        await stream.read_exactly(100_000)
        stream.reset()

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PERF_PROTOCOL, give_up)
        with pytest.raises(PeerError):
            await measure_perf(await meet(near, far), up_bytes=10_000_000, down_bytes=10)
