"""The client's side of the WebSocket: subscribe, then read notices in the order they happened."""

import asyncio
from collections import deque
from typing import Final, Self

import aiohttp
import msgspec

from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import (
    Batch,
    FromNode,
    Refused,
    Single,
    Subscribe,
    Subscribed,
    Topic,
    Unsubscribe,
    Unsubscribed,
)

ANSWER_DEADLINE_S: Final = 15.0
EARLY_MAX: Final = 4_096
"""Notices that came while an answer was waited for."""

_DECODER: Final = msgspec.json.Decoder(FromNode)
_ENCODER: Final = msgspec.json.Encoder()


class NodeStream:
    """An open WebSocket; an async iterator over notices, for one task."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._early: deque[Single] = deque()
        self._next_id = 0

    async def subscribe(
        self,
        topic: Topic,
        *,
        contract: str | None = None,
        task: int | None = None,
        every_ms: int = 0,
    ) -> Subscribed:
        """Follow a topic; everything after the height in the answer comes, with its id.

        Args:
            topic: what to follow.
            contract: whose events, None for all.
            task: whose rounds, None for all.
            every_ms: what came in so long may come together, which costs the node less.

        Raises:
            NodeAnswerError: the node refuses.
            NodeUnreachableError: it closed the stream.
        """
        number = self._next_id
        self._next_id += 1
        await self._send(
            Subscribe(id=number, topic=topic, contract=contract, task=task, every_ms=every_ms)
        )
        answer = await self._answer_in_time(number)
        assert isinstance(answer, Subscribed), "a subscription is answered by one"
        return answer

    async def unsubscribe(self, number: int) -> None:
        """Stop following; notices that were on their way may still be read."""
        await self._send(Unsubscribe(id=number))
        await self._answer_in_time(number)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Single:
        """Return the next notice.

        Raises:
            NodeUnreachableError: the node closed the stream; its code and reason say why.
        """
        while not self._early:
            message = await self._receive()
            if not isinstance(message, Batch):
                return message
            self._early.extend(message.notices)
        return self._early.popleft()

    async def _answer_in_time(self, number: int) -> Single:
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                return await self._answer(number)
        except TimeoutError as error:
            raise NodeUnreachableError("the node does not answer a subscription") from error

    async def _answer(self, number: int) -> Single:
        while True:
            message = await self._receive()
            match message:
                case Subscribed(id=answered) | Unsubscribed(id=answered) if answered == number:
                    return message
                case Refused(code=code, message=text):
                    raise NodeAnswerError(text, status=400, code=code)
                case _ if len(self._early) >= EARLY_MAX:
                    raise NodeUnreachableError("the node does not answer a subscription")
                case Batch(notices=notices):
                    self._early.extend(notices)
                case _:
                    self._early.append(message)

    async def _send(self, message: Subscribe | Unsubscribe) -> None:
        try:
            await self._socket.send_str(_ENCODER.encode(message).decode())
        except ConnectionError as error:
            raise NodeUnreachableError(f"the stream is closed: {error}") from error

    async def _receive(self) -> FromNode:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            reason = message.extra if isinstance(message.extra, str) else ""
            is_told = message.type is aiohttp.WSMsgType.CLOSE
            code = message.data if is_told else self._socket.close_code
            raise NodeUnreachableError(f"the node closed the stream: {code} {reason}".rstrip())
        try:
            notice: FromNode = _DECODER.decode(message.data)
        except msgspec.MsgspecError as error:
            raise NodeUnreachableError(f"the node sends what cannot be read: {error}") from error
        return notice
