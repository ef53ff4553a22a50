"""Carry bytes inside one process: a network of made-up hosts for tests and simulations.

Hosts have IP addresses and ports as on TCP, so everything that judges a peer by its address works
here too. Every delivery is an own turn of the event loop, in order; nothing waits on a clock.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from p2p.channel import Channel, ChannelReceiver, Listener
from p2p.errors import DialError
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError

WRITE_BUFFER_BYTES_MAX: Final = 256 * 1024
WRITE_BUFFER_BYTES_LOW: Final = 64 * 1024
_EPHEMERAL_PORT_FIRST: Final = 49_152
"""Where ports that nobody chose begin (RFC 6335)."""

_PORT_MAX: Final = 65_535

Place = tuple[str, int]
"""A host and a port."""


class MemoryNetwork:
    """The doors that are open, and the ports that were given out."""

    def __init__(self) -> None:
        self._doors: dict[Place, MemoryListener] = {}
        self._next_port = _EPHEMERAL_PORT_FIRST

    def host(self, ip: str) -> "MemoryTransport":
        """Return the transport of one host."""
        return MemoryTransport(self, ip)

    def give_port(self) -> int:
        """Return a port that nobody chose; a simulation may use more than there are, and wraps."""
        port = self._next_port
        self._next_port = port + 1 if port < _PORT_MAX else _EPHEMERAL_PORT_FIRST
        return port

    def open_door(self, place: Place, accept: Callable[[Channel], None]) -> "MemoryListener":
        """Open a door.

        Raises:
            ConfigurationError: there is one.
        """
        if place in self._doors:
            raise ConfigurationError(f"{place[0]} listens on port {place[1]} already")
        self._doors[place] = MemoryListener(self, place, accept)
        return self._doors[place]

    def shut_door(self, place: Place) -> None:
        """Shut a door, if it is open."""
        self._doors.pop(place, None)

    def door(self, place: Place) -> "MemoryListener | None":
        """Return the door at a place."""
        return self._doors.get(place)


class Pipe:
    """One direction of a connection: what was written and not yet taken."""

    def __init__(self) -> None:
        self.is_writable = True
        self._chunks: deque[bytes] = deque()
        self._size_bytes = 0
        self._receiver: ChannelReceiver | None = None
        self._resumed: Callable[[], None] | None = None
        self._is_paused = False
        self._is_due = False
        self._is_ended = False
        self._is_told = False
        self._error: Exception | None = None

    def attach(self, receiver: ChannelReceiver) -> None:
        """Name who takes the bytes."""
        self._receiver = receiver
        self._deliver_soon()

    def tell_when_writable(self, resumed: Callable[[], None]) -> None:
        """Name who is told that a full pipe has room again."""
        self._resumed = resumed

    def write(self, raw: bytes) -> None:
        """Put bytes in, unless the pipe has ended."""
        if raw and not self._is_ended:
            self._chunks.append(raw)
            self._size_bytes += len(raw)
            self.is_writable = self._size_bytes <= WRITE_BUFFER_BYTES_MAX and self.is_writable
            self._deliver_soon()

    def pause(self) -> None:
        """Deliver nothing."""
        self._is_paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._is_paused = False
        self._deliver_soon()

    def end(self) -> None:
        """End the pipe behind what it holds."""
        self._is_ended = True
        self._deliver_soon()

    def cut(self, error: Exception | None) -> None:
        """End the pipe now; what it holds is lost."""
        self._chunks.clear()
        self._size_bytes = 0
        self._error = self._error if self._is_ended else error
        self._is_paused = False
        self.end()

    def _deliver_soon(self) -> None:
        if not self._is_due and self._receiver is not None:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._deliver, self._receiver)

    def _deliver(self, receiver: ChannelReceiver) -> None:
        self._is_due = False
        while self._chunks and not self._is_paused:
            chunk = self._chunks.popleft()
            self._size_bytes -= len(chunk)
            receiver.bytes_received(chunk)
        if not self.is_writable and self._size_bytes <= WRITE_BUFFER_BYTES_LOW:
            self.is_writable = True
            if self._resumed is not None and not self._is_ended:
                self._resumed()
        if self._is_ended and not self._is_told and not self._chunks:
            self._is_told = True
            receiver.channel_ended(self._error)


class MemoryChannel:
    """One end of a connection, as a `p2p.channel.Channel`.

    Attributes:
        local: our end.
        remote: the other end.
    """

    def __init__(
        self, *, local: Multiaddr, remote: Multiaddr, incoming: Pipe, outgoing: Pipe
    ) -> None:
        self.local = local
        self.remote = remote
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def is_writable(self) -> bool:
        """False while the other end has too much to read."""
        return self._outgoing.is_writable

    def start(self, receiver: ChannelReceiver) -> None:
        """Name the receiver; bytes that came before are handed over, in order."""
        self._outgoing.tell_when_writable(receiver.writing_resumed)
        self._incoming.attach(receiver)

    def write(self, raw: bytes) -> None:
        """Send bytes; after the end of the channel they are dropped."""
        self._outgoing.write(raw)

    def pause_reading(self) -> None:
        """Stop taking bytes, so that the other end has to wait."""
        self._incoming.pause()

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._incoming.resume()

    def close(self) -> None:
        """Send what is waiting, then end the channel."""
        self._outgoing.end()
        self._incoming.cut(None)

    def abort(self) -> None:
        """End the channel now and drop what is waiting."""
        self._outgoing.cut(ConnectionResetError("the other end gave the connection up"))
        self._incoming.cut(None)


class MemoryListener:
    """An open door, as a `p2p.channel.Listener`."""

    def __init__(
        self, network: MemoryNetwork, place: Place, accept: Callable[[Channel], None]
    ) -> None:
        self.addresses = (Multiaddr.of_tcp(*place),)
        self._network = network
        self._place = place
        self._accept = accept

    async def close(self) -> None:
        """Shut the door; channels that came through it stay."""
        self._network.shut_door(self._place)

    def connect(self, local: Multiaddr) -> MemoryChannel:
        """Come through the door; return the outer end."""
        remote = self.addresses[0]
        inward, outward = Pipe(), Pipe()
        self._accept(MemoryChannel(local=remote, remote=local, incoming=inward, outgoing=outward))
        return MemoryChannel(local=local, remote=remote, incoming=outward, outgoing=inward)


class MemoryTransport:
    """What one host of the network reaches, as a `p2p.channel.Transport`."""

    def __init__(self, network: MemoryNetwork, ip: str) -> None:
        self._network = network
        self._ip = ip

    def can_reach(self, address: Multiaddr) -> bool:
        """Tell whether the address is a host and a port."""
        return address.tcp is not None

    async def dial(self, address: Multiaddr) -> Channel:
        """Open a channel to an address.

        Raises:
            DialError: nobody answers there.
        """
        await asyncio.sleep(0)
        endpoint = address.tcp
        door = None if endpoint is None else self._network.door((endpoint.host, endpoint.port))
        if door is None:
            raise DialError("cannot connect: nobody listens there", peer=str(address))
        return door.connect(Multiaddr.of_tcp(self._ip, self._network.give_port()))

    async def listen(self, address: Multiaddr, accept: Callable[[Channel], None]) -> Listener:
        """Open a door; `accept` is called with each channel that comes through it.

        Raises:
            ConfigurationError: the address is taken, or not this host's.
        """
        endpoint = address.tcp
        if endpoint is None or endpoint.host != self._ip:
            raise ConfigurationError(f"cannot listen on {address}: this host is {self._ip}")
        return self._network.open_door(
            (self._ip, endpoint.port or self._network.give_port()), accept
        )
