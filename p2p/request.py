"""Ask a peer and take its answer in chunks: one stream a request, with back pressure.

The asker writes varint length || body and closes its direction. The answer is a row of chunks, each
a result byte, a varint length and a body, up to the end of the stream; a result other than 0 is the
last and has a short text. An asker that has enough resets the stream. Too many requests are delayed
and not refused, since an honest peer that syncs is in a hurry too.
"""

import asyncio
import enum
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from p2p.connection import Connection
from p2p.errors import PeerTimeoutError, RequestRefusedError
from p2p.stream import QUEUED_BYTES_MAX, Stream
from p2p.token_bucket import TokenBucket
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import length_prefixed
from primitives.clock import Clock
from primitives.errors import HanseError, PeerError, RemoteProtocolError

IN_FLIGHT_MAX: Final = 2
"""Requests of one protocol to one peer at a time, held on both sides."""
WAITING_MAX: Final = 4
"""Requests of one peer that wait for a place beyond those; more are refused."""
FIRST_CHUNK_TIMEOUT_S: Final = 5
"""For the first byte of an answer; the rest of its chunk has `CHUNK_TIMEOUT_S`."""
CHUNK_TIMEOUT_S: Final = 10
STALLED_S: Final = 10
"""How long an answer may wait without a byte of it leaving: a slow asker is no dead one."""
CHUNK_SIZE_BYTES_MAX: Final = 1024 * 1024
REASON_SIZE_BYTES_MAX: Final = 256
BUCKETS_MAX: Final = 1_024

_MS_PER_S: Final = 1_000
_log = structlog.get_logger("p2p.request")


class Result(enum.IntEnum):
    """The first byte of a chunk."""

    OK = 0
    INVALID_REQUEST = 1
    SERVER_ERROR = 2
    UNAVAILABLE = 3


_RESULTS: Final = frozenset(int(result) for result in Result)


class RefusedRequestError(HanseError):
    """Raised by a handler to answer with an error instead of chunks.

    Args:
        message: what the asker reads, at most `REASON_SIZE_BYTES_MAX` bytes.
        result: anything but OK.
    """

    code = "p2p_refused_request"

    def __init__(self, message: str, *, result: Result = Result.UNAVAILABLE) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestProtocol:
    """One kind of request.

    Attributes:
        name: the protocol id, "/<chain>/req/<name>/<version>".
        request_size_bytes_max: bound on a request's body.
        chunks_max: bound on the chunks of an answer.
        per_s: requests a second that one peer may make in the long run.
        burst: requests it may make at once.
    """

    name: str
    request_size_bytes_max: int = 64 * 1024
    chunk_size_bytes_max: int = CHUNK_SIZE_BYTES_MAX
    chunks_max: int = 4_096
    per_s: int = 10
    burst: int = 20


Handler = Callable[[PeerId, bytes], AsyncGenerator[bytes, None]]
"""Takes who asks and the body; yields the chunks of the answer."""


async def ask(
    connection: Connection, protocol: RequestProtocol, body: bytes
) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a peer's answer; closing the iterator early resets the stream.

    A third request of one protocol waits until one of two before it has ended.

    Raises:
        RequestRefusedError: the peer answered with an error.
        PeerTimeoutError: the first byte took 5 s, or a chunk 10 s.
        RemoteProtocolError: a chunk is too large, there are too many, or the result is unknown.
    """
    async with connection.places(protocol.name, IN_FLIGHT_MAX):
        stream = await connection.open_stream([protocol.name])
        is_over = False
        try:
            stream.write_frame(body)
            stream.close_write()
            chunks_left = protocol.chunks_max
            timeout_s = FIRST_CHUNK_TIMEOUT_S
            while (chunk := await _read_chunk(stream, protocol, timeout_s=timeout_s)) is not None:
                _check_count(chunks_left, protocol, stream)
                chunks_left -= 1
                yield chunk
                timeout_s = CHUNK_TIMEOUT_S
            is_over = True
        finally:
            if not is_over:
                stream.reset()


def _check_count(chunks_left: int, protocol: RequestProtocol, stream: Stream) -> None:
    if not chunks_left:
        raise RemoteProtocolError(
            f"an answer has more than {protocol.chunks_max} chunks", peer=stream.peer
        )


async def ask_once(connection: Connection, protocol: RequestProtocol, body: bytes) -> bytes:
    """Return the only chunk of an answer.

    Raises:
        RemoteProtocolError: the answer has another number of chunks.
        PeerError: as `ask`.
    """
    async with aclosing(ask(connection, protocol, body)) as chunks:
        answer = [chunk async for chunk in chunks]
    if len(answer) != 1:
        raise RemoteProtocolError(f"expected one chunk, {len(answer)} came", peer=repr(connection))
    return answer[0]


class RequestServer:
    """Answer the requests of one protocol; `serve` is the protocol's stream handler."""

    def __init__(self, protocol: RequestProtocol, handler: Handler, *, clock: Clock) -> None:
        self.protocol = protocol
        self._handler = handler
        self._clock = clock
        self._present: Counter[PeerId] = Counter()
        self._places: dict[PeerId, asyncio.Semaphore] = {}
        self._rates: dict[PeerId, TokenBucket] = {}

    async def serve(self, stream: Stream) -> None:
        """Read one request and stream its answer; give it up when the asker does.

        Raises:
            RemoteProtocolError: the request is too large.
            PeerTimeoutError: it did not arrive, or its answer was not read.
            StreamResetError: the asker has enough.
        """
        asker = stream.peer_id
        if self._present[asker] >= IN_FLIGHT_MAX + WAITING_MAX:
            _write_refusal(stream, Result.UNAVAILABLE, "too many requests at a time")
            return
        # Counted before the body is read: bodies that never come whole would add up.
        self._present[asker] += 1
        place = self._places.setdefault(asker, asyncio.Semaphore(IN_FLIGHT_MAX))
        try:
            async with stream.while_alive(), place:
                body = await self._read_request(stream)
                await asyncio.sleep(self._delay_ms(asker) / _MS_PER_S)
                await self._answer(stream, body)
        finally:
            self._present[asker] -= 1
            if not self._present[asker]:
                del self._present[asker], self._places[asker]

    async def _read_request(self, stream: Stream) -> bytes:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                return await stream.read_frame(self.protocol.request_size_bytes_max)
        except TimeoutError as error:
            raise PeerTimeoutError("a request did not arrive", peer=stream.peer) from error

    async def _answer(self, stream: Stream, body: bytes) -> None:
        try:
            async with aclosing(self._handler(stream.peer_id, body)) as chunks:
                async for chunk in chunks:
                    stream.write(bytes((Result.OK,)) + length_prefixed(chunk))
                    await _drain(stream, QUEUED_BYTES_MAX)
            await _drain(stream, 0)
        except RefusedRequestError as refusal:
            _write_refusal(stream, refusal.result, str(refusal))
        except PeerError:
            raise
        except HanseError as error:
            # What failed on our side is none of the asker's business.
            _log.error("request failed", protocol=self.protocol.name, reason=str(error))
            _write_refusal(stream, Result.SERVER_ERROR, "internal error")

    def _delay_ms(self, peer_id: PeerId) -> int:
        now_ms = self._clock.monotonic_ms()
        rate = self._rates.get(peer_id)
        if rate is None:
            if len(self._rates) >= BUCKETS_MAX:
                # Who has used its rate the longest ago gets a full bucket again.
                del self._rates[next(iter(self._rates))]
            rate = TokenBucket(per_s=self.protocol.per_s, burst=self.protocol.burst, now_ms=now_ms)
        else:
            del self._rates[peer_id]
        self._rates[peer_id] = rate
        return rate.take(1, now_ms=now_ms)


async def _read_chunk(
    stream: Stream, protocol: RequestProtocol, *, timeout_s: float
) -> bytes | None:
    try:
        async with asyncio.timeout(timeout_s):
            head = await stream.read(1)
        if not head:
            return None
        async with asyncio.timeout(CHUNK_TIMEOUT_S):
            body = await stream.read_frame(
                protocol.chunk_size_bytes_max if head[0] == Result.OK else REASON_SIZE_BYTES_MAX
            )
    except TimeoutError as error:
        raise PeerTimeoutError(f"no answer to {protocol.name}", peer=stream.peer) from error
    if head[0] == Result.OK:
        return body
    if head[0] not in _RESULTS:
        raise RemoteProtocolError(f"unknown result {head[0]}", peer=stream.peer)
    reason = body.decode(errors="replace")
    raise RequestRefusedError(f"{Result(head[0]).name.lower()}: {reason!r}", peer=stream.peer)


async def _drain(stream: Stream, size_bytes_max: int) -> None:
    """Wait until no more bytes are unsent, as long as some leave every `STALLED_S`."""
    is_first = True
    while is_first or stream.queued_bytes > size_bytes_max:
        is_first = False
        try:
            async with asyncio.timeout(STALLED_S):
                await stream.drain(max(stream.queued_bytes - 1, size_bytes_max))
        except TimeoutError as error:
            raise PeerTimeoutError("an answer was not read", peer=stream.peer) from error


def _write_refusal(stream: Stream, result: Result, reason: str) -> None:
    body = reason.encode()[:REASON_SIZE_BYTES_MAX]
    stream.write(bytes((result,)) + length_prefixed(body))
