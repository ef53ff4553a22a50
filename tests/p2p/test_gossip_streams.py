"""The stream on which a gossip peer is heard: RPCs, rates, and what breaks its rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from p2p.errors import ConnectionLostError
from p2p.gossip_streams import OVERDRAFT_MS, RPC_COST_BYTES, Ear
from p2p.stream import Stream
from p2p.token_bucket import TokenBucket
from p2p.wire.peer_id import PeerId
from p2p.yamux.limits import WINDOW_SIZE_BYTES, YamuxLimits
from primitives.errors import PeerError
from tests.dsl.virtual_time import LoopClock, in_virtual_time
from tests.p2p.town import Town, meet, now_s, pass_time, until

PER_S = 100_000


@dataclass
class Listener:
    """What an ear hands on."""

    rpcs: list[bytes] = field(default_factory=list)
    charges: list[int] = field(default_factory=list)
    ears: list[Ear] = field(default_factory=list)

    def receive(self, peer_id: PeerId, raw: bytes) -> None:
        del peer_id
        self.rpcs.append(raw)

    def charge(self, peer_id: PeerId, count: int) -> None:
        del peer_id
        self.charges.append(count)


@asynccontextmanager
async def heard(*, burst: int = 50_000, debt: int = 0) -> AsyncIterator[tuple[Stream, Listener]]:
    """Yield a stream whose other end is heard at `PER_S` bytes a second."""
    listener = Listener()
    clock = LoopClock()
    rate = TokenBucket(per_s=PER_S, burst=burst, now_ms=0)
    rate.take(debt, now_ms=0)

    async def hear(stream: Stream) -> None:
        ear = Ear(
            stream,
            receive=listener.receive,
            charge=listener.charge,
            now_ms=clock.monotonic_ms,
            rate=rate,
        )
        listener.ears.append(ear)
        await ear.run()

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/hear/1", hear)
        connection = await meet(near, far)
        stream = await connection.open_stream(["/hear/1"])
        await until(lambda: listener.ears)
        yield stream, listener
        connection.abort(ConnectionLostError("the test is over", peer="p"))


@in_virtual_time
async def test_rpcs_are_handed_on_whole_and_in_order_and_empty_ones_left_out() -> None:
    async with heard() as (stream, listener):
        stream.write(b"\x03one\x00\x05th")
        await pass_time(0.1)
        assert listener.rpcs == [b"one"]
        stream.write(b"ree\x04four"[:2])
        stream.write(b"e\x04four")
        await pass_time(0.1)
        assert listener.rpcs == [b"one", b"three", b"four"]
        stream.close_write()
        assert await stream.read() == b""


@in_virtual_time
async def test_flooding_peer_is_slowed_to_the_rate_and_loses_nothing() -> None:
    async with heard() as (stream, listener):
        began_s = now_s()
        rpc = bytes(50_000)
        for _ in range(40):
            stream.write_frame(rpc)
            await stream.drain(0)
        await until(lambda: len(listener.rpcs) == 40)
        burst_bytes = 50_000 + YamuxLimits().window_bytes_max
        assert (40 * 50_000 - burst_bytes) / PER_S < now_s() - began_s < 22
        assert listener.charges == []


@in_virtual_time
async def test_tiny_rpcs_count_for_more_than_their_bytes() -> None:
    async with heard() as (stream, listener):
        began_s = now_s()
        for _ in range(10):
            stream.write(b"\x01x" * 500)
            await pass_time(0.01)
        stream.write_frame(bytes(2 * WINDOW_SIZE_BYTES))
        await stream.drain(0)
        assert now_s() - began_s > (5_000 * RPC_COST_BYTES - 50_000) / PER_S
        assert len(listener.rpcs) >= 5_000


@in_virtual_time
async def test_debt_of_an_earlier_stream_stays_with_its_peer_and_a_great_one_is_charged() -> None:
    debt = (OVERDRAFT_MS + 1_000) * PER_S // 1_000 + 50_000
    async with heard(debt=debt) as (stream, listener):
        stream.write_frame(b"one more")
        await pass_time(0.1)
        assert listener.rpcs == [b"one more"]
        assert listener.charges == [1]
        stream.write_frame(bytes(2 * WINDOW_SIZE_BYTES))
        await pass_time(5)
        assert stream.queued_bytes > 0
        await pass_time(30)
        assert stream.queued_bytes == 0


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"])
@in_virtual_time
async def test_rpc_without_a_sane_length_is_charged_and_ends_the_stream(raw: bytes) -> None:
    async with heard() as (stream, listener):
        stream.write(b"\x03one" + raw)
        with pytest.raises(PeerError):
            await stream.read()
        assert len(listener.charges) == 1
        assert listener.charges[0] >= 1


@in_virtual_time
async def test_stream_that_is_given_up_ends_while_it_is_slowed_too() -> None:
    async with heard() as (stream, listener):
        stream.write_frame(bytes(100_000))
        await pass_time(0.1)
        listener.ears[0].give_up()
        with pytest.raises(PeerError):
            await stream.read()
        await pass_time(5)
