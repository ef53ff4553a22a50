"""Protocols and their handlers, as a peer meets them."""

import pytest

from p2p.errors import ProtocolsRefusedError, StreamResetError
from p2p.handlers import Handlers
from p2p.limits import Limits, TimeLimits
from p2p.stream import Stream
from p2p.usage import UsageTable
from primitives.errors import ConfigurationError, PeerError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import ECHO, Town, echo, hold, into, meet, now_s, pair, pass_time, until


def test_protocol_has_one_handler() -> None:
    handlers = Handlers(Limits(), TimeLimits(), UsageTable())
    handlers.add("/a/1", echo)
    handlers.add("/b/1", echo)
    with pytest.raises(ConfigurationError, match="/a/1"):
        handlers.add("/a/1", echo)
    handlers.remove("/a/1")
    handlers.remove("/a/1")
    assert handlers.protocols == ("/b/1",)


@in_virtual_time
async def test_protocol_that_was_removed_is_refused_and_its_streams_stay() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        stream = await connection.open_stream([ECHO])
        far.handlers.remove(ECHO)
        with pytest.raises(ProtocolsRefusedError):
            await connection.open_stream([ECHO])
        stream.write(b"still here")
        assert await stream.read() == b"still here"
        stream.reset()


@in_virtual_time
async def test_streams_of_one_protocol_and_peer_are_bounded() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/two/1", hold, streams_max=2)
        connection = await meet(near, far)
        streams = [await connection.open_stream(["/two/1"]) for _ in range(2)]
        with pytest.raises(StreamResetError):
            await connection.open_stream(["/two/1"])
        streams[0].reset()
        await connection.close()
        await until(lambda: not far.connections.peers)
        again = await (await meet(near, far)).open_stream(["/two/1"])
        await pass_time(1)
        again.write(b"served")
        await again.drain(0)
        again.reset()


@in_virtual_time
async def test_bound_counts_each_peer_and_protocol_for_itself() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two, town.open(3) as far:
        kept: list[Stream] = []
        for name in ("/a/1", "/b/1"):
            far.handle(name, into(kept), streams_max=1)
        for guest in (one, two):
            connection = await meet(guest, far)
            for name in ("/a/1", "/b/1"):
                await connection.open_stream([name])
        await until(lambda: len(kept) == 4)
        assert {(stream.peer_id, stream.protocol) for stream in kept} == {
            (guest.peer_id, name) for guest in (one, two) for name in ("/a/1", "/b/1")
        }


@in_virtual_time
async def test_handler_that_returns_closes_the_stream_in_order() -> None:
    async def answer(stream: Stream) -> None:
        stream.write(b"answer")

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/answer/1", answer)
        connection = await meet(near, far)
        stream = await connection.open_stream(["/answer/1"])
        stream.close_write()
        assert await stream.read_to_end(100) == b"answer"


@in_virtual_time
async def test_stream_that_names_no_protocol_is_reset_in_time() -> None:
    async with pair() as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        silent = near._muxer.open_stream()  # type: ignore[union-attr]  # noqa: SLF001
        began_s = now_s()
        with pytest.raises(StreamResetError):
            await silent.read()
        assert 10 <= now_s() - began_s < 11
        assert near.is_open


@in_virtual_time
async def test_stream_that_ends_before_it_names_a_protocol_costs_nothing() -> None:
    async with pair() as (near, far):
        await until(lambda: near.stream_count == far.stream_count == 0)
        hasty = near._muxer.open_stream()  # type: ignore[union-attr]  # noqa: SLF001
        hasty.close_write()
        with pytest.raises(PeerError):
            await hasty.read()
        assert far.stream_count == 0
        assert far.is_open


@in_virtual_time
async def test_streams_and_bytes_are_counted_by_protocol() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        stream = await (await meet(near, far)).open_stream([ECHO])
        stream.write(bytes(1_000))
        await stream.read_exactly(1_000)
        ours, theirs = near.usages.of(ECHO), far.usages.of(ECHO)
        assert (ours.outbound_streams, ours.inbound_streams) == (1, 0)
        assert (theirs.outbound_streams, theirs.inbound_streams) == (0, 1)
        assert (ours.sent_bytes, ours.received_bytes) == (1_000, 1_000)
        assert (theirs.sent_bytes, theirs.received_bytes) == (1_000, 1_000)
        stream.reset()
