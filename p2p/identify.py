"""Tell peers what we are and learn what they are, after every upgrade and after every change.

A peer's key, if it names one, must be the key of the handshake. An address at which others see us
counts once three peers in different networks agree, since each of them could lie. Only those who
dialled us are heard: the others see a port that is gone with the connection. Source: libp2p specs,
identify; limits as go and js have them.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from p2p.connection import Connection
from p2p.errors import PeerTimeoutError
from p2p.gate import is_loopback
from p2p.identify_message import (
    IDENTIFY_PROTOCOL,
    PART_SIZE_BYTES_MAX,
    PARTS_MAX,
    PUSH_PROTOCOL,
    IdentifyMessage,
)
from p2p.slots import network_of
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, decode_public_key, peer_id_of
from p2p.wire.role import Direction
from primitives.clock import Clock
from primitives.errors import HanseError, PeerError, RemoteProtocolError

IDENTIFY_TIMEOUT_S: Final = 5
PUSH_INTERVAL_MS: Final = 5_000
"""A peer that pushes more often is not read, but asked once when the time is over."""
PUSHES_MAX: Final = 32
"""Pushes under way at a time."""
OBSERVERS_MIN: Final = 3
OBSERVED_MAX: Final = 64

_MS_PER_S: Final = 1_000


async def ask_identity(connection: Connection) -> IdentifyMessage:
    """Return what the peer at the other end says of itself.

    Raises:
        RemoteProtocolError: malformed, or with the key of another peer.
        PeerTimeoutError: it took longer than `IDENTIFY_TIMEOUT_S`.
    """
    stream = await connection.open_stream([IDENTIFY_PROTOCOL])
    try:
        stream.close_write()
        message = await _read_message(stream)
    except BaseException:
        stream.reset()
        raise
    return message


async def push_identity(connection: Connection, message: IdentifyMessage) -> None:
    """Tell a peer what changed; the fields that did not change are absent."""
    stream = await connection.open_stream([PUSH_PROTOCOL])
    _write_message(stream, message)
    await stream.finish()


class Introductions:
    """What we say of ourselves and what each connected peer said of itself.

    Args:
        describe: returns our message for the peer at the other end of a stream or connection.
        told: called when a peer has said something new.
        connection_of: the connection to ask a peer over.
        blame: called when a peer does not say who it is.
    """

    def __init__(
        self,
        describe: Callable[[Stream | Connection], IdentifyMessage],
        *,
        clock: Clock,
        told: Callable[[PeerId, IdentifyMessage], None],
        connection_of: Callable[[PeerId], Connection | None],
        blame: Callable[[PeerId, PeerError], None],
    ) -> None:
        self.observed = ObservedAddresses()
        self._describe = describe
        self._clock = clock
        self._told = told
        self._connection_of = connection_of
        self._blame = blame
        self._messages: dict[PeerId, IdentifyMessage] = {}
        self._pushed_ms: dict[PeerId, int] = {}
        # Peers with a push that was not read.
        self._behind: set[PeerId] = set()
        self._pushes = asyncio.Semaphore(PUSHES_MAX)

    def of(self, peer_id: PeerId) -> IdentifyMessage | None:
        """Return what a connected peer said."""
        return self._messages.get(peer_id)

    async def ask(self, connection: Connection) -> None:
        """Ask a peer who it is and remember the answer while it is connected.

        Raises:
            PeerError: it did not say, or what it said does not hold.
        """
        message = await ask_identity(connection)
        if message.observed is not None and connection.direction is Direction.INBOUND:
            self.observed.note(message.observed, observer=connection.remote)
        self._note(connection.peer_id, message)

    async def answer(self, stream: Stream) -> None:
        """Say what we are."""
        _write_message(stream, self._describe(stream))

    async def take_push(self, stream: Stream) -> None:
        """Read what a peer says has changed; if it does so too often, ask once a little later.

        Raises:
            RemoteProtocolError: malformed, or with the key of another peer.
        """
        now_ms = self._clock.monotonic_ms()
        last_ms = self._pushed_ms.get(stream.peer_id)
        if last_ms is not None and now_ms - last_ms < PUSH_INTERVAL_MS:
            wait_ms = last_ms + PUSH_INTERVAL_MS - now_ms
            connection = self._connection_of(stream.peer_id)
            if connection is not None and stream.peer_id not in self._behind:
                connection.start_task(self._catch_up(connection, wait_ms), name="identify again")
            return
        self._pushed_ms[stream.peer_id] = now_ms
        pushed = await _read_message(stream)
        known = self._messages.get(stream.peer_id)
        self._note(stream.peer_id, pushed if known is None else known.update(pushed))

    async def push(self, connection: Connection) -> None:
        """Tell a peer what we are now, if it takes pushes."""
        known = self._messages.get(connection.peer_id)
        if known is not None and PUSH_PROTOCOL in known.protocols:
            async with self._pushes:
                await push_identity(connection, self._describe(connection))

    def forget(self, peer_id: PeerId) -> None:
        """Learn that a peer left."""
        self._messages.pop(peer_id, None)
        self._pushed_ms.pop(peer_id, None)

    async def _catch_up(self, connection: Connection, wait_ms: int) -> None:
        peer_id = connection.peer_id
        self._behind.add(peer_id)
        try:
            await asyncio.sleep(wait_ms / _MS_PER_S)
            self._pushed_ms[peer_id] = self._clock.monotonic_ms()
            await self.ask(connection)
        except PeerError as error:
            self._blame(peer_id, error)
        finally:
            self._behind.discard(peer_id)

    def _note(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        self._messages[peer_id] = message
        self._told(peer_id, message)


class ObservedAddresses:
    """Where others see us, counted by the networks (/16, IPv6: /32) of those who say so."""

    def __init__(self) -> None:
        self._observers: dict[Multiaddr, set[str]] = {}

    def note(self, observed: Multiaddr, *, observer: Multiaddr) -> bool:
        """Note what a peer sees; tell whether the address has just become credible."""
        endpoint, seen_from = observed.tcp, observer.tcp
        if endpoint is None or seen_from is None or is_loopback(seen_from.host):
            return False
        observers = self._observers.get(observed)
        if observers is None:
            if len(self._observers) >= OBSERVED_MAX and not self._forget_one():
                return False
            observers = self._observers[observed] = set()
        before = len(observers)
        if before < OBSERVERS_MIN:
            observers.add(network_of(observer))
        return before < OBSERVERS_MIN <= len(observers)

    @property
    def credible(self) -> tuple[Multiaddr, ...]:
        """The addresses that enough peers agree on."""
        return tuple(
            address
            for address, observers in self._observers.items()
            if len(observers) >= OBSERVERS_MIN
        )

    def _forget_one(self) -> bool:
        """Forget the oldest claim that is not credible; tell whether there was one."""
        for address, observers in self._observers.items():
            if len(observers) < OBSERVERS_MIN:
                del self._observers[address]
                return True
        return False


def _write_message(stream: Stream, message: IdentifyMessage) -> None:
    for part in message.encode_parts():
        stream.write_frame(part)


async def _read_message(stream: Stream) -> IdentifyMessage:
    try:
        async with asyncio.timeout(IDENTIFY_TIMEOUT_S):
            raw = await stream.read_to_end(PARTS_MAX * (PART_SIZE_BYTES_MAX + 2))
    except TimeoutError as error:
        raise PeerTimeoutError("identify took too long", peer=stream.peer) from error
    try:
        message = IdentifyMessage.decode_stream(raw)
        key = message.public_key
        named = stream.peer_id if key is None else peer_id_of(decode_public_key(key))
    except HanseError as error:
        raise RemoteProtocolError(f"identify: {error}", peer=stream.peer) from error
    if named != stream.peer_id:
        raise RemoteProtocolError("identify names another key", peer=stream.peer)
    return message
