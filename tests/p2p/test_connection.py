"""Two ends of one connection: identities, streams, goodbyes and losses."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from p2p.connection import Connection
from p2p.errors import (
    ConnectionLostError,
    DialError,
    HandshakeError,
    PeerTimeoutError,
    ProtocolsRefusedError,
    StreamResetError,
    TooManyStreamsError,
)
from p2p.limits import Limits, TimeLimits
from p2p.stream import Stream
from p2p.wire.role import Direction
from p2p.yamux.limits import DEFAULT_LIMITS
from primitives.errors import PeerError, RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import (
    ECHO,
    HOLD,
    Town,
    into,
    meet,
    now_s,
    pair,
    pass_time,
    peer_of,
    place_of,
    read_until_lost,
    until,
)


@in_virtual_time
async def test_both_ends_prove_who_they_are_and_agree_on_the_stack() -> None:
    async with pair() as (near, far):
        assert (near.peer_id, far.peer_id) == (peer_of(2), peer_of(1))
        assert (near.direction, far.direction) == (Direction.OUTBOUND, Direction.INBOUND)
        assert near.local == far.remote
        for end in (near, far):
            assert (end.security, end.muxer) == ("/noise", "/yamux/1.0.0")
            assert end.is_open
            assert end.error is None
    assert repr(near).startswith("Connection(outbound, 12D3")


@in_virtual_time
async def test_stream_carries_bytes_both_ways_and_ends_in_order() -> None:
    async with pair() as (near, _):
        stream = await near.open_stream([ECHO])
        stream.write(b"one ")
        stream.write(b"two")
        stream.close_write()
        assert await stream.read_to_end(100) == b"one two"
        assert stream.is_over
        assert await stream.read() == b""


@in_virtual_time
async def test_ends_count_what_the_wire_carries() -> None:
    async with pair() as (near, far):
        await pass_time(1)
        assert near.traffic.sent_bytes == far.traffic.received_bytes > 500
        assert near.traffic.received_bytes == far.traffic.sent_bytes > 500


@in_virtual_time
async def test_protocol_that_nobody_speaks_is_refused_and_the_next_is_tried() -> None:
    async with pair() as (near, _):
        with pytest.raises(ProtocolsRefusedError):
            await near.open_stream(["/nobody/1"])
        stream = await near.open_stream(["/nobody/1", ECHO])
        assert stream.protocol == ECHO
        stream.reset()


@in_virtual_time
async def test_stream_without_an_answer_times_out_and_is_reset() -> None:
    async with pair() as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        far.channel.pause_reading()
        began_s = now_s()
        with pytest.raises(PeerTimeoutError):
            await near.open_stream([ECHO])
        assert 10 <= now_s() - began_s < 11
        assert near.stream_count == 0
        far.channel.resume_reading()


@in_virtual_time
async def test_opening_that_is_cancelled_gives_the_stream_up() -> None:
    async with pair() as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        far.channel.pause_reading()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await near.open_stream([ECHO])
        assert near.stream_count == 0
        far.channel.resume_reading()


@in_virtual_time
async def test_goodbye_reaches_the_peer_behind_all_that_was_written() -> None:
    town = Town()
    streams: list[Stream] = []
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/keep/1", into(streams))
        connection = await meet(near, far)
        stream = await connection.open_stream(["/keep/1"])
        await until(lambda: streams)
        stream.write(bytes(100_000))
        await connection.close()
        assert not connection.is_open
        received, error = await read_until_lost(streams[0])
        assert received == 100_000
        assert "goodbye" in str(error)


@in_virtual_time
async def test_goodbye_waits_two_seconds_at_most_for_a_peer_that_does_not_read() -> None:
    async with pair() as (near, far):
        streams = [await near.open_stream([HOLD]) for _ in range(8)]
        far.channel.pause_reading()
        for stream in streams:
            stream.write(bytes(200_000))
        began_s = now_s()
        await near.close()
        assert 2 <= now_s() - began_s < 2.1
        far.channel.resume_reading()


@in_virtual_time
async def test_second_goodbye_waits_for_the_first_and_does_not_cut_it_short() -> None:
    town = Town()
    streams: list[Stream] = []
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/keep/1", into(streams))
        connection = await meet(near, far)
        stream = await connection.open_stream(["/keep/1"])
        await until(lambda: streams)
        stream.write(bytes(500_000))
        async with asyncio.TaskGroup() as closers:
            closers.create_task(connection.close())
            await asyncio.sleep(0)
            closers.create_task(connection.close())
            received, error = await read_until_lost(streams[0])
        assert received == 500_000
        assert "goodbye" in str(error)


@in_virtual_time
async def test_goodbye_that_is_cancelled_still_ends_the_connection() -> None:
    async with pair() as (near, far):
        stream = await near.open_stream([HOLD])
        far.channel.pause_reading()
        stream.write(bytes(400_000))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await near.close()
        assert isinstance(near.error, ConnectionLostError)
        far.channel.resume_reading()


@in_virtual_time
async def test_stream_after_the_end_is_refused_with_the_reason() -> None:
    async with pair() as (near, _):
        near.abort(ConnectionLostError("enough", peer="p"))
        with pytest.raises(ConnectionLostError, match="enough"):
            await near.open_stream([ECHO])


@in_virtual_time
async def test_task_of_a_connection_that_is_over_never_starts() -> None:
    started: list[str] = []

    async def work() -> None:
        started.append("work")

    async with pair() as (near, _):
        near.abort(ConnectionLostError("enough", peer="p"))
        near.start_task(work(), name="late")
        await pass_time(1)
        near.start_task(work(), name="later")
        await pass_time(1)
    assert not started


@in_virtual_time
async def test_loss_wakes_everyone_who_waits() -> None:
    async with pair() as (near, far):
        echoing, holding = await near.open_stream([ECHO]), await near.open_stream([HOLD])
        holding.write(bytes(600_000))
        woken: list[str] = []

        async def expect_loss(name: str, wait: Awaitable[object]) -> None:
            with pytest.raises(ConnectionLostError):
                await wait
            woken.append(name)

        far.channel.pause_reading()
        async with asyncio.TaskGroup() as waiters:
            waits = {
                "read": echoing.read(),
                "drain": holding.drain(),
                "second drain": holding.drain(0),
                "open": near.open_stream([ECHO]),
            }
            for name, wait in waits.items():
                waiters.create_task(expect_loss(name, wait))
            await pass_time(1)
            assert not woken
            far.channel.abort()
        assert sorted(woken) == ["drain", "open", "read", "second drain"]
        assert isinstance(near.error, ConnectionLostError)
        assert near.stream_count == 0


@in_virtual_time
async def test_handshake_that_takes_too_long_fails() -> None:
    town = Town()
    silent = town.network.host("10.0.9.1")
    listener = await silent.listen(place_of("10.0.9.1"), lambda _: None)
    async with town.open(1, times=TimeLimits(upgrade_s=2)) as near:
        with pytest.raises(DialError, match="the handshake took too long"):
            await near.connect(peer_of(9), listener.addresses)
    await listener.close()


@in_virtual_time
async def test_channel_that_ends_during_the_handshake_fails_it() -> None:
    town = Town()
    rude = town.network.host("10.0.9.1")
    listener = await rude.listen(place_of("10.0.9.1"), lambda channel: channel.abort())
    async with town.open(1) as near:
        with pytest.raises(DialError, match="connection lost"):
            await near.connect(peer_of(9), listener.addresses)
    await listener.close()


@in_virtual_time
async def test_idle_connection_is_kept_alive_by_pings() -> None:
    async with pair() as (near, far):
        await pass_time(300)
        assert near.is_open
        assert far.is_open
        assert near.traffic.rtt_ms is not None


@in_virtual_time
async def test_peer_that_does_not_answer_a_ping_is_given_up_after_ten_seconds() -> None:
    async with pair() as (near, far):
        await pass_time(1)
        far.channel.pause_reading()
        lost_s = await end_s(near)
        assert isinstance(near.error, PeerTimeoutError)
        assert 40 <= lost_s <= 44
        far.channel.resume_reading()


@in_virtual_time
async def test_peer_that_says_nothing_is_given_up_even_if_it_is_not_asked() -> None:
    calm, patient = TimeLimits(idle_ping_s=1_000), TimeLimits(idle_ping_s=1_000, silence_s=1_000)
    async with pair(near_times=calm, far_times=patient) as (near, far):
        await pass_time(1)
        far.channel.pause_reading()
        assert 60 <= await end_s(near) <= 62
        assert isinstance(near.error, PeerTimeoutError)
        far.channel.resume_reading()


@in_virtual_time
async def test_peer_that_sends_faster_than_its_budget_is_slowed_down() -> None:
    limits = Limits(bytes_per_s=100_000, burst_bytes=100_000)
    async with pair(limits=limits) as (near, _):
        stream = await near.open_stream([ECHO])
        began_s = now_s()
        for _ in range(10):
            stream.write(bytes(100_000))
            assert await stream.read_exactly(100_000) == bytes(100_000)
        assert 8 <= now_s() - began_s <= 25


@in_virtual_time
async def test_bytes_that_no_peer_sealed_end_the_connection_for_a_violation() -> None:
    async with pair() as (near, far):
        await pass_time(1)
        near.channel.write(b"\x00\x14" + bytes(20))
        await until(lambda: far.error is not None)
        assert isinstance(far.error, HandshakeError)
        await until(lambda: near.error is not None)
        assert not isinstance(near.error, RemoteProtocolError)


@in_virtual_time
async def test_crash_of_a_handler_ends_its_connection_and_no_other() -> None:
    async def crash(stream: Stream) -> None:
        raise ZeroDivisionError(stream.protocol)

    town = Town()
    async with town.open(1) as one, town.open(2) as two, town.open(3) as three:
        three.handle("/crash/1", crash)
        bad, good = await meet(one, three), await meet(two, three)
        with capture_logs() as logs:
            with suppress(PeerError):
                await bad.open_stream(["/crash/1"])
            await until(lambda: bad.error)
        assert [line["event"] for line in logs if line["log_level"] == "error"] == [
            "connection crashed"
        ]
        stream = await good.open_stream([ECHO])
        stream.write(b"still here")
        assert await stream.read() == b"still here"
        stream.reset()


@in_virtual_time
async def test_stream_that_comes_while_a_crash_ends_the_connection_is_not_served() -> None:
    served: list[Stream] = []

    async def crash(stream: Stream) -> None:
        raise ZeroDivisionError(stream.protocol)

    async def stop_slowly(stream: Stream) -> None:
        try:
            await stream.read()
        finally:
            await pass_time(1)

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/crash/1", crash)
        far.handle("/slow/1", stop_slowly)
        far.handle("/late/1", into(served))
        connection = await meet(near, far)
        await connection.open_stream(["/slow/1"])
        with capture_logs(), suppress(PeerError):
            await connection.open_stream(["/crash/1"])
        with capture_logs(), pytest.raises(PeerError):
            await connection.open_stream(["/late/1"])
        assert not served
        await until(lambda: not far.connections.peers)


@in_virtual_time
async def test_no_more_streams_are_let_in_than_the_limit_says() -> None:
    async with pair(limits=Limits(inbound_streams=8)) as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        for _ in range(8):
            await near.open_stream([HOLD])
        with pytest.raises(StreamResetError):
            await near.open_stream([HOLD])
        assert far.stream_count == 8


@in_virtual_time
async def test_stream_beyond_those_that_the_peer_has_not_answered_is_refused_for_now() -> None:
    async with pair() as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        far.channel.pause_reading()
        refused: list[str] = []

        async def open_one() -> None:
            with suppress(PeerTimeoutError):
                try:
                    await near.open_stream([HOLD])
                except TooManyStreamsError as error:
                    refused.append(str(error))

        async with asyncio.TaskGroup() as openers:
            for _ in range(DEFAULT_LIMITS.unacknowledged_streams + 1):
                openers.create_task(open_one())
        assert len(refused) == 1
        assert "wait for the peer" in refused[0]
        far.channel.resume_reading()


async def end_s(connection: Connection) -> float:
    """Return how long a connection lives from now on, in seconds."""
    began_s = now_s()
    await until(lambda: connection.error is not None)
    return now_s() - began_s
