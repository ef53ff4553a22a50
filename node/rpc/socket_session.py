"""The life of one WebSocket: a task each to read, for the chain, for the log, to watch.

Back pressure: each task sends what it has and waits while the client does not take it. What happens
meanwhile waits in the queues of the feed and of the log, which are bounded; when one is full, or a
message has waited for too long, the client is told by the close code and cut. The chain and the
other clients wait for nobody. A queue of messages before the socket would cost one more turn of the
event loop for every client and commit.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from node.chain.errors import SubscriberLagError
from node.chain.feed import ChainEvent, Subscription
from node.chain.index import EventPlace
from node.rpc.context import NodeContext
from node.rpc.rendering import Renderer
from node.rpc.stream_schemas import FromNode, Notice, Topic
from node.rpc.topics import MESSAGE_BYTES_MAX, Topics
from p2p.token_bucket import TokenBucket
from primitives.errors import first_error

FEED_WAITING_MAX: Final = 1_024
LOG_WAITING_MAX: Final = 256
TOGETHER_MAX: Final = 64
"""Events rendered under one view of the state, which is not held while the client takes them; and
notices of a batch."""

BATCH_BYTES: Final = 256 << 10
"""At which a batch is closed: what it has more is less than one notice."""
SEND_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
HEARTBEAT_S: Final = 20.0
MESSAGES_PER_S: Final = 20
MESSAGES_BURST: Final = 64
TOO_SLOW: Final = 4_008
_TOO_SLOW_TEXT: Final = b"too slow: read the chain anew and subscribe again"
_ENCODER: Final = msgspec.json.Encoder()


class _CutError(Exception):
    """End the tasks of a socket."""

    def __init__(self, code: int, reason: bytes) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SocketSession:
    """Serves one client until it leaves or is cut.

    Args:
        closing: set when the server ends.
    """

    def __init__(
        self,
        context: NodeContext,
        topics: Topics,
        *,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        closing: asyncio.Event,
    ) -> None:
        self._closing = closing
        self._transport = transport
        self._context = context
        self._topics = topics
        self._socket = socket
        self._following_log: asyncio.Event = asyncio.Event()
        self._sending = 0
        self._sent = 0

    async def run(self) -> None:
        """Serve the client."""
        code, reason = int(WSCloseCode.OK), b""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(), name="socket watch")
                tasks.create_task(self._follow_chain(), name="socket chain")
                tasks.create_task(self._follow_log(), name="socket log")
                tasks.create_task(self._read(), name="socket reader")
                tasks.create_task(self._leave(), name="socket end")
        except* _CutError as errors:
            cut = _first(errors)
            code, reason = cut.code, cut.reason
        finally:
            self._topics.close()
        await self._close(code, reason)

    async def _leave(self) -> None:
        await self._closing.wait()
        raise _CutError(WSCloseCode.GOING_AWAY, b"the node ends")

    async def _close(self, code: int, reason: bytes) -> None:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close(code=code, message=reason)
        if self._transport.get_write_buffer_size():
            # It does not read, and would keep the connection for as long as it likes.
            self._transport.abort()

    async def _read(self) -> None:
        try:
            await self._read_messages()
        except ConnectionError as error:
            # The client hung up while its ping was answered.
            raise _CutError(WSCloseCode.GOING_AWAY, b"") from error

    async def _read_messages(self) -> None:
        clock = self._context.clock
        bucket = TokenBucket(
            per_s=MESSAGES_PER_S, burst=MESSAGES_BURST, now_ms=clock.monotonic_ms()
        )
        async for message in self._socket:
            if not bucket.has(1, now_ms=clock.monotonic_ms()):
                raise _CutError(WSCloseCode.POLICY_VIOLATION, b"too many messages")
            if message.type is WSMsgType.PING:
                await self._answer_ping(message.data)
                continue
            if message.type is WSMsgType.PONG:
                continue
            if message.type is not WSMsgType.TEXT:
                raise _CutError(WSCloseCode.UNSUPPORTED_DATA, b"only text messages are read")
            height = self._context.chain.head.height
            await self._send(self._topics.handle(message.data, height=height))
            if self._topics.faults.is_enough:
                raise _CutError(WSCloseCode.POLICY_VIOLATION, b"too many bad messages")
            if self._topics.follows(Topic.LOGS):
                self._following_log.set()
        raise _CutError(self._socket.close_code or WSCloseCode.OK, b"")

    async def _answer_ping(self, content: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.pong(content)
        except TimeoutError as error:
            raise _CutError(TOO_SLOW, _TOO_SLOW_TEXT) from error

    async def _follow_chain(self) -> None:
        chain = self._context.chain
        try:
            with chain.feed.subscribe(size_max=FEED_WAITING_MAX) as events:
                while True:
                    await self._tell_next(events)
                    if every_ms := self._topics.every_ms:
                        await asyncio.sleep(every_ms / 1_000)
        except SubscriberLagError as error:
            raise _CutError(TOO_SLOW, _TOO_SLOW_TEXT) from error

    async def _tell_next(self, events: Subscription) -> None:
        """Tell the next event, and with it those that are there already."""
        waiting: list[bytes] = []
        async for event in events:
            for notices in self._slices(event):
                for notice in notices:
                    waiting.append(_ENCODER.encode(notice))
                    if sum(map(len, waiting)) >= BATCH_BYTES or len(waiting) >= TOGETHER_MAX:
                        await self._send_notices(waiting)
                        waiting = []
                if len(notices) > 1:
                    # A second of the chain may be much to show, and others want their turn.
                    await asyncio.sleep(0)
            if not events.is_waiting:
                break
        await self._send_notices(waiting)

    def _slices(self, event: ChainEvent) -> Iterator[list[Notice]]:
        yield list(self._topics.notices(event))
        places = self._topics.places(event)
        for first in range(0, len(places), TOGETHER_MAX):
            yield self._rendered(places[first : first + TOGETHER_MAX])

    def _rendered(self, places: Sequence[EventPlace]) -> list[Notice]:
        with self._context.chain.view() as state:
            renderer = Renderer(state, self._context.chain.machine.library)
            return [
                notice
                for place in places
                for notice in self._topics.placed(place, renderer=renderer)
            ]

    async def _follow_log(self) -> None:
        logs = self._context.logs
        if logs is None:
            return
        await self._following_log.wait()
        async with logs.follow(size_max=LOG_WAITING_MAX) as lines:
            while True:
                for notice in self._topics.log(await lines.get()):
                    await self._send(notice)

    async def _send_notices(self, notices: Sequence[bytes]) -> None:
        if self._topics.every_ms and len(notices) > 1:
            await self._send_text(b'{"type":"batch","notices":[' + b",".join(notices) + b"]}")
            return
        for notice in notices:
            await self._send_text(notice)

    async def _send(self, message: FromNode) -> None:
        await self._send_text(_ENCODER.encode(message))

    async def _send_text(self, text: bytes) -> None:
        self._sending += 1
        try:
            await self._socket.send_str(text.decode())
        except ConnectionError as error:
            raise _CutError(WSCloseCode.GOING_AWAY, b"") from error
        self._sending -= 1
        self._sent += 1

    async def _watch(self) -> None:
        """Cut a client that takes one message for too long.

        A timer for each message costs half as much as to send it, so there is one for them all: a
        client has between one and two timeouts.
        """
        while True:
            seen = self._sent if self._sending else None
            await asyncio.sleep(SEND_TIMEOUT_S)
            if self._sending and self._sent == seen:
                raise _CutError(TOO_SLOW, _TOO_SLOW_TEXT)


def _first(errors: BaseExceptionGroup[_CutError]) -> _CutError:
    error = first_error(errors)
    assert isinstance(error, _CutError)
    return error


def new_socket() -> web.WebSocketResponse:
    """Return a socket with our bounds, not yet opened."""
    return web.WebSocketResponse(
        timeout=CLOSE_TIMEOUT_S,
        heartbeat=HEARTBEAT_S,
        max_msg_size=MESSAGE_BYTES_MAX,
        compress=False,
        autoclose=True,
        # aiohttp would answer as many pings as come, and wait for ever for who reads no answer.
        autoping=False,
    )
