"""Requests and their answers in chunks, with limits on both sides."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from p2p.connection import Connection
from p2p.errors import PeerTimeoutError, RequestRefusedError
from p2p.handlers import StreamHandler
from p2p.host import Host
from p2p.request import (
    BUCKETS_MAX,
    REASON_SIZE_BYTES_MAX,
    Handler,
    RefusedRequestError,
    RequestProtocol,
    RequestServer,
    Result,
    ask,
    ask_once,
)
from p2p.stream import QUEUED_BYTES_MAX, Stream
from p2p.wire.peer_id import PeerId
from p2p.yamux.limits import WINDOW_SIZE_BYTES
from primitives.errors import PeerError, RemoteProtocolError, StorageError
from tests.dsl.virtual_time import LoopClock, in_virtual_time
from tests.p2p.town import Town, meet, now_s, pass_time, until

PROTOCOL = RequestProtocol(name="/test/req/parts/1", request_size_bytes_max=100, chunks_max=5)
SMALL = RequestProtocol(name=PROTOCOL.name, chunk_size_bytes_max=10)


async def parts(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
    """Answer with the bytes of the request, one a chunk."""
    del asker
    for byte in body:
        yield bytes((byte,))


@asynccontextmanager
async def served(handler: StreamHandler) -> AsyncIterator[tuple[Connection, Host]]:
    """Yield a connection to a host that serves `PROTOCOL`, and the host."""
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle(PROTOCOL.name, handler)
        yield await meet(near, far), far


def server(handler: Handler = parts, *, protocol: RequestProtocol = PROTOCOL) -> StreamHandler:
    return RequestServer(protocol, handler, clock=LoopClock()).serve


def says(raw: bytes) -> StreamHandler:
    async def say(stream: Stream) -> None:
        stream.write(raw)

    return say


async def answer_of(
    connection: Connection, body: bytes, *, protocol: RequestProtocol = PROTOCOL
) -> list[bytes]:
    async with aclosing(ask(connection, protocol, body)) as chunks:
        return [chunk async for chunk in chunks]


@in_virtual_time
async def test_answer_comes_in_chunks() -> None:
    async with served(server()) as (connection, _):
        assert await answer_of(connection, b"abc") == [b"a", b"b", b"c"]
        assert await answer_of(connection, b"") == []
        assert await ask_once(connection, PROTOCOL, b"x") == b"x"
        assert connection.stream_count == 0


@pytest.mark.parametrize("body", [b"", b"ab"])
@in_virtual_time
async def test_one_chunk_means_one(body: bytes) -> None:
    async with served(server()) as (connection, _):
        with pytest.raises(RemoteProtocolError, match="expected one chunk"):
            await ask_once(connection, PROTOCOL, body)


@pytest.mark.parametrize(
    "result", [Result.INVALID_REQUEST, Result.SERVER_ERROR, Result.UNAVAILABLE]
)
@in_virtual_time
async def test_handler_refuses_with_a_result_and_a_reason(result: Result) -> None:
    async def refuse(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise RefusedRequestError("no such " + "thing" * 100, result=result)

    async with served(server(refuse)) as (connection, _):
        with pytest.raises(
            RequestRefusedError, match=f"{result.name.lower()}: 'no such thing"
        ) as caught:
            await answer_of(connection, b"")
        assert len(str(caught.value)) < REASON_SIZE_BYTES_MAX + 50


@in_virtual_time
async def test_error_on_our_side_is_answered_without_details() -> None:
    async def fail(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise StorageError("disk 7 is full")

    async with served(server(fail)) as (connection, _):
        with capture_logs() as logs, pytest.raises(RequestRefusedError) as caught:
            await answer_of(connection, b"")
        assert "server_error: 'internal error'" in str(caught.value)
        assert [line["reason"] for line in logs if line["log_level"] == "error"] == [
            "disk 7 is full"
        ]
        assert connection.is_open


@in_virtual_time
async def test_request_above_the_limit_is_a_violation() -> None:
    async with served(server()) as (connection, _):
        with pytest.raises(PeerError):
            await answer_of(connection, bytes(101))
        assert connection.is_open


@in_virtual_time
async def test_request_that_does_not_come_whole_is_given_up() -> None:
    async with served(server()) as (connection, _):
        stream = await connection.open_stream([PROTOCOL.name])
        stream.write(b"\x10half")
        began_s = now_s()
        with pytest.raises(PeerError):
            await stream.read()
        assert 10 <= now_s() - began_s < 11


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00\x0b" + bytes(11), "11 bytes > limit 10"),
        (b"\x02\x81\x02" + bytes(257), "257 bytes > limit 256"),
        (b"\x07\x00", "unknown result 7"),
        (b"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "varint"),
        (b"\x00\x05abc", "ended"),
        (b"\x00", "ended"),
    ],
)
@in_virtual_time
async def test_answer_that_breaks_the_rules_is_refused(raw: bytes, reason: str) -> None:
    async with served(says(raw)) as (connection, _):
        with pytest.raises(PeerError, match=reason):
            await answer_of(connection, b"", protocol=SMALL)


@in_virtual_time
async def test_answer_with_too_many_chunks_is_cut_off_at_the_limit() -> None:
    async with (
        served(says(b"\x00\x01x" * 6)) as (connection, _),
        aclosing(ask(connection, PROTOCOL, b"")) as chunks,
    ):
        assert [await anext(chunks) for _ in range(5)] == [b"x"] * 5
        with pytest.raises(RemoteProtocolError, match="more than 5 chunks"):
            await anext(chunks)


@pytest.mark.parametrize(("first", "limit_s"), [(b"", 5), (b"\x00\x01x", 10), (b"\x00\x05x", 10)])
@in_virtual_time
async def test_peer_that_does_not_answer_is_not_waited_for(first: bytes, limit_s: int) -> None:
    async def stall(stream: Stream) -> None:
        stream.write(first)
        await asyncio.get_running_loop().create_future()

    async with served(stall) as (connection, _):
        began_s = now_s()
        with pytest.raises(PeerTimeoutError, match="no answer"):
            await answer_of(connection, b"")
        assert limit_s <= now_s() - began_s < limit_s + 1
        assert connection.is_open


@in_virtual_time
async def test_asker_that_has_enough_stops_the_handler() -> None:
    given: list[bytes] = []
    stopped: list[str] = []

    async def pour(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                given.append(b"x")
                yield bytes(100_000)
        finally:
            stopped.append("stopped")

    async with served(server(pour)) as (connection, _):
        async with aclosing(ask(connection, PROTOCOL, b"")) as chunks:
            async for _ in chunks:
                break
        await until(lambda: stopped)
        assert len(given) < 20


@in_virtual_time
async def test_asker_that_reads_slowly_slows_the_handler_and_one_that_stops_is_given_up() -> None:
    given_bytes = 0

    async def pour(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        nonlocal given_bytes
        while True:
            given_bytes += 50_000
            yield bytes(50_000)

    protocol = RequestProtocol(name=PROTOCOL.name)
    async with served(server(pour)) as (connection, _):
        async with aclosing(ask(connection, protocol, b"")) as chunks:
            async for _ in chunks:
                break
            await pass_time(9)
            assert given_bytes <= WINDOW_SIZE_BYTES + QUEUED_BYTES_MAX + 100_000
            await pass_time(2)
            with pytest.raises(PeerError):
                async for _ in chunks:
                    pass
        assert connection.is_open


@in_virtual_time
async def test_third_request_at_a_time_waits_for_one_of_the_two_before() -> None:
    running = most = 0

    async def slow(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        yield body

    async with served(server(slow)) as (connection, _):
        began_s = now_s()
        async with asyncio.TaskGroup() as asking:
            tasks = [
                asking.create_task(ask_once(connection, PROTOCOL, b"%d" % n)) for n in range(6)
            ]
        assert [task.result() for task in tasks] == [b"%d" % n for n in range(6)]
        assert most == 2
        assert 3 <= now_s() - began_s < 3.5


@in_virtual_time
async def test_peer_that_asks_too_much_at_a_time_waits_and_then_is_refused() -> None:
    async def slow(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(1)
        yield b"done"

    async with served(server(slow)) as (connection, _):
        streams = [await connection.open_stream([PROTOCOL.name]) for _ in range(7)]
        for stream in streams:
            stream.write_frame(b"")
            stream.close_write()
        answers = [await stream.read_to_end(1_000) for stream in streams]
        assert answers[:6] == [b"\x00\x04done"] * 6
        assert answers[6][0] == Result.UNAVAILABLE


@in_virtual_time
async def test_request_that_its_asker_gave_up_makes_room_at_once() -> None:
    stopped: list[bytes] = []

    async def ponder(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        try:
            await pass_time(0 if body == b"quick" else 3_600)
        finally:
            stopped.append(body)
        yield body

    async with served(server(ponder)) as (connection, far):
        for _ in range(3):
            for _ in range(2):
                stream = await connection.open_stream([PROTOCOL.name])
                stream.write_frame(b"long")
                await pass_time(0.1)
                stream.reset()
        began_s = now_s()
        assert await ask_once(connection, PROTOCOL, b"quick") == b"quick"
        assert now_s() - began_s < 1
        assert stopped == [b"long"] * 6 + [b"quick"]
        assert not far.bans.is_banned(far.peer_id, now_ms=far.clock.monotonic_ms())


@in_virtual_time
async def test_first_chunk_may_take_longer_than_its_first_byte() -> None:
    async def slow(stream: Stream) -> None:
        await pass_time(4)
        stream.write(b"\x00\x02a")
        await pass_time(6)
        stream.write(b"b")

    async with served(slow) as (connection, _):
        assert await ask_once(connection, PROTOCOL, b"") == b"ab"


@in_virtual_time
async def test_asker_on_a_slow_line_gets_all_as_long_as_some_of_it_leaves() -> None:
    size_bytes = 1_000_000

    async def blob(asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        yield bytes(size_bytes)

    async with served(server(blob)) as (connection, _):
        stream = await connection.open_stream([PROTOCOL.name])
        stream.write_frame(b"")
        stream.close_write()
        came_bytes = 0
        while chunk := await stream.read(40_000):
            came_bytes += len(chunk)
            await pass_time(1)
        assert came_bytes == 1 + 3 + size_bytes


@in_virtual_time
async def test_requests_beyond_the_rate_are_delayed_and_not_refused() -> None:
    hasty = RequestProtocol(name=PROTOCOL.name, per_s=2, burst=4)
    async with served(server(protocol=hasty)) as (connection, _):
        began_s = now_s()
        for _ in range(8):
            await ask_once(connection, PROTOCOL, b"x")
        assert 1.9 <= now_s() - began_s < 2.5


def test_rates_of_many_peers_are_bounded() -> None:
    async def main() -> None:
        one = RequestServer(PROTOCOL, parts, clock=LoopClock())
        for number in range(BUCKETS_MAX + 10):
            assert one._delay_ms(PeerId(b"%d" % number)) == 0  # noqa: SLF001
        assert len(one._rates) == BUCKETS_MAX  # noqa: SLF001

    in_virtual_time(main)()
