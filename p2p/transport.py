"""Carry bytes over TCP: the only sockets of the room.

Reading starts when somebody listens, so nothing is buffered for a connection that nobody has taken
yet. What waits to be written is bounded here and in the kernel, since a long backlog would delay
the answer to a ping behind it.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from typing_extensions import override

from p2p.channel import Channel, ChannelReceiver, Listener
from p2p.errors import DialError
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError

WRITE_BUFFER_BYTES_MAX: Final = 256 * 1024
WRITE_BUFFER_BYTES_LOW: Final = 64 * 1024
KERNEL_UNSENT_BYTES_MAX: Final = 128 * 1024
"""What the kernel may hold beyond what is on its way; unlike a small SO_SNDBUF, this bounds the
wait of an urgent answer and not the speed of a long line."""
CLOSE_S: Final = 2.0
"""How long a closed channel waits for its bytes to leave and for the other side to close."""
READ_SIZE_BYTES_MAX: Final = 128 * 1024
"""The buffer that a channel reads into. `asyncio.Protocol` would make a new one of 256 KiB for each
read, which costs 16 us where a read of 1 KiB into this one costs 2."""

_FAMILIES: Final = {"dns4": socket.AF_INET, "dns6": socket.AF_INET6}


class TcpChannel(asyncio.BufferedProtocol):
    """One TCP connection, as a `p2p.channel.Channel`.

    Args:
        accept: told of the channel when it is open; None for one that we dial.

    Attributes:
        is_named: whether both ends are known; False when the other side left at once.
    """

    def __init__(self, accept: Callable[[Channel], None] | None = None) -> None:
        self.is_writable = True
        self.is_named = False
        self._accept = accept
        self._receiver: ChannelReceiver | None = None
        self._is_paused = False
        self._has_begun = False
        # What came before there was a receiver: at most one read.
        self._early = b""
        self._is_closing = False
        self._is_over = False
        self._error: Exception | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._buffer = bytearray(READ_SIZE_BYTES_MAX)
        self._view = memoryview(self._buffer)

    @property
    def local(self) -> Multiaddr:
        """Our end."""
        return self._local

    @property
    def remote(self) -> Multiaddr:
        """The other end."""
        return self._remote

    def start(self, receiver: ChannelReceiver) -> None:
        """Name the receiver; reading begins."""
        self._receiver = receiver
        asyncio.get_running_loop().call_soon(self._begin, receiver)

    def write(self, raw: bytes) -> None:
        """Send bytes; after the end of the channel they are dropped."""
        if self._is_usable:
            self._transport.write(raw)

    def pause_reading(self) -> None:
        """Stop reading, so that the kernel's buffer fills and the other side has to wait."""
        self._is_paused = True
        if self._is_usable:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._is_paused = False
        if self._receiver is None:
            return
        if not self._has_begun:
            asyncio.get_running_loop().call_soon(self._begin, self._receiver)
        elif self._is_usable:
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is waiting, then end the channel.

        A socket that is closed with unread input resets the connection, which destroys what is on
        its way to the other side. So we end our direction, read on without listening until the
        other side ends its own, and give up after `CLOSE_S`.
        """
        if self._is_closing or self._is_over:
            return
        is_usable = self._is_usable
        self._is_closing = True
        if is_usable:
            self._transport.write_eof()
            self._transport.resume_reading()
        # Also when the event loop closes the socket already, because the other side ended: it
        # would wait for ever to send what the other side does not read.
        self._last_call = asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)

    def abort(self) -> None:
        """End the channel now and drop what is waiting."""
        self._is_closing = True
        self._transport.abort()

    @property
    def _is_usable(self) -> bool:
        """Tell whether the socket takes calls; a closing one refuses them under uvloop."""
        return not self._is_closing and not self._transport.is_closing()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket from the event loop."""
        # A cast: the transports of uvloop behave as asyncio's and inherit from none of them.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        self._transport.set_write_buffer_limits(WRITE_BUFFER_BYTES_MAX, WRITE_BUFFER_BYTES_LOW)
        names = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if None in names:
            # The other side was gone before the kernel could tell who it is.
            self.abort()
            return
        self._local, self._remote = map(_address_of, names)
        self.is_named = True
        _tune(transport.get_extra_info("socket"))
        if self._accept is not None:
            self._accept(self)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend the event loop the buffer for one read."""
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        """Hand bytes on."""
        if not self._is_closing:
            raw = bytes(self._view[:nbytes])
            if self._receiver is not None and self._has_begun:
                self._receiver.bytes_received(raw)
            else:
                # Under uvloop the pause that `connection_made` asked for does not hold.
                self._early += raw
                self._transport.pause_reading()

    @override
    def pause_writing(self) -> None:
        """Learn that the write buffer is full."""
        self.is_writable = False

    @override
    def resume_writing(self) -> None:
        """Learn that the write buffer has room again."""
        self.is_writable = True
        if self._receiver is not None and not self._is_closing:
            self._receiver.writing_resumed()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the receiver that the channel is over."""
        self._is_over = True
        self._error = exc
        if self._last_call is not None:
            self._last_call.cancel()
        if self._receiver is not None and self._has_begun:
            self._receiver.channel_ended(exc)

    def _begin(self, receiver: ChannelReceiver) -> None:
        """Hand over what came before the receiver, then read on."""
        if self._is_paused or self._has_begun:
            return
        self._has_begun = True
        if self._early and not self._is_closing:
            receiver.bytes_received(self._early)
        self._early = b""
        if self._is_over:
            receiver.channel_ended(self._error)
        elif not self._is_paused:
            self.resume_reading()


class TcpListener:
    """A listening socket, as a `p2p.channel.Listener`."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self._addresses = tuple(_address_of(door.getsockname()) for door in server.sockets)

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where the door is; a wildcard stays one, since only its owner knows its names."""
        return self._addresses

    async def close(self) -> None:
        """Shut the door; channels that came through it stay."""
        self._server.close()
        # The server's own `wait_closed` waits for its connections too, since Python 3.12.
        await asyncio.sleep(0)


class TcpTransport:
    """TCP to IP addresses and DNS names, as a `p2p.channel.Transport`."""

    def can_reach(self, address: Multiaddr) -> bool:
        """Tell whether the address is plain TCP."""
        return address.tcp is not None

    async def dial(self, address: Multiaddr) -> Channel:
        """Open a channel to an address; the caller bounds the time.

        Raises:
            DialError: nobody answers there.
        """
        endpoint = address.tcp
        if endpoint is None:
            raise DialError("this is no address of tcp", peer=str(address))
        try:
            _, channel = await asyncio.get_running_loop().create_connection(
                TcpChannel,
                endpoint.host,
                endpoint.port,
                family=_FAMILIES.get(address.parts[0][0], socket.AF_UNSPEC),
            )
        except (OSError, UnicodeError) as error:
            # UnicodeError: a name that DNS cannot carry.
            raise DialError(f"cannot connect: {error}", peer=str(address)) from error
        if not channel.is_named:
            raise DialError("cannot connect: the other side left at once", peer=str(address))
        if channel.local == channel.remote:
            # The kernel chose the dialled port for our end, and TCP connected us to ourselves.
            channel.abort()
            raise DialError("cannot connect: nobody but ourselves is there", peer=str(address))
        return channel

    async def listen(self, address: Multiaddr, accept: Callable[[Channel], None]) -> Listener:
        """Open a door; `accept` is called with each channel that comes through it.

        Raises:
            ConfigurationError: the address is taken, or not ours.
        """
        endpoint = address.tcp
        if endpoint is None:
            raise ConfigurationError(f"cannot listen on {address}: it is no address of tcp")
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: TcpChannel(accept), endpoint.host, endpoint.port
            )
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(f"cannot listen on {address}: {error}") from error
        return TcpListener(server)


def _address_of(name: tuple[str, int]) -> Multiaddr:
    """Return the address of what the socket calls its end: host, port, and more for IPv6."""
    return Multiaddr.of_tcp(name[0].partition("%")[0], name[1])


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES_MAX)
