"""Ask one, and another if that takes long: the first answer of use counts, the others are dropped.

So one silent peer costs a fraction of a second, and not its whole deadline.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import TypeVar

T = TypeVar("T")

Runner = Callable[[], Coroutine[None, None, T | None]]
"""Asks one peer; returns None if that led to nothing."""


async def first_of_use(runners: Iterable[Runner[T]], *, stagger_ms: int) -> T | None:
    """Return the first answer of use, None if there is none.

    Args:
        runners: to start one after another: the next when one led to nothing, or when nothing came
            for a while.
        stagger_ms: the while.
    """
    waiting = deque(runners)
    arrivals: asyncio.Queue[T | None] = asyncio.Queue(maxsize=len(waiting) or 1)

    async def run(runner: Runner[T]) -> None:
        arrivals.put_nowait(await runner())

    running: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        under_way = 0
        while waiting or under_way:
            if waiting:
                running.append(group.create_task(run(waiting.popleft()), name="ask a peer"))
                under_way += 1
            try:
                async with asyncio.timeout(stagger_ms / 1_000 if waiting else None):
                    found = await arrivals.get()
            except TimeoutError:
                continue
            if found is not None:
                for task in running:
                    task.cancel()
                return found
            under_way -= 1
    return None
