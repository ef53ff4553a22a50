"""Hosts that meet in memory and in virtual time, and peers that misbehave on purpose."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from p2p.channel import Transport
from p2p.connection import Connection
from p2p.host import Host, HostSettings
from p2p.identify_message import IdentifyMessage
from p2p.limits import Limits, TimeLimits
from p2p.memory import MemoryNetwork
from p2p.stream import Stream
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId
from primitives.errors import PeerError
from tests.dsl.virtual_time import LoopClock

PORT: Final = 4_001
ECHO: Final = "/echo/1"
HOLD: Final = "/hold/1"
LIMITS: Final = Limits()
TIMES: Final = TimeLimits()


def identity_of(number: int) -> Identity:
    return Identity.from_seed(number.to_bytes(32, "big"))


def peer_of(number: int) -> PeerId:
    return identity_of(number).peer_id


def place_of(ip: str) -> Multiaddr:
    return Multiaddr.of_tcp(ip, PORT)


class Diary:
    """A watcher that writes down who came and went."""

    def __init__(self) -> None:
        self.came: list[PeerId] = []
        self.left: list[PeerId] = []
        self.said: list[tuple[PeerId, IdentifyMessage]] = []

    def peer_connected(self, connection: Connection) -> None:
        self.came.append(connection.peer_id)

    def peer_disconnected(self, peer_id: PeerId) -> None:
        self.left.append(peer_id)

    def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        self.said.append((peer_id, message))


class Town:
    """A network in memory; number n lives at 10.0.n.1, in a /24 of its own."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.diaries: dict[PeerId, Diary] = {}

    def host(
        self,
        number: int,
        *,
        ip: str | None = None,
        limits: Limits = LIMITS,
        times: TimeLimits = TIMES,
        transport: Transport | None = None,
    ) -> Host:
        """Return a host that does not listen yet, and keep its diary."""
        host = Host(
            identity_of(number),
            transports=(transport or self.network.host(ip or ip_of_number(number)),),
            clock=LoopClock(),
            dice=random.Random(number),
            settings=HostSettings(limits=limits, times=times, agent_version=f"peer/{number}"),
        )
        diary = self.diaries[host.peer_id] = Diary()
        host.watch(diary)
        return host

    @asynccontextmanager
    async def open(
        self,
        number: int,
        *,
        ip: str | None = None,
        limits: Limits = LIMITS,
        times: TimeLimits = TIMES,
    ) -> AsyncIterator[Host]:
        """Run a host that listens, echoes on ECHO and never reads on HOLD."""
        async with self.host(number, ip=ip, limits=limits, times=times) as host:
            host.handle(ECHO, echo)
            host.handle(HOLD, hold)
            await host.listen(place_of(ip or ip_of_number(number)))
            yield host

    def diary(self, host: Host) -> Diary:
        return self.diaries[host.peer_id]


def ip_of_number(number: int) -> str:
    return f"10.0.{number}.1"


@asynccontextmanager
async def pair(
    *, limits: Limits = LIMITS, near_times: TimeLimits = TIMES, far_times: TimeLimits = TIMES
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Yield both ends of a connection between hosts 1 and 2, the dialler's first."""
    town = Town()
    async with (
        town.open(1, limits=limits, times=near_times) as near,
        town.open(2, limits=limits, times=far_times) as far,
    ):
        yield await meet(near, far), await end_of(far, near)


async def meet(near: Host, far: Host) -> Connection:
    """Connect two hosts and wait until both know it."""
    connection = await near.connect(far.peer_id, far.addresses)
    await end_of(far, near)
    return connection


async def end_of(host: Host, peer: Host) -> Connection:
    """Return the connection of a host to a peer, once there is one that serves streams."""
    await until(lambda: host.connections.of(peer.peer_id) is not None)
    connection = host.connections.of(peer.peer_id)
    assert connection is not None
    return connection


async def until(holds: Callable[[], object], *, limit_s: float = 600) -> None:
    """Wait until something holds; virtual time passes in steps that grow to a tenth of a second."""
    step_s = 0.001
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(step_s)
            step_s = min(0.1, 1.1 * step_s)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def pass_time(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


async def echo(stream: Stream) -> None:
    while chunk := await stream.read():
        stream.write(chunk)
        await stream.drain()


async def hold(stream: Stream) -> None:
    """Read nothing until the connection ends."""
    await asyncio.get_running_loop().create_future()
    await stream.read()


async def read_until_lost(stream: Stream) -> tuple[int, PeerError]:
    """Read until the stream is lost; return how many bytes came, and why it ended."""
    size_bytes = 0
    try:
        while chunk := await stream.read():
            size_bytes += len(chunk)
    except PeerError as error:
        return size_bytes, error
    raise AssertionError("the stream ended in order")


def into(streams: list[Stream]) -> Callable[[Stream], Awaitable[None]]:
    """Return a handler that hands its streams to the test and keeps them open."""

    async def keep(stream: Stream) -> None:
        streams.append(stream)
        await asyncio.get_running_loop().create_future()

    return keep
