"""Wait for what a node has to tell, instead of asking it again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.client_stream import NodeStream
    from node.rpc.stream_schemas import FromNode, Topic

PAUSE_S: Final = 0.5
"""Between two questions to a node that opens no stream."""


class News:
    """What a node tells over its stream, or the time to ask it again where there is none."""

    def __init__(self, stream: "NodeStream | None") -> None:
        self.stream: Final = stream

    async def wait(self, concerns: "Callable[[FromNode], bool]") -> None:
        """Return once something was told that concerns the caller, or a pause is over.

        Raises:
            NodeUnreachableError: the node closed the stream; the message says why.
        """
        if self.stream is None:
            await asyncio.sleep(PAUSE_S)
            return
        while not concerns(await anext(self.stream)):
            pass


@asynccontextmanager
async def news_of(
    client: "NodeClient", *topics: "Topic", task: int | None = None
) -> AsyncIterator[News]:
    """Yield the news of some topics, which begin before whatever is asked next.

    Args:
        client: the node that is asked.
        topics: what the news are about.
        task: whose rounds are followed.
    """
    from node.rpc.errors import NodeAnswerError, NodeUnreachableError
    from node.rpc.stream_schemas import Topic

    async with AsyncExitStack() as opened:
        stream = None
        try:
            stream = await opened.enter_async_context(client.stream())
            for topic in topics:
                await stream.subscribe(topic, task=task if topic is Topic.ROUNDS else None)
        except (NodeUnreachableError, NodeAnswerError):
            # All its streams are taken, or something between us passes no WebSocket: it may
            # answer questions all the same, and says what is wrong if it does not.
            stream = None
        yield News(stream)
