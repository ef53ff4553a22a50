"""One connection to one peer: upgraded, encrypted, multiplexed.

This shell holds its life: the handshake first, then tasks that serve the peer's streams, pings
while it is idle, and an end that everyone who waits hears of, with its reason.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from typing_extensions import override

from p2p.channel import Channel
from p2p.errors import (
    ConnectionLostError,
    PeerTimeoutError,
    StreamMisuseError,
    TooManyStreamsError,
)
from p2p.limits import Limits, TimeLimits
from p2p.muxer import Muxer, MuxerEvents, Traffic
from p2p.negotiation import propose
from p2p.stream import Stream
from p2p.token_bucket import TokenBucket
from p2p.upgrade import Upgrade, Upgraded
from p2p.usage import UsageTable
from p2p.vigil import Vigil
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Direction, Role
from primitives.clock import Clock
from primitives.errors import HanseError, PeerError, RemoteProtocolError

OPENINGS_OVERDRAFT_MS: Final = 10_000
"""A peer that opens so many streams that one would have to wait this long means harm."""
STEP_COST_BYTES: Final = 2 * 1024
"""What an event or a frame without a body counts for in the budget of bytes: it takes us about
2 us, so a peer that sends nothing but headers gets a tenth of our time and no more."""
UNREAD_BYTES_FREE: Final = 256 * 1024
"""A connection that holds no more than one window unread is never asked to make room."""

_KEEP_ALIVE_STEP_S: Final = 1
_MS_PER_S: Final = 1_000


class _OverError(Exception):
    """End the task group of a connection from inside."""


class Connection:
    """A session with a peer whose identity is proven; made by the host.

    Attributes:
        direction: who dialled.
        traffic: what it carried so far.
        backlogged: called when more than `UNREAD_BYTES_FREE` wait for a reader.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        upgrade: Upgrade,
        clock: Clock,
        limits: Limits,
        times: TimeLimits,
        usages: UsageTable,
    ) -> None:
        self.channel = channel
        is_ours = upgrade.role is Role.DIALER
        self.direction = Direction.OUTBOUND if is_ours else Direction.INBOUND
        self.traffic = Traffic()
        self.began_ms = clock.monotonic_ms()
        self._clock = clock
        self._limits = limits
        self._times = times
        self._usages = usages
        self._upgrade = upgrade
        self._outcome: Upgraded | None = None
        self._muxer: Muxer | None = None
        self.backlogged: Callable[[], None] | None = None
        self._openings = TokenBucket(
            per_s=limits.streams_per_s, burst=limits.streams_burst, now_ms=self.began_ms
        )
        self._steps = 0
        self._places: dict[str, asyncio.Semaphore] = {}
        self._unserved: list[Stream] = []
        self._serve: Callable[[Stream], Coroutine[None, None, None]] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._is_closing = False
        self._vigil = Vigil(times, peer=str(channel.remote), now_ms=self.began_ms)
        self._budget = TokenBucket(
            per_s=limits.bytes_per_s, burst=limits.burst_bytes, now_ms=self.began_ms
        )
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._upgraded: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._error: HanseError | None = None

    @override
    def __repr__(self) -> str:
        """Show who is at the other end."""
        return f"Connection({self.direction.value}, {self._peer})"

    @property
    def local(self) -> Multiaddr:
        """Our end."""
        return self.channel.local

    @property
    def remote(self) -> Multiaddr:
        """The peer's end."""
        return self.channel.remote

    @property
    def peer_id(self) -> PeerId:
        """Who is at the other end; known once upgraded."""
        assert self._outcome is not None
        return self._outcome.peer_id

    @property
    def security(self) -> str:
        """The protocol that encrypts."""
        assert self._outcome is not None
        return self._outcome.security

    @property
    def muxer(self) -> str:
        """The protocol that multiplexes."""
        assert self._outcome is not None
        return self._outcome.muxer

    @property
    def error(self) -> HanseError | None:
        """Why the connection ended; None while it lives."""
        return self._error

    @property
    def is_open(self) -> bool:
        """Tell whether streams can be opened."""
        return self._muxer is not None and self._error is None and not self._is_closing

    @property
    def is_closed_here(self) -> bool:
        """Tell whether we said goodbye, or are about to."""
        return self._is_closing

    @property
    def stream_count(self) -> int:
        """How many streams are open, both directions."""
        return 0 if self._muxer is None else self._muxer.stream_count

    @property
    def unread_bytes(self) -> int:
        """How many bytes came, or were announced, that nobody has read."""
        return 0 if self._muxer is None else self._muxer.unread_bytes

    async def upgrade(self) -> None:
        """Run the handshake; the connection is of use when this returns.

        Raises:
            HandshakeError: the peer is not who it should be, or cannot prove who it is.
            ConnectionLostError: the other side closed.
            PeerTimeoutError: it took too long.
        """
        self.channel.start(self)
        first = self._upgrade.start()
        if first:
            self._send(first)
        try:
            async with asyncio.timeout(self._times.upgrade_s):
                await asyncio.shield(self._upgraded)
        except TimeoutError as error:
            late = PeerTimeoutError("the handshake took too long", peer=self._peer)
            self._fail(late)
            raise late from error

    async def run(
        self,
        serve: Callable[[Stream], Coroutine[None, None, None]],
        *,
        begun: Callable[["Connection"], None],
    ) -> None:
        """Serve the peer's streams, each in a task of its own, until the connection ends.

        Args:
            serve: speaks with the peer on one inbound stream.
            begun: called once before any stream is served; tasks may be started from then on.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                begun(self)
                self._serve = serve
                for stream in self._unserved:
                    self.start_task(serve(stream), name="stream")
                self._unserved.clear()
                self.start_task(self._keep_alive(), name="keep-alive")
                await self._wait_end()
        except* _OverError:
            pass
        finally:
            self._tasks = None
            self._fail(ConnectionLostError("we gave the connection up", peer=self._peer))

    def start_task(self, work: Coroutine[None, None, None], *, name: str) -> None:
        """Run a task that ends with the connection; on one that is over it never starts."""
        if self._tasks is None or self._error is not None:
            work.close()
            return
        try:
            self._tasks.create_task(work, name=f"{name} {self._peer}")
        except RuntimeError:
            # The group is ending, because a task of it crashed or the host goes down.
            work.close()

    async def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream that speaks the first of our protocols that the peer speaks.

        Raises:
            ProtocolsRefusedError: the peer speaks none of them.
            ConnectionLostError: the connection ended.
            PeerTimeoutError: the peer did not answer.
            TooManyStreamsError: the peer has not answered so many streams before.
        """
        if self._muxer is None or not self.is_open:
            raise ConnectionLostError(str(self._error or "not open"), peer=self._peer)
        try:
            stream = self._muxer.open_stream()
        except StreamMisuseError as error:
            raise TooManyStreamsError(str(error), peer=self._peer) from error
        try:
            async with asyncio.timeout(self._times.negotiation_s):
                await propose(stream, protocols)
        except TimeoutError as error:
            stream.reset()
            raise PeerTimeoutError("no answer to a new stream", peer=self._peer) from error
        except BaseException:
            stream.reset()
            raise
        stream.usage = self._usages.of(stream.protocol)
        stream.usage.outbound_streams += 1
        return stream

    def places(self, name: str, count: int) -> asyncio.Semaphore:
        """Return what bounds how often we use a protocol at a time on this connection."""
        return self._places.setdefault(name, asyncio.Semaphore(count))

    async def close(self) -> None:
        """Send what is queued, say goodbye, and end; at most `TimeLimits.close_s`.

        Goodbye comes last, since js-libp2p drops its streams when it reads it. The channel then
        waits for the peer to close, so that nothing under way is lost.
        """
        if self._is_closing:
            await asyncio.shield(self._ended)
            return
        self._is_closing = True
        try:
            if self._muxer is not None and self._error is None:
                await self._muxer.emptied(self._times.close_s)
                self._muxer.say_goodbye()
        finally:
            self._fail(ConnectionLostError("we closed the connection", peer=self._peer))

    def abort(self, error: HanseError) -> None:
        """End at once, for a reason that open streams will raise."""
        self._fail(error)

    def bytes_received(self, chunk: bytes) -> None:
        """Take bytes from the channel."""
        if self._error is not None:
            return
        now_ms = self._clock.monotonic_ms()
        self._vigil.heard_ms = now_ms
        self.traffic.received_bytes += len(chunk)
        try:
            if self._muxer is None:
                self._take_handshake(chunk)
            else:
                self._muxer.receive(chunk)
        except PeerError as error:
            self._refuse(error)
        self._charge(len(chunk), now_ms)
        if self.backlogged is not None and self.unread_bytes > UNREAD_BYTES_FREE:
            self.backlogged()

    def _charge(self, size_bytes: int, now_ms: int) -> None:
        """Slow down a peer that uses up its budget."""
        if self._muxer is not None:
            steps, self._steps = self._steps, self._muxer.steps
            size_bytes += STEP_COST_BYTES * (self._steps - steps)
        delay_ms = self._budget.take(size_bytes, now_ms=now_ms)
        if delay_ms and self._error is None:
            self.channel.pause_reading()
            self._loop.call_later(delay_ms / _MS_PER_S, self.channel.resume_reading)

    def writing_resumed(self) -> None:
        """Learn that the channel takes bytes again."""
        if self._muxer is not None:
            self._muxer.flush()

    def channel_ended(self, error: Exception | None) -> None:
        """Learn that the channel is over."""
        reason = "the peer closed the connection" if error is None else f"connection lost: {error}"
        self._fail(ConnectionLostError(reason, peer=self._peer))

    @property
    def _peer(self) -> str:
        if self._outcome is None:
            return str(self.channel.remote)
        return peer_id_text(self._outcome.peer_id)

    def _take_handshake(self, chunk: bytes) -> None:
        answer = self._upgrade.receive(chunk)
        if answer:
            self._send(answer)
        outcome = self._upgrade.outcome
        if outcome is None:
            return
        self._outcome = outcome
        self._muxer = Muxer(
            self.channel,
            outcome,
            role=self._upgrade.role,
            limits=self._limits,
            traffic=self.traffic,
            events=MuxerEvents(opened=self._welcome, ponged=self._take_pong, left=self._fail),
        )
        if not self._upgraded.done():
            self._upgraded.set_result(None)
        if outcome.leftover:
            self._muxer.receive_plaintext(outcome.leftover)

    def _send(self, raw: bytes) -> None:
        self.traffic.sent_bytes += len(raw)
        self.channel.write(raw)

    def _take_pong(self) -> None:
        self.traffic.rtt_ms = self._vigil.ponged(now_ms=self._clock.monotonic_ms())

    def _welcome(self, stream: Stream) -> None:
        wait_ms = self._openings.take(1, now_ms=self._vigil.heard_ms)
        if wait_ms > OPENINGS_OVERDRAFT_MS:
            raise RemoteProtocolError("it opens streams without end", peer=self._peer)
        if wait_ms:
            stream.reset()
        elif self._serve is None:
            self._unserved.append(stream)
        else:
            self.start_task(self._serve(stream), name="stream")

    async def _wait_end(self) -> None:
        await asyncio.shield(self._ended)
        raise _OverError

    async def _keep_alive(self) -> None:
        """Ping an idle peer; give up one that does not answer, does not read, or is silent."""
        assert self._muxer is not None
        vigil = self._vigil
        while True:
            await asyncio.sleep(_KEEP_ALIVE_STEP_S)
            try:
                ping = vigil.look(
                    sent_bytes=self.traffic.sent_bytes,
                    is_writable=self.channel.is_writable,
                    now_ms=self._clock.monotonic_ms(),
                )
            except PeerTimeoutError as error:
                self._fail(error)
                return
            if ping is not None:
                self._muxer.ping(ping)

    def _refuse(self, error: PeerError) -> None:
        """End after a violation."""
        if self._muxer is not None and self._error is None:
            self._muxer.refuse()
        self._fail(error)

    def _fail(self, error: HanseError) -> None:
        if self._error is not None:
            return
        self._error = error
        if not self._upgraded.done():
            self._upgraded.set_exception(error)
            # Nobody may be waiting for it any more, which is no mistake.
            self._upgraded.exception()
        if self._muxer is not None:
            # The host blames the peer for what ended the connection; the streams must not again.
            self._muxer.lose(ConnectionLostError(str(error), peer=self._peer))
        self._ended.set_result(None)
        self.channel.close()
