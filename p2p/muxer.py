"""The upgraded half of a connection: bytes of the channel to streams, and streams to bytes.

`YamuxSession` and the ciphers decide; this shell moves bytes between them, the channel and the
streams. What comes is handled in the callback that brings it, without a task, since that path runs
for every message. What leaves is collected for one turn of the loop, then sealed in frames of the
largest size, as long as the channel takes them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from p2p.channel import Channel
from p2p.errors import ConnectionLostError, StreamResetError
from p2p.limits import Limits
from p2p.noise.cipher import PLAINTEXT_SIZE_BYTES_MAX
from p2p.stream import Stream
from p2p.upgrade import Upgraded
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import peer_id_text
from p2p.wire.role import Direction, Role
from p2p.yamux.events import (
    PayloadReceived,
    Ponged,
    SessionClosed,
    StreamHalfClosed,
    StreamOpened,
    StreamReset,
    YamuxEvent,
)
from p2p.yamux.frames import NORMAL_TERMINATION, PROTOCOL_ERROR
from p2p.yamux.limits import YamuxLimits
from p2p.yamux.session import YamuxSession
from primitives.errors import HanseError

SMALL_FRAME_SIZE_BYTES: Final = 64
"""What a frame holds at least not to count as an event: a peer may cut its bytes as it likes."""


@dataclass(slots=True)
class Traffic:
    """What a connection carried since it began, on the wire.

    Attributes:
        rtt_ms: the last round trip of a yamux ping; None before the first.
    """

    received_bytes: int = 0
    sent_bytes: int = 0
    rtt_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MuxerEvents:
    """Whom a muxer tells of what it does not handle itself."""

    opened: Callable[[Stream], None]
    ponged: Callable[[], None]
    left: Callable[[HanseError], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Drain:
    """Somebody who waits until a stream has at most so many bytes queued."""

    stream_id: int
    size_bytes_max: int
    waiter: asyncio.Future[None]


class Muxer:
    """The streams of one connection; the `StreamCarrier` of each of them."""

    def __init__(
        self,
        channel: Channel,
        secured: Upgraded,
        *,
        role: Role,
        limits: Limits,
        traffic: Traffic,
        events: MuxerEvents,
    ) -> None:
        self._channel = channel
        self._peer_id = secured.peer_id
        self._peer = peer_id_text(secured.peer_id)
        self._opener = secured.opener
        self._sealer = secured.sealer
        self._session = YamuxSession(
            role=role,
            limits=YamuxLimits(inbound_streams=limits.inbound_streams),
            peer=self._peer,
        )
        self._traffic = traffic
        self._events = events
        self._event_count = 0
        self._streams: dict[int, Stream] = {}
        # Streams over for both sides whose last bytes have not left.
        self._lingering: list[int] = []
        self._drains: list[_Drain] = []
        self._emptied: asyncio.Future[None] | None = None
        self._is_flush_due = False
        self._is_over = False
        self._loop = asyncio.get_running_loop()

    @property
    def local(self) -> Multiaddr:
        """Our end."""
        return self._channel.local

    @property
    def remote(self) -> Multiaddr:
        """The peer's end."""
        return self._channel.remote

    @property
    def stream_count(self) -> int:
        """How many streams are open, both directions."""
        return len(self._streams)

    @property
    def unread_bytes(self) -> int:
        """How many bytes of all streams came, or were announced, that nobody has read."""
        return self._session.unread_bytes

    @property
    def steps(self) -> int:
        """How often the peer made us act so far, however few bytes it took."""
        return self._event_count + self._session.bare_frames

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits to be sent, be it for credit."""
        session = self._session
        if session.has_output:
            return False
        return not any(session.queued_bytes(stream_id) for stream_id in self._streams)

    def open_stream(self) -> Stream:
        """Open a stream.

        Raises:
            StreamMisuseError: too many wait for the peer.
        """
        stream = self._add_stream(self._session.open_stream(), Direction.OUTBOUND)
        self._flush_soon()
        return stream

    def receive(self, chunk: bytes) -> None:
        """Take bytes from the channel.

        Raises:
            RemoteProtocolError: they are not what the peer sealed next, or break yamux.
        """
        for plaintext in self._opener.open_frames(chunk):
            if len(plaintext) < SMALL_FRAME_SIZE_BYTES:
                # Decrypting it costs as much as acting on it, even if it holds nothing.
                self._event_count += 1
            self.receive_plaintext(plaintext)

    def receive_plaintext(self, plaintext: bytes) -> None:
        """Take bytes that were decrypted.

        Raises:
            MuxerError: they break yamux.
        """
        streams = self._streams
        session = self._session
        events = session.receive(plaintext)
        self._event_count += len(events)
        for event in events:
            if type(event) is PayloadReceived:
                stream = streams.get(event.stream_id)
                if stream is not None:
                    stream.receive(event.payload)
            else:
                self._take_event(event)
        if session.has_output and not self._is_flush_due:
            self._flush_soon()

    def queue(self, stream_id: int, raw: bytes) -> None:
        """Send bytes of a stream as soon as credit and fairness allow."""
        self._session.send(stream_id, raw)
        if not self._is_flush_due:
            self._flush_soon()

    def queued_bytes(self, stream_id: int) -> int:
        """Return how many bytes of a stream wait."""
        return self._session.queued_bytes(stream_id)

    async def drained(self, stream_id: int, size_bytes_max: int) -> None:
        """Wait until at most so many bytes of a stream wait, or the connection is over."""
        self.flush()
        if self._is_over or self.queued_bytes(stream_id) <= size_bytes_max:
            return
        drain = _Drain(stream_id, size_bytes_max, self._loop.create_future())
        self._drains.append(drain)
        try:
            await drain.waiter
        finally:
            self._drains.remove(drain)

    def credit(self, stream_id: int, size_bytes: int) -> None:
        """Let the peer send as many bytes of a stream again as were read."""
        session = self._session
        session.consume(stream_id, size_bytes)
        if session.has_output and not self._is_flush_due:
            self._flush_soon()

    def let_window_grow(self, stream_id: int, size_bytes_max: int) -> None:
        """Let the window of a stream grow to a size of its own."""
        self._session.set_window_max(stream_id, size_bytes_max)

    def close_write(self, stream_id: int) -> None:
        """End our direction of a stream behind what is queued."""
        self._session.close_write(stream_id)
        self._forget_if_over(stream_id)
        self._flush_soon()

    def reset(self, stream_id: int) -> None:
        """Give a stream up; what it had queued is dropped."""
        self._streams.pop(stream_id, None)
        self._session.reset(stream_id)
        self._wake_drains()
        self._flush_soon()

    def ping(self, value: int) -> None:
        """Ask for a sign of life."""
        self._session.ping(value)
        self.flush()

    async def emptied(self, timeout_s: float) -> None:
        """Wait until all that was queued has left, or time is up, or the connection is over."""
        self.flush()
        if not self._is_over and not self.is_empty:
            self._emptied = self._loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._emptied

    def say_goodbye(self) -> None:
        """End the session in order, behind all that can leave."""
        self._session.go_away(NORMAL_TERMINATION)
        self.flush()

    def refuse(self) -> None:
        """End the session after a violation; the peer hears that it erred, but not how."""
        self._session.go_away(PROTOCOL_ERROR)
        self.flush()

    def lose(self, error: HanseError) -> None:
        """Learn that the connection is over: everyone who waits is woken."""
        self._is_over = True
        for stream in tuple(self._streams.values()):
            stream.lose(error)
        self._streams.clear()
        self._wake_drains()
        self._note_empty()

    def flush(self) -> None:
        """Write what may leave, as long as the channel takes it."""
        self._is_flush_due = False
        if self._is_over:
            return
        session = self._session
        channel = self._channel
        while session.has_output and channel.is_writable:
            plaintext = session.take(PLAINTEXT_SIZE_BYTES_MAX)
            if not plaintext:
                break
            raw = self._sealer.seal(plaintext)
            self._traffic.sent_bytes += len(raw)
            channel.write(raw)
        if self._lingering:
            self._forget_sent()
        if self._drains:
            self._wake_drains()
        if self._emptied is not None and self.is_empty:
            self._note_empty()

    def _take_event(self, event: YamuxEvent) -> None:
        match event:
            case StreamOpened(stream_id=stream_id):
                self._events.opened(self._add_stream(stream_id, Direction.INBOUND))
            case StreamHalfClosed(stream_id=stream_id):
                self._take_half_close(stream_id)
            case StreamReset(stream_id=stream_id):
                self._take_reset(stream_id)
            case Ponged():
                self._events.ponged()
            case SessionClosed(code=code):
                is_orderly = code == NORMAL_TERMINATION
                reason = "the peer said goodbye" if is_orderly else f"go away, code {code}"
                self._events.left(ConnectionLostError(reason, peer=self._peer))
            case _:
                pass

    def _take_half_close(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.end()
            self._forget_if_over(stream_id)

    def _take_reset(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            stream.lose(StreamResetError("the peer gave the stream up", peer=self._peer))
        self._wake_drains()

    def _add_stream(self, stream_id: int, direction: Direction) -> Stream:
        stream = Stream(self, stream_id, peer_id=self._peer_id, direction=direction)
        self._streams[stream_id] = stream
        return stream

    def _forget_if_over(self, stream_id: int) -> None:
        """Let go of a stream that both sides closed, once its bytes have left."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.is_over:
            return
        if self._session.queued_bytes(stream_id):
            self._lingering.append(stream_id)
        else:
            del self._streams[stream_id]

    def _forget_sent(self) -> None:
        queued_bytes = self._session.queued_bytes
        for stream_id in self._lingering:
            if not queued_bytes(stream_id):
                self._streams.pop(stream_id, None)
        self._lingering = [stream_id for stream_id in self._lingering if queued_bytes(stream_id)]

    def _wake_drains(self) -> None:
        for drain in self._drains:
            is_met = self.queued_bytes(drain.stream_id) <= drain.size_bytes_max
            if (is_met or self._is_over) and not drain.waiter.done():
                drain.waiter.set_result(None)

    def _note_empty(self) -> None:
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self.flush)
