"""One stream of a connection: ordered bytes both ways, each direction closed on its own.

A stream is read either by one task that awaits, or by a sink that is called with each chunk; the
peer gets credit for what was read, so a reader that stops slows its peer down and costs at most one
window of memory.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from p2p.errors import PeerTimeoutError, StreamEndedError, StreamMisuseError, StreamResetError
from p2p.read_buffer import ReadBuffer
from p2p.usage import Usage
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.protobuf import length_prefixed
from p2p.wire.role import Direction
from p2p.wire.varint import decode_varint
from primitives.errors import (
    HanseError,
    MalformedBytesError,
    PeerError,
    RemoteProtocolError,
)

READ_SIZE_BYTES: Final = 64 * 1024
QUEUED_BYTES_MAX: Final = 256 * 1024
"""A writer that has more than this unsent waits in `drain`; a backlog delays pings behind it."""
FINISH_TIMEOUT_S: Final = 10
DISCARDED_BYTES_MAX: Final = 64 * 1024


class StreamSink(Protocol):
    """Who takes the bytes of a stream as they come, instead of awaiting them."""

    def bytes_received(self, chunk: bytes) -> None:
        """Take the next bytes; raising a `HanseError` resets the stream."""
        ...

    def stream_ended(self, error: HanseError | None) -> None:
        """Learn that nothing more comes: None when the peer closed its direction in order.

        An error says that nothing more goes either; it may come after None, and comes once.
        """
        ...


class StreamCarrier(Protocol):
    """What a stream needs of its connection."""

    @property
    def local(self) -> Multiaddr:
        """Our end."""
        ...

    @property
    def remote(self) -> Multiaddr:
        """The peer's end."""
        ...

    def queue(self, stream_id: int, raw: bytes) -> None:
        """Send bytes as soon as credit and fairness allow."""
        ...

    def queued_bytes(self, stream_id: int) -> int:
        """Return how many bytes of the stream wait."""
        ...

    async def drained(self, stream_id: int, size_bytes_max: int) -> None:
        """Wait until at most so many bytes of the stream wait."""
        ...

    def credit(self, stream_id: int, size_bytes: int) -> None:
        """Let the peer send as many bytes again as were read."""
        ...

    def let_window_grow(self, stream_id: int, size_bytes_max: int) -> None:
        """Let the window of the stream grow to a size of its own."""
        ...

    def close_write(self, stream_id: int) -> None:
        """Send the end of our direction behind what is queued."""
        ...

    def reset(self, stream_id: int) -> None:
        """Give both directions up, now."""
        ...


class Stream:
    """One stream; `protocol` is empty until both sides agreed on one.

    Attributes:
        peer_id: who is at the other end, proven by the handshake.
        direction: INBOUND when the peer opened it.
        local: our end of the connection.
        remote: the peer's end.
        usage: counts what the stream carries; replaced once there is a protocol.
    """

    def __init__(
        self, carrier: StreamCarrier, stream_id: int, *, peer_id: PeerId, direction: Direction
    ) -> None:
        self.peer_id = peer_id
        self.direction = direction
        self.local = carrier.local
        self.remote = carrier.remote
        self.protocol = ""
        self.usage = Usage()
        self._carrier = carrier
        self._stream_id = stream_id
        self._unread = ReadBuffer()
        self._sink: StreamSink | None = None
        self._waiter: asyncio.Future[None] | None = None
        # Of who works only as long as the stream is alive.
        self._vital: asyncio.Timeout | None = None
        # Bytes that were put back had their credit when they were first read.
        self._credited_bytes = 0
        self._is_holding = False
        self._held_bytes = 0
        self._is_read_over = False
        self._is_write_over = False
        self._error: HanseError | None = None

    @property
    def peer(self) -> str:
        """The peer as people name it."""
        return peer_id_text(self.peer_id)

    @property
    def is_over(self) -> bool:
        """Tell whether both sides closed their direction."""
        return self._is_read_over and self._is_write_over

    @property
    def queued_bytes(self) -> int:
        """How many written bytes wait for credit or for their turn."""
        return 0 if self._error is not None else self._carrier.queued_bytes(self._stream_id)

    async def read(self, size_bytes_max: int = READ_SIZE_BYTES) -> bytes:
        """Return 1 to `size_bytes_max` bytes, or none at the end of the stream.

        Raises:
            StreamResetError: the peer gave the stream up.
            ConnectionLostError: the connection ended.
        """
        while not self._unread:
            # A loss after the end takes nothing from what came before it.
            if self._is_read_over:
                return b""
            if self._error is not None:
                raise self._error
            await self._more()
        chunk = self._unread.take(size_bytes_max)
        self._give_credit(len(chunk))
        return chunk

    async def read_exactly(self, size_bytes: int) -> bytes:
        """Return exactly so many bytes; the caller has checked that the number is bounded.

        Raises:
            StreamEndedError: the stream ended before.
        """
        parts: list[bytes] = []
        missing = size_bytes
        while missing:
            chunk = await self.read(missing)
            if not chunk:
                raise StreamEndedError(
                    f"the stream ended {missing} bytes before {size_bytes}", peer=self.peer
                )
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)

    async def read_frame(self, size_bytes_max: int) -> bytes:
        """Return the next bytes behind a varint with their length.

        Raises:
            RemoteProtocolError: the length is malformed or above the limit.
            StreamEndedError: the stream ended before.
        """
        head = bytearray()
        while True:
            head += await self.read_exactly(1)
            try:
                read = decode_varint(head)
            except MalformedBytesError as error:
                raise RemoteProtocolError(str(error), peer=self.peer) from error
            if read is not None:
                break
        if read[0] > size_bytes_max:
            raise RemoteProtocolError(
                f"a frame of {read[0]} bytes > limit {size_bytes_max}", peer=self.peer
            )
        return await self.read_exactly(read[0])

    async def read_to_end(self, size_bytes_max: int) -> bytes:
        """Return everything up to the end of the stream.

        Raises:
            RemoteProtocolError: more than the limit came.
        """
        parts: list[bytes] = []
        size_bytes = 0
        while chunk := await self.read():
            size_bytes += len(chunk)
            if size_bytes > size_bytes_max:
                raise RemoteProtocolError(f"more than {size_bytes_max} bytes came", peer=self.peer)
            parts.append(chunk)
        return b"".join(parts)

    def attach(self, sink: StreamSink) -> None:
        """Hand what came and what comes to a sink; nobody may read from then on."""
        if self._sink is not None or self._waiter is not None:
            raise StreamMisuseError("the stream has a reader")
        error = self._error
        self._sink = sink
        while self._unread and self._error is None:
            self._feed(sink, self._unread.take(READ_SIZE_BYTES))
        if error is not None:
            sink.stream_ended(error)
        elif self._is_read_over and self._error is None:
            sink.stream_ended(None)

    @asynccontextmanager
    async def while_alive(self) -> AsyncIterator[None]:
        """Cancel the body of the `async with` when the stream is lost; one such body at a time.

        Raises:
            StreamResetError: the peer gave the stream up.
            ConnectionLostError: the connection ended.
        """
        self._check_not_lost()
        if self._vital is not None:
            raise StreamMisuseError("somebody works while the stream is alive already")
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._vital = limit
                yield
        except TimeoutError:
            if limit.expired():
                self._check_not_lost()
            raise
        finally:
            self._vital = None

    def let_window_grow(self, size_bytes_max: int) -> None:
        """Let the peer have more bytes under way than usual, for a long and fast line.

        The window still doubles only while we read as fast as bytes come, and only as long as the
        windows of all streams of the connection stay below `YamuxLimits.unread_bytes_max`.
        """
        if self._error is None:
            self._carrier.let_window_grow(self._stream_id, size_bytes_max)

    def hold_credit(self) -> None:
        """Read on, but let the peer send no more than the window it has, until `grant_credit`."""
        self._is_holding = True

    def grant_credit(self) -> None:
        """Give the credit that was held back, and give it at once from now on."""
        self._is_holding = False
        held_bytes, self._held_bytes = self._held_bytes, 0
        self._give_credit(held_bytes)

    def write(self, raw: bytes) -> None:
        """Queue bytes; `drain` before writing much more, and to learn whether the stream was lost.

        Raises:
            StreamMisuseError: our direction was closed before.
        """
        if self._error is not None:
            return
        if self._is_write_over:
            raise StreamMisuseError("the stream is closed for writing")
        if raw:
            self.usage.sent_bytes += len(raw)
            self._carrier.queue(self._stream_id, raw)

    def write_frame(self, raw: bytes) -> None:
        """Queue bytes behind a varint with their length."""
        self.write(length_prefixed(raw))

    async def drain(self, size_bytes_max: int = QUEUED_BYTES_MAX) -> None:
        """Wait until at most so many written bytes are unsent.

        Raises:
            StreamResetError: the peer gave the stream up.
            ConnectionLostError: the connection ended.
        """
        if self._error is None:
            await self._carrier.drained(self._stream_id, size_bytes_max)
        if self._error is not None:
            raise self._error

    def close_write(self) -> None:
        """End our direction behind what is queued; the peer may go on sending."""
        if not self._is_write_over:
            self._is_write_over = True
            if self._error is None:
                self._carrier.close_write(self._stream_id)

    def reset(self) -> None:
        """Give the stream up: nothing queued is sent, nothing more is read."""
        self._give_up(StreamResetError("we gave the stream up", peer=self.peer))

    async def finish(self, timeout_s: float = FINISH_TIMEOUT_S) -> None:
        """Close our direction and wait for the peer to close its own; what it sends is dropped.

        When this returns, what was written has left and the peer has closed in order. In all other
        cases the stream is reset.

        Raises:
            PeerTimeoutError: the peer did not read, or did not close, within the time limit.
            RemoteProtocolError: more than `DISCARDED_BYTES_MAX` came.
            StreamResetError: the peer gave the stream up.
            ConnectionLostError: the connection ended.
        """
        self.close_write()
        try:
            async with asyncio.timeout(timeout_s):
                await self.drain(0)
                await self.read_to_end(DISCARDED_BYTES_MAX)
        except TimeoutError as error:
            self.reset()
            raise PeerTimeoutError("the peer did not close the stream", peer=self.peer) from error
        except PeerError:
            self.reset()
            raise

    def receive(self, chunk: bytes) -> None:
        """Take bytes from the connection."""
        self.usage.received_bytes += len(chunk)
        if self._sink is not None:
            self._feed(self._sink, chunk)
            return
        self._unread.put(chunk)
        self._wake()

    def unread(self, raw: bytes) -> None:
        """Put bytes back before all others: negotiation read them, the protocol needs them."""
        if raw:
            self._unread.put_back(raw)
            self._credited_bytes += len(raw)

    def end(self) -> None:
        """Learn from the connection that the peer closed its direction."""
        if not self._is_read_over:
            self._is_read_over = True
            self._wake()
            if self._sink is not None:
                self._sink.stream_ended(None)

    def lose(self, error: HanseError) -> None:
        """Learn from the connection that nothing more comes or goes, and why."""
        if self._error is not None:
            return
        self._error = error
        self._wake()
        if self._vital is not None:
            self._vital.reschedule(asyncio.get_running_loop().time())
        if self._sink is not None:
            self._sink.stream_ended(error)

    def _check_not_lost(self) -> None:
        if self._error is not None:
            raise self._error

    def _give_up(self, error: HanseError) -> None:
        if self._error is None:
            # Also when both sides have closed: what is queued would wait for credit for ever.
            self._carrier.reset(self._stream_id)
        self._is_write_over = True
        self.lose(error)

    def _feed(self, sink: StreamSink, chunk: bytes) -> None:
        try:
            sink.bytes_received(chunk)
        except HanseError as error:
            self._give_up(error)
            return
        self._give_credit(len(chunk))

    def _give_credit(self, size_bytes: int) -> None:
        if self._credited_bytes:
            credited_bytes = min(self._credited_bytes, size_bytes)
            self._credited_bytes -= credited_bytes
            size_bytes -= credited_bytes
        if self._is_holding:
            self._held_bytes += size_bytes
            return
        if size_bytes and self._error is None:
            self._carrier.credit(self._stream_id, size_bytes)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _more(self) -> None:
        if self._waiter is not None or self._sink is not None:
            raise StreamMisuseError("the stream has a reader already")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
