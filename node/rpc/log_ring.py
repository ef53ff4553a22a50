"""Keep the newest lines of the log in memory, for `logs` and for whoever follows them.

A processor of structlog: put it before the renderer. Fields become bounded text here, so a line
cannot keep a large object alive. It may be called from any thread; followers hear on their loop.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from node.rpc.schemas import LogLine
from primitives.clock import Clock

LINES_MAX: Final = 2_000
FIELDS_MAX: Final = 32
TEXT_LENGTH_MAX: Final = 400
_OWN_KEYS: Final = frozenset({"event", "level", "logger", "timestamp"})


class LogRing:
    """The newest lines."""

    def __init__(self, clock: Clock, *, lines_max: int = LINES_MAX) -> None:
        self._clock = clock
        self._lines: deque[LogLine] = deque(maxlen=lines_max)
        self._followers: dict[asyncio.Queue[LogLine], asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()

    def __call__(
        self, _logger: object, method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        """Keep a line and hand it on unchanged."""
        line = LogLine(
            time_ms=max(0, self._clock.wall_ms()),
            level=str(event.get("level", method)),
            logger=_text(event.get("logger", "")),
            event=_text(event.get("event", "")),
            fields={
                str(name): _text(value)
                for name, value in list(event.items())[:FIELDS_MAX]
                if name not in _OWN_KEYS
            },
        )
        with self._lock:
            self._lines.append(line)
            followers = list(self._followers.items())
        for queue, loop in followers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_offer, queue, line)
        return event

    def tail(self, count: int) -> Sequence[LogLine]:
        """Return the newest lines, oldest first."""
        with self._lock:
            return list(self._lines)[-count:]

    @asynccontextmanager
    async def follow(self, *, size_max: int) -> AsyncIterator["asyncio.Queue[LogLine]"]:
        """Yield a queue that gets every further line; what does not fit is lost."""
        queue: asyncio.Queue[LogLine] = asyncio.Queue(maxsize=size_max)
        with self._lock:
            self._followers[queue] = asyncio.get_running_loop()
        try:
            yield queue
        finally:
            with self._lock:
                del self._followers[queue]


def _text(value: object) -> str:
    return str(value)[:TEXT_LENGTH_MAX]


def _offer(queue: "asyncio.Queue[LogLine]", line: LogLine) -> None:
    if not queue.full():
        queue.put_nowait(line)
