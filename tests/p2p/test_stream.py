"""One stream: reading, writing, back pressure, and its ends."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest

from p2p.connection import Connection
from p2p.errors import (
    ConnectionLostError,
    PeerTimeoutError,
    StreamEndedError,
    StreamMisuseError,
    StreamResetError,
)
from p2p.stream import DISCARDED_BYTES_MAX, QUEUED_BYTES_MAX, Stream
from p2p.wire.role import Direction
from p2p.yamux.limits import DEFAULT_LIMITS, WINDOW_SIZE_BYTES
from primitives.errors import HanseError, RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import (
    Town,
    into,
    meet,
    now_s,
    pass_time,
    peer_of,
    read_until_lost,
    until,
)

KEEP = "/keep/1"
ROOM_BYTES = WINDOW_SIZE_BYTES - len("\x13/multistream/1.0.0\n\x08/keep/1\n")
"""What a window has room for after the negotiation, whose credit comes with more."""


class Sink:
    """Writes down what a stream brings; may refuse it."""

    def __init__(self, *, refusal: HanseError | None = None) -> None:
        self.received = b""
        self.ends: list[HanseError | None] = []
        self._refusal = refusal

    def bytes_received(self, chunk: bytes) -> None:
        self.received += chunk
        if self._refusal is not None:
            raise self._refusal

    def stream_ended(self, error: HanseError | None) -> None:
        self.ends.append(error)


class Line(NamedTuple):
    """Both ends of one stream, and the connection below the opener's."""

    near: Stream
    far: Stream
    connection: Connection


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    town = Town()
    streams: list[Stream] = []
    async with town.open(1) as near, town.open(2) as far:
        far.handle(KEEP, into(streams))
        connection = await meet(near, far)
        stream = await connection.open_stream([KEEP])
        await until(lambda: streams)
        yield Line(stream, streams[0], connection)
        # Those who hold a stream here would let goodbyes wait for them.
        connection.abort(ConnectionLostError("the test is over", peer="p"))


@in_virtual_time
async def test_stream_knows_its_peer_and_both_places() -> None:
    async with line() as (near, far, connection):
        assert (near.peer_id, far.peer_id) == (peer_of(2), peer_of(1))
        assert (near.direction, far.direction) == (Direction.OUTBOUND, Direction.INBOUND)
        assert (near.local, near.remote) == (connection.local, connection.remote)
        assert (far.local, far.remote) == (near.remote, near.local)
        assert near.protocol == far.protocol == KEEP


@in_virtual_time
async def test_read_returns_at_most_what_was_asked_for_and_keeps_the_rest() -> None:
    async with line() as (near, far, _):
        near.write(b"abcdef")
        assert await far.read(2) == b"ab"
        assert await far.read_exactly(3) == b"cde"
        assert await far.read() == b"f"


@in_virtual_time
async def test_frames_come_whole_however_long_their_length_is() -> None:
    async with line() as (near, far, _):
        frames = [b"", b"x", bytes(127), bytes(128), bytes(20_000)]
        for frame in frames:
            near.write_frame(frame)
        assert [await far.read_frame(20_000) for _ in frames] == frames


@pytest.mark.parametrize("head", [b"\x81\x80\x00", b"\xff" * 10, b"\x05", b"\x80\x80\x80\x80\x10"])
@in_virtual_time
async def test_frame_with_a_bad_length_or_above_the_limit_is_refused_unread(head: bytes) -> None:
    async with line() as (near, far, _):
        near.write(head)
        with pytest.raises(RemoteProtocolError):
            await far.read_frame(4)


@in_virtual_time
async def test_end_before_the_bytes_asked_for_is_an_error() -> None:
    async with line() as (near, far, _):
        near.write_frame(bytes(10))
        near.write(b"\x0a123")
        near.close_write()
        await far.read_frame(10)
        with pytest.raises(StreamEndedError, match="7 bytes before 10"):
            await far.read_frame(10)


@in_virtual_time
async def test_reading_to_the_end_stops_at_its_limit() -> None:
    async with line() as (near, far, _):
        near.write(bytes(11))
        near.close_write()
        with pytest.raises(RemoteProtocolError, match="more than 10 bytes"):
            await far.read_to_end(10)


@in_virtual_time
async def test_half_close_leaves_the_other_direction_open() -> None:
    async with line() as (near, far, _):
        near.write(b"question")
        near.close_write()
        near.close_write()
        assert await far.read_to_end(100) == b"question"
        far.write(b"answer")
        assert await near.read() == b"answer"
        assert not near.is_over
        with pytest.raises(StreamMisuseError, match="closed for writing"):
            near.write(b"more")
        far.close_write()
        assert await near.read() == b""
        assert near.is_over


@pytest.mark.parametrize("is_near", [True, False])
@in_virtual_time
async def test_reset_from_either_side_wakes_the_other(is_near: bool) -> None:
    async with line() as (near, far, _):
        giver, loser = (near, far) if is_near else (far, near)
        loser.write(bytes(600_000))
        async with asyncio.TaskGroup() as waiters:
            waits = [
                waiters.create_task(expect(StreamResetError, loser.read())),
                waiters.create_task(expect(StreamResetError, loser.drain())),
                waiters.create_task(expect(StreamResetError, loser.drain(0))),
            ]
            await pass_time(1)
            assert not any(wait.done() for wait in waits)
            giver.reset()
            giver.reset()
        assert loser.queued_bytes == 0
        await expect(StreamResetError, giver.drain())


@in_virtual_time
async def test_own_reset_wakes_our_own_writer() -> None:
    async with line() as (near, _, _):
        near.write(bytes(600_000))
        async with asyncio.TaskGroup() as waiters:
            waiters.create_task(expect(StreamResetError, near.drain(0)))
            await pass_time(1)
            near.reset()


@in_virtual_time
async def test_bytes_that_came_before_a_reset_can_still_be_read() -> None:
    async with line() as (near, far, _):
        near.write(b"last words")
        await pass_time(0.1)
        near.reset()
        await pass_time(0.1)
        assert await far.read() == b"last words"
        await expect(StreamResetError, far.read())


@in_virtual_time
async def test_write_after_the_loss_goes_nowhere() -> None:
    async with line() as (near, far, _):
        far.reset()
        await pass_time(0.1)
        near.write(b"into the void")
        assert near.queued_bytes == 0
        near.close_write()


@in_virtual_time
async def test_write_after_a_sink_refused_or_after_our_own_reset_goes_nowhere_too() -> None:
    async with line() as (near, far, _):
        far.attach(Sink(refusal=RemoteProtocolError("nonsense", peer=far.peer)))
        near.write(b"nonsense")
        await pass_time(0.1)
        far.write(b"answer of a handler that does not know yet")
        await expect(RemoteProtocolError, far.drain())
        near.reset()
        near.write_frame(b"more")
        await expect(StreamResetError, near.drain())


@in_virtual_time
async def test_end_that_came_before_a_loss_is_read_as_the_end() -> None:
    async with line() as (near, far, connection):
        near.write(b"all")
        near.close_write()
        await pass_time(0.1)
        connection.channel.abort()
        await pass_time(0.1)
        assert await far.read_to_end(10) == b"all"
        await expect(ConnectionLostError, far.drain())


@in_virtual_time
async def test_reader_that_stops_slows_the_writer_and_costs_one_window() -> None:
    async with line() as (near, far, _):
        written_bytes = 0
        tracemalloc.start()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(60):
                    while True:
                        near.write(bytes(10_000))
                        written_bytes += 10_000
                        await near.drain()
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert written_bytes <= WINDOW_SIZE_BYTES + QUEUED_BYTES_MAX + 10_000
        assert peak_bytes < 2 * (WINDOW_SIZE_BYTES + QUEUED_BYTES_MAX)
        await far.read_exactly(written_bytes)
        await near.drain(0)


@in_virtual_time
async def test_two_drains_on_one_stream_wake_each_at_its_mark() -> None:
    async with line() as (near, far, _):
        near.write(bytes(ROOM_BYTES + 200_000))
        async with asyncio.TaskGroup() as waiters:
            early = waiters.create_task(near.drain(100_000))
            late = waiters.create_task(near.drain(0))
            given_up = waiters.create_task(near.drain(0))
            await pass_time(1)
            given_up.cancel()
            assert near.queued_bytes == 200_000
            assert not early.done()
            await far.read_exactly(140_000)
            await pass_time(1)
            assert early.done()
            assert not late.done()
            await far.read_exactly(ROOM_BYTES + 60_000)


@in_virtual_time
async def test_stream_has_one_reader() -> None:
    async with line() as (near, far, _):
        async with asyncio.TaskGroup() as readers:
            reading = readers.create_task(far.read())
            await pass_time(0.1)
            await expect(StreamMisuseError, far.read())
            with pytest.raises(StreamMisuseError):
                far.attach(Sink())
            near.write(b"for the first")
        assert reading.result() == b"for the first"
        far.attach(Sink())
        await expect(StreamMisuseError, far.read())


@in_virtual_time
async def test_read_that_is_cancelled_loses_nothing() -> None:
    async with line() as (near, far, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await far.read()
        near.write(b"later")
        assert await far.read() == b"later"


@in_virtual_time
async def test_sink_gets_what_came_and_what_comes_and_then_the_end() -> None:
    async with line() as (near, far, connection):
        sink = Sink()
        near.write(b"before, ")
        await pass_time(0.1)
        far.attach(sink)
        assert sink.received == b"before, "
        near.write(b"after")
        near.close_write()
        await pass_time(0.1)
        assert (sink.received, sink.ends) == (b"before, after", [None])
        connection.channel.abort()
        await pass_time(0.1)
        assert [type(end) for end in sink.ends[1:]] == [ConnectionLostError]


@in_virtual_time
async def test_sink_that_comes_after_the_end_is_told_at_once() -> None:
    async with line() as (near, far, _):
        near.write(b"all")
        near.close_write()
        await pass_time(0.1)
        sink = Sink()
        far.attach(sink)
        assert (sink.received, sink.ends) == (b"all", [None])


@in_virtual_time
async def test_sink_that_comes_after_a_reset_is_told_why() -> None:
    async with line() as (near, far, _):
        near.reset()
        await pass_time(0.1)
        sink = Sink()
        far.attach(sink)
        assert [type(end) for end in sink.ends] == [StreamResetError]


@pytest.mark.parametrize("is_early", [True, False])
@in_virtual_time
async def test_sink_that_refuses_bytes_is_told_its_own_reason_once(is_early: bool) -> None:
    async with line() as (near, far, _):
        refusal = RemoteProtocolError("nonsense", peer=far.peer)
        sink = Sink(refusal=refusal)
        if is_early:
            far.attach(sink)
        near.write(b"nonsense")
        await pass_time(0.1)
        if not is_early:
            far.attach(sink)
            await pass_time(0.1)
        assert sink.ends == [refusal]
        await expect(RemoteProtocolError, far.drain())
        await expect(StreamResetError, near.read())


@in_virtual_time
async def test_credit_that_is_held_stops_the_peer_after_one_window_until_it_is_granted() -> None:
    async with line() as (near, far, _):
        sink = Sink()
        far.hold_credit()
        far.attach(sink)
        near.write(bytes(1_000_000))
        await pass_time(1)
        assert len(sink.received) == ROOM_BYTES
        far.grant_credit()
        await near.drain(0)
        await pass_time(0.1)
        assert len(sink.received) == 1_000_000


@in_virtual_time
async def test_window_of_a_stream_may_grow_beyond_the_usual() -> None:
    async with line() as (near, far, _):
        far.let_window_grow(4 * DEFAULT_LIMITS.window_bytes_max)
        sink = Sink()
        far.attach(sink)
        near.write(bytes(16 * DEFAULT_LIMITS.window_bytes_max))
        await near.drain(0)
        far.hold_credit()
        sink.received = b""
        near.write(bytes(16 * DEFAULT_LIMITS.window_bytes_max))
        await pass_time(1)
        assert len(sink.received) > 2 * DEFAULT_LIMITS.window_bytes_max
        near.reset()
        await pass_time(0.1)
        far.let_window_grow(1)


@in_virtual_time
async def test_bytes_that_are_put_back_come_first_and_are_credited_once() -> None:
    async with line() as (near, far, connection):
        for _ in range(40):
            near.write(bytes(WINDOW_SIZE_BYTES // 2))
            raw = await far.read_exactly(WINDOW_SIZE_BYTES // 2)
            far.unread(b"")
            far.unread(raw)
            assert await far.read_exactly(len(raw)) == raw
        assert connection.is_open


@in_virtual_time
async def test_finish_waits_for_what_the_peer_sends_and_drops_it() -> None:
    async with line() as (near, far, connection):
        near.write(b"mine")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(near.finish())
            far.write(bytes(1_000))
            assert await far.read_to_end(10) == b"mine"
            far.close_write()
        assert near.is_over
        assert connection.stream_count == 0


@in_virtual_time
async def test_finish_gives_up_a_peer_that_does_not_close_after_ten_seconds() -> None:
    async with line() as (near, far, _):
        began_s = now_s()
        await expect(PeerTimeoutError, near.finish())
        assert 10 <= now_s() - began_s < 11
        assert await far.read() == b""
        await pass_time(0.1)
        await expect(StreamResetError, far.drain())


@in_virtual_time
async def test_finish_gives_up_a_peer_that_goes_on_sending() -> None:
    async with line() as (near, far, _):
        far.write(bytes(DISCARDED_BYTES_MAX + 1))
        began_s = now_s()
        await expect(RemoteProtocolError, near.finish())
        assert now_s() - began_s < 1
        assert await far.read() == b""
        await pass_time(0.1)
        await expect(StreamResetError, far.drain())


@in_virtual_time
async def test_finish_that_gives_up_drops_what_the_peer_gave_no_credit_for() -> None:
    async with line() as (near, far, connection):
        far.close_write()
        await pass_time(0.1)
        near.write(bytes(WINDOW_SIZE_BYTES + 100_000))
        await expect(PeerTimeoutError, near.finish())
        assert near.queued_bytes == 0
        assert connection.stream_count == 0
        came_bytes, error = await read_until_lost(far)
        assert came_bytes == ROOM_BYTES
        assert isinstance(error, StreamResetError)


@in_virtual_time
async def test_loss_is_told_even_when_only_queued_bytes_are_left_of_a_stream() -> None:
    async with line() as (near, far, connection):
        far.close_write()
        await pass_time(0.1)
        near.write(bytes(WINDOW_SIZE_BYTES + 100_000))
        near.close_write()
        assert near.is_over
        async with asyncio.TaskGroup() as waiters:
            waiters.create_task(expect(ConnectionLostError, near.drain(0)))
            await pass_time(1)
            connection.channel.abort()


@in_virtual_time
async def test_stream_that_is_over_is_forgotten_once_its_bytes_have_left() -> None:
    async with line() as (near, far, connection):
        far.close_write()
        await pass_time(0.1)
        near.write(bytes(WINDOW_SIZE_BYTES + 100_000))
        near.close_write()
        await pass_time(0.1)
        assert connection.stream_count == 1
        assert len(await far.read_to_end(1_000_000)) == WINDOW_SIZE_BYTES + 100_000
        await near.drain(0)
        assert connection.stream_count == 0


async def expect(kind: type[HanseError], wait: Awaitable[object]) -> None:
    with pytest.raises(kind):
        await wait
