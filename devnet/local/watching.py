"""Follow a network from outside, as a client does: commits, certificates, rounds that ended.

The node that is listened to may die; then the next one that lives is listened to, and what was
missed is asked for by height when a round is told.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from devnet.local.network import LocalNetwork
from node.rpc.client import NodeClient
from node.rpc.client_stream import NodeStream
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import CertificateNotice, CommitNotice, RoundNotice, Topic

SAMPLES_MAX: Final = 100_000
PENDING_MAX: Final = 10_000
REST_S: Final = 0.5

_log: Final = structlog.get_logger("devnet.local.watching")


@dataclass(slots=True)
class Watcher:
    """What was seen so far.

    Attributes:
        finality_ms: from the time of each commit to its certificate.
        ended: numbers of rounds of the task that ended, to be told.
    """

    network: LocalNetwork
    task: int | None
    on_news: Callable[[], None] = lambda: None
    finality_ms: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    ended: asyncio.Queue[int] = field(default_factory=lambda: asyncio.Queue(maxsize=1_024))
    height: int = 0
    certified: int = 0
    _waiting: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=PENDING_MAX))

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            for name in self.network.alive():
                try:
                    client = self.network.client(name)
                    async with client.stream() as stream:
                        await self._follow(stream, client)
                except (NodeUnreachableError, NodeAnswerError) as error:
                    _log.info("node is no longer listened to", node=name, reason=str(error))
            await asyncio.sleep(REST_S)

    async def _follow(self, stream: NodeStream, client: NodeClient) -> None:
        await stream.subscribe(Topic.COMMITS)
        if self.task is not None:
            await stream.subscribe(Topic.ROUNDS, task=self.task)
            await self._catch_up(self.task, client)
        async for notice in stream:
            match notice:
                case CommitNotice():
                    self._committed(notice)
                case CertificateNotice(height=height):
                    self._certified(height)
                case RoundNotice(event=placed) if placed.event.name == "RoundEnded":
                    await self.ended.put(int(placed.event.fields["round"]))
                case _:
                    continue
            self.on_news()

    async def _catch_up(self, task: int, client: NodeClient) -> None:
        """Tell the last round that ended: nobody listened when it did, and it may be the last."""
        known = await client.task(task)
        ended = known.rounds - known.is_running
        if ended:
            await self.ended.put(ended - 1)

    def _committed(self, notice: CommitNotice) -> None:
        if notice.height <= self.height:
            return
        self.height = notice.height
        if notice.checkpoint is not None:
            # A commit that did nothing has none, and is final with the next one that did.
            self._waiting.append((notice.height, notice.time_ms))
            # The others may have signed before this node had executed the commit.
            self._count_final()

    def _certified(self, height: int) -> None:
        self.certified = max(self.certified, height)
        self._count_final()

    def _count_final(self) -> None:
        now_ms = self.network.clock.wall_ms()
        while self._waiting and self._waiting[0][0] <= self.certified:
            _, time_ms = self._waiting.popleft()
            self.finality_ms.append(max(0, now_ms - time_ms))
