"""Pages without a browser: the requests and the subscriptions that an open view makes.

A reader's browser runs on the reader's machine, so what a page costs the node is what it asks for.
`tests/explorer/browser` holds this habit against the page in Chromium. As a program it is a child
of the benchmark: it opens and closes pages as lines on its input say, and answers each with one.
It takes the processor only when no node wants it, as the machines of readers would take none.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

CONNECTIONS_MAX: Final = 6
"""Of one browser to one node."""
STREAM: Final = "/v1/stream"
OPEN_S: Final = 30.0
_LAST: Final = 19
"""The nice value that everybody may take."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks again and again."""

    path: str
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a view asks of its node.

    Args:
        first: asked when it is opened.
        again: asked while it is open and the chain grows.
        follows: topics of its WebSocket.
        every_ms: of its subscriptions.
    """

    first: tuple[str, ...]
    again: tuple[Question, ...]
    follows: tuple[str, ...]
    every_ms: int


_STATUS: Final = "/v1/status"
_NEWEST: Final = "/v1/commits?limit=25"
CHAIN: Final = Habit(
    first=(_STATUS, _STATUS, "/v1/commits?limit=100", _NEWEST, "/v1/dag?rounds=60"),
    again=(Question(_STATUS, 5.0), Question(_NEWEST, 6.0), Question("/v1/dag?rounds=30", 2.0)),
    follows=("commits",),
    every_ms=500,
)
"""The view of the chain, which asks most; the overview of a chain without tasks asks for less."""


class Tally(msgspec.Struct, kw_only=True):
    """What pages asked for, and what came.

    Args:
        asked: requests by path.
        refused: those that the node did not answer with what was asked for.
        notices: messages over WebSockets.
        cut: WebSockets that the node closed.
    """

    asked: dict[str, int] = msgspec.field(default_factory=Counter)
    refused: int = 0
    notices: int = 0
    cut: int = 0


@dataclass(slots=True)
class Page:
    """One open view."""

    session: aiohttp.ClientSession
    habit: Habit
    tally: Tally
    dice: random.Random = field(default_factory=random.Random)

    async def run(self, opened: asyncio.Event) -> None:
        """Read until cancelled; tell once the view has all that it shows at first."""
        async with asyncio.TaskGroup() as tasks:
            following = asyncio.Event()
            tasks.create_task(self._follow(following), name="stream")
            for path in self.habit.first:
                await self._ask(path)
            await following.wait()
            opened.set()
            for question in self.habit.again:
                tasks.create_task(self._ask_again(question), name=question.path)

    async def _ask_again(self, question: Question) -> None:
        # Pages are opened one after the other, and do not ask in step.
        await asyncio.sleep(question.every_s * self.dice.random())
        while True:
            await self._ask(question.path)
            await asyncio.sleep(question.every_s)

    async def _ask(self, path: str) -> None:
        self.tally.asked[path] = self.tally.asked.get(path, 0) + 1
        try:
            async with self.session.get(path) as answer:
                await answer.read()
                is_refused = answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            is_refused = True
        self.tally.refused += is_refused

    async def _follow(self, following: asyncio.Event) -> None:
        async with self.session.ws_connect(STREAM) as stream:
            for number, topic in enumerate(self.habit.follows, 1):
                await stream.send_json(
                    {
                        "type": "subscribe",
                        "id": number,
                        "topic": topic,
                        "every_ms": self.habit.every_ms,
                    }
                )
            following.set()
            async for _ in stream:
                self.tally.notices += 1
        self.tally.cut += 1


@asynccontextmanager
async def opened_pages(url: str, *, count: int, source: str = "127.0.0.1") -> AsyncIterator[Tally]:
    """Keep so many pages open; what they ask is in the tally.

    Args:
        url: of the node.
        count: of pages.
        source: address that all of them ask from.
    """
    tally = Tally()
    async with AsyncExitStack() as sessions, asyncio.TaskGroup() as tasks:
        opened: list[asyncio.Event] = []
        running: list[asyncio.Task[None]] = []
        for number in range(count):
            connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, local_addr=(source, 0))
            session = await sessions.enter_async_context(
                aiohttp.ClientSession(url, connector=connector, auto_decompress=False)
            )
            opened.append(asyncio.Event())
            page = Page(session, CHAIN, tally)
            running.append(tasks.create_task(page.run(opened[-1]), name=f"page {number}"))
        async with asyncio.timeout(OPEN_S):
            for one in opened:
                await one.wait()
        try:
            yield tally
        finally:
            for task in running:
                task.cancel()


async def _serve(url: str, source: str) -> None:
    """Open as many pages as a line says; close them at an empty line, and tell what they asked."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        async with opened_pages(url, count=int(line), source=source) as tally:
            print("open", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        print(msgspec.json.encode(tally).decode(), flush=True)


def _stand_back() -> None:
    """Let every other process go first."""
    os.nice(_LAST)
    # Where Linux weighs sessions against each other, the nice value counts within one only.
    with contextlib.suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(f"{_LAST}\n")


if __name__ == "__main__":
    _stand_back()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(*sys.argv[1:]))
