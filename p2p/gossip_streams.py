"""The two streams of a gossip peer: the one that we write, and the one that we read."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from p2p.errors import PeerTimeoutError
from p2p.gossip.frames import RpcSplitter
from p2p.gossip.router import MALFORMED_PENALTY, Router
from p2p.stream import Stream
from p2p.token_bucket import TokenBucket
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import HanseError, MalformedBytesError, PeerError, RemoteProtocolError

UNSENT_BYTES_MAX: Final = 256 * 1024
"""What waits in a stream; the rest stays in the outbox, where an IDONTWANT can still stop it."""
UNSENT_BYTES_LOW: Final = 64 * 1024
BYTES_PER_S: Final = 16 * 1024 * 1024
BURST_BYTES: Final = 64 * 1024 * 1024
RPC_COST_BYTES: Final = 512
"""What an RPC counts for beyond its size: tiny ones cost us time, not bytes."""
STUCK_S: Final = 60.0
"""A peer that takes nothing of a full stream for this long is given up."""
OVERDRAFT_MS: Final = 10_000
"""A peer that sends so much that it would have to wait this long is charged for it."""

_MS_PER_S: Final = 1_000


class Mouth:
    """The stream that we opened: only we write to it."""

    def __init__(self, router: Router, peer_id: PeerId) -> None:
        self._router = router
        self._peer_id = peer_id
        self._peer = peer_id_text(peer_id)
        self._stream: Stream | None = None
        self._is_full = False
        self._is_over = False
        self._changed = asyncio.Event()
        self._is_settled = asyncio.Event()

    def open(self, stream: Stream) -> None:
        """Write to a stream from now on."""
        self._stream = stream
        stream.attach(self)
        self._is_settled.set()

    def close(self) -> None:
        """Write no more: the stream was refused or is gone."""
        self._is_over = True
        self._changed.set()
        self._is_settled.set()

    def is_stream(self, stream: Stream) -> bool:
        """Tell whether this is the stream that we write."""
        return self._stream is stream

    def pump(self) -> None:
        """Write what the router has, as long as the stream has room."""
        stream = self._stream
        if stream is None or self._is_full or self._is_over:
            return
        while (room := UNSENT_BYTES_MAX - stream.queued_bytes) > 0:
            raw = self._router.take(self._peer_id, room)
            if not raw:
                return
            stream.write(raw)
        self._is_full = True
        self._changed.set()

    async def run(self) -> None:
        """Go on writing whenever the stream has room again, until it ends.

        Raises:
            PeerTimeoutError: the peer does not read.
            PeerError: the stream was lost, or the peer wrote to it.
        """
        stream = self._stream
        assert stream is not None
        while not self._is_over:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with asyncio.timeout(STUCK_S):
                    await stream.drain(UNSENT_BYTES_LOW)
            except TimeoutError as error:
                raise PeerTimeoutError("it does not read gossip", peer=self._peer) from error
            self._is_full = False
            self.pump()
        # It may have ended before we waited at all; this says why.
        await stream.drain()

    async def drained(self) -> None:
        """Wait until the router's bytes for this peer are in the stream, or it is gone."""
        await self._is_settled.wait()
        while self._is_full and self._stream is not None and not self._is_over:
            with suppress(PeerError):
                await self._stream.drain(UNSENT_BYTES_LOW)
            await asyncio.sleep(0)

    def bytes_received(self, chunk: bytes) -> None:
        """Refuse what a peer writes to our stream."""
        raise RemoteProtocolError(f"{len(chunk)} bytes on our gossip stream", peer=self._peer)

    def stream_ended(self, error: HanseError | None) -> None:
        """Learn that the stream is over; a peer that closes its direction leaves us ours."""
        if error is not None:
            self._is_over = True
            self._changed.set()


class Ear:
    """The stream that a peer opened: only we read it.

    Args:
        receive: takes each RPC of the peer.
        charge: told how many broken rules count when the peer breaks those of the stream.
        now_ms: reads a monotonic clock.
        rate: what the peer may send; the same for all its streams, or a new one would be free.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        receive: Callable[[PeerId, bytes], None],
        charge: Callable[[PeerId, int], None],
        now_ms: Callable[[], int],
        rate: TokenBucket,
    ) -> None:
        self._stream = stream
        self._receive = receive
        self._charge = charge
        self._now_ms = now_ms
        self._splitter = RpcSplitter()
        self._rate = rate
        self._is_slowed = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Read until the stream ends, either way."""
        self._stream.attach(self)
        await self._ended

    def give_up(self) -> None:
        """Reset the stream."""
        self._stream.reset()

    def bytes_received(self, chunk: bytes) -> None:
        """Hand on the RPCs that are complete."""
        peer_id = self._stream.peer_id
        try:
            rpcs = self._splitter.feed(chunk)
        except MalformedBytesError as error:
            self._charge(peer_id, MALFORMED_PENALTY)
            raise RemoteProtocolError(str(error), peer=self._stream.peer) from error
        cost_bytes = len(chunk) + RPC_COST_BYTES * len(rpcs)
        delay_ms = self._rate.take(cost_bytes, now_ms=self._now_ms())
        if delay_ms and not self._is_slowed:
            self._slow_down(delay_ms)
        for raw in rpcs:
            self._receive(peer_id, raw)

    def stream_ended(self, error: HanseError | None) -> None:
        """Learn that the stream is over."""
        del error
        if not self._ended.done():
            self._ended.set_result(None)

    def _slow_down(self, delay_ms: int) -> None:
        """Keep credit from a peer that sends too fast."""
        self._is_slowed = True
        self._stream.hold_credit()
        self._loop.call_later(delay_ms / _MS_PER_S, self._speed_up)
        if delay_ms > OVERDRAFT_MS:
            self._charge(self._stream.peer_id, 1)

    def _speed_up(self) -> None:
        delay_ms = self._rate.take(0, now_ms=self._now_ms())
        if delay_ms and not self._ended.done():
            # What was under way has come meanwhile, and has to be waited for as well.
            self._loop.call_later(delay_ms / _MS_PER_S, self._speed_up)
            return
        self._is_slowed = False
        self._stream.grant_credit()
