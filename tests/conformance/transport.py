"""What every transport must do, as functions that take a place to try it.

@pytest.mark.parametrize("case", TRANSPORT_CASES, ids=lambda case: case.__name__)
@pytest.mark.asyncio
async def test_my_transport(case: TransportCase) -> None:
    await case(Arena(...))
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from p2p.channel import Channel, Listener, Transport
from p2p.errors import DialError
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError

TIME_LIMIT_S: Final = 5
CHUNK: Final = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class Arena:
    """Where a transport is tried.

    Args:
        inner: the transport that listens.
        outer: the transport that dials.
        door: an address to listen on; its port is 0.
        nobody: an address where nobody listens.
        foreign: an address that is not of this transport.
        buffered_bytes_max: what may be under way to a reader that has paused.
    """

    inner: Transport
    outer: Transport
    door: Multiaddr
    nobody: Multiaddr
    foreign: Multiaddr
    buffered_bytes_max: int


class Ear:
    """A receiver that remembers what it was told."""

    def __init__(self) -> None:
        self._received = bytearray()
        self.resumed_count = 0
        self.ends: list[Exception | None] = []
        self._changed = asyncio.Event()

    @property
    def received(self) -> bytes:
        """What came so far."""
        return bytes(self._received)

    def bytes_received(self, chunk: bytes) -> None:
        """Keep the bytes."""
        assert chunk
        assert not self.ends, "nothing comes after the end"
        self._received += chunk
        self._changed.set()

    def writing_resumed(self) -> None:
        """Count the calls."""
        self.resumed_count += 1
        self._changed.set()

    def channel_ended(self, error: Exception | None) -> None:
        """Keep the error."""
        self.ends.append(error)
        self._changed.set()

    async def until(self, is_reached: Callable[["Ear"], bool]) -> None:
        """Wait until what came satisfies a condition."""
        async with asyncio.timeout(TIME_LIMIT_S):
            while not is_reached(self):
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> None:
        """Wait for the end."""
        await self.until(lambda ear: bool(ear.ends))


@dataclass(frozen=True, slots=True)
class Line:
    """Two connected ends and the door they met at; near is the one that dialled."""

    near: Channel
    far: Channel
    listener: Listener

    async def hang_up(self) -> None:
        """End everything."""
        self.near.abort()
        self.far.abort()
        await self.listener.close()


async def connect(arena: Arena) -> Line:
    """Listen and dial."""
    arrived: asyncio.Queue[Channel] = asyncio.Queue(maxsize=1)
    listener = await arena.inner.listen(arena.door, arrived.put_nowait)
    async with asyncio.timeout(TIME_LIMIT_S):
        near = await arena.outer.dial(listener.addresses[0])
        return Line(near, await arrived.get(), listener)


async def turns(count: int = 20) -> None:
    """Let everything happen that is due."""
    for _ in range(count):
        await asyncio.sleep(0)


async def bytes_arrive_in_order_both_ways(arena: Arena) -> None:
    """Each side reads what the other wrote, however it was cut."""
    line = await connect(arena)
    ears = Ear(), Ear()
    line.near.start(ears[0])
    line.far.start(ears[1])
    for number in range(200):
        line.near.write(b"%d," % number)
        line.far.write(b"%d;" % number)
    there = b"".join(b"%d," % number for number in range(200))
    back = b"".join(b"%d;" % number for number in range(200))
    await ears[1].until(lambda ear: len(ear.received) >= len(there))
    await ears[0].until(lambda ear: len(ear.received) >= len(back))
    assert (ears[1].received, ears[0].received) == (there, back)
    await line.hang_up()


async def ends_know_each_other(arena: Arena) -> None:
    """The local address of one end is the remote address of the other."""
    line = await connect(arena)
    assert line.near.remote == line.far.local == line.listener.addresses[0]
    assert line.near.local == line.far.remote
    endpoint = line.listener.addresses[0].tcp
    assert endpoint is not None
    assert endpoint.port > 0
    await line.hang_up()


async def bytes_wait_for_the_receiver(arena: Arena) -> None:
    """What comes before `start` is handed over after it, the end too."""
    line = await connect(arena)
    line.near.start(Ear())
    line.near.write(b"early")
    line.near.close()
    await turns()
    line.far.resume_reading()
    ear = Ear()
    line.far.start(ear)
    assert not ear.received, "every call comes from the event loop"
    await ear.ended()
    assert (ear.received, ear.ends) == (b"early", [None])
    await line.hang_up()


async def end_waits_for_the_receiver(arena: Arena) -> None:
    """Whoever starts on a channel that is over hears of its end, once."""
    line = await connect(arena)
    line.far.abort()
    await turns()
    ear = Ear()
    line.far.start(ear)
    assert not ear.ends
    await ear.ended()
    await turns()
    assert len(ear.ends) == 1
    await line.hang_up()


async def paused_reader_gets_nothing(arena: Arena) -> None:
    """Between pause and resume no bytes come, and none are lost."""
    line = await connect(arena)
    ear = Ear()
    line.far.start(ear)
    line.far.pause_reading()
    line.far.pause_reading()
    line.near.write(b"later")
    await turns()
    assert not ear.received
    line.far.resume_reading()
    await ear.until(lambda ear: ear.received == b"later")
    await line.hang_up()


async def reader_may_pause_before_the_first_byte(arena: Arena) -> None:
    """What came before `start` waits too, and the end behind it."""
    line = await connect(arena)
    line.near.start(Ear())
    line.near.write(b"early")
    line.near.close()
    await turns()
    ear = Ear()
    line.far.start(ear)
    line.far.pause_reading()
    await turns()
    heard_while_paused = bytes(ear.received)
    assert not heard_while_paused
    assert not ear.ends
    line.far.resume_reading()
    await ear.ended()
    assert ear.received == b"early"
    await line.hang_up()


async def slow_reader_slows_the_writer(arena: Arena) -> None:
    """A writer is told to stop within a bound, and to go on when there is room."""
    line = await connect(arena)
    writer, reader = Ear(), Ear()
    line.near.start(writer)
    line.far.start(reader)
    line.far.pause_reading()
    written_bytes = 0
    while line.near.is_writable:
        line.near.write(CHUNK)
        written_bytes += len(CHUNK)
        assert written_bytes <= arena.buffered_bytes_max
        await asyncio.sleep(0)
    await turns()
    assert writer.resumed_count == 0
    line.far.resume_reading()
    await writer.until(lambda ear: ear.resumed_count > 0 and line.near.is_writable)
    await reader.until(lambda ear: len(ear.received) == written_bytes)
    assert reader.received == CHUNK * (written_bytes // len(CHUNK))
    await line.hang_up()


async def close_delivers_what_was_written(arena: Arena) -> None:
    """The other side reads everything, then hears of an orderly end; each side hears it once."""
    line = await connect(arena)
    near, far = Ear(), Ear()
    line.near.start(near)
    line.far.start(far)
    line.near.write(CHUNK * 64)
    line.near.close()
    line.near.close()
    await far.ended()
    await near.ended()
    await turns()
    assert far.received == CHUNK * 64
    assert (near.ends, far.ends) == ([None], [None])
    await line.hang_up()


async def close_with_unread_input_loses_nothing(arena: Arena) -> None:
    """What is on its way arrives even when the end that closes has not read its input."""
    line = await connect(arena)
    near, far = Ear(), Ear()
    line.near.start(near)
    line.far.start(far)
    line.near.pause_reading()
    line.far.write(CHUNK)
    await turns()
    line.near.write(CHUNK * 8)
    line.near.close()
    await far.ended()
    assert far.received == CHUNK * 8
    assert not near.received
    await line.hang_up()


async def abort_ends_both_sides(arena: Arena) -> None:
    """Nobody is left waiting; what is written afterwards is dropped."""
    line = await connect(arena)
    near, far = Ear(), Ear()
    line.near.start(near)
    line.far.start(far)
    line.near.abort()
    line.near.write(b"lost")
    await near.ended()
    await far.ended()
    for end in (line.near, line.far):
        end.write(b"lost")
        end.pause_reading()
        end.resume_reading()
        end.close()
        end.abort()
    await turns()
    assert not far.received
    assert len(near.ends) == len(far.ends) == 1
    await line.hang_up()


async def nobody_answers_where_nobody_listens(arena: Arena) -> None:
    """The error names the address."""
    with pytest.raises(DialError) as raised:
        await arena.outer.dial(arena.nobody)
    assert raised.value.peer == str(arena.nobody)


async def door_opens_once(arena: Arena) -> None:
    """A place that is taken is a mistake of the operator."""
    listener = await arena.inner.listen(arena.door, lambda channel: channel.abort())
    with pytest.raises(ConfigurationError):
        await arena.inner.listen(listener.addresses[0], lambda channel: channel.abort())
    await listener.close()


async def shut_door_keeps_its_channels(arena: Arena) -> None:
    """Nobody comes in any more, and those inside go on talking."""
    line = await connect(arena)
    ear = Ear()
    line.far.start(ear)
    await line.listener.close()
    with pytest.raises(DialError):
        await arena.outer.dial(line.listener.addresses[0])
    line.near.write(b"still here")
    await ear.until(lambda ear: ear.received == b"still here")
    await line.hang_up()


async def foreign_addresses_are_refused(arena: Arena) -> None:
    """A transport knows its own addresses."""
    assert arena.outer.can_reach(arena.door)
    assert not arena.outer.can_reach(arena.foreign)
    with pytest.raises(DialError):
        await arena.outer.dial(arena.foreign)
    with pytest.raises(ConfigurationError):
        await arena.inner.listen(arena.foreign, lambda channel: channel.abort())


TransportCase = Callable[[Arena], Awaitable[None]]
TRANSPORT_CASES: Final[tuple[TransportCase, ...]] = (
    bytes_arrive_in_order_both_ways,
    ends_know_each_other,
    bytes_wait_for_the_receiver,
    end_waits_for_the_receiver,
    paused_reader_gets_nothing,
    reader_may_pause_before_the_first_byte,
    slow_reader_slows_the_writer,
    close_delivers_what_was_written,
    close_with_unread_input_loses_nothing,
    abort_ends_both_sides,
    nobody_answers_where_nobody_listens,
    door_opens_once,
    shut_door_keeps_its_channels,
    foreign_addresses_are_refused,
)
