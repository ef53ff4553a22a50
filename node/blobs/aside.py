"""Where calls that block on the disk run: in a thread, or at once where time is not real."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Aside(Protocol):
    """Runs what blocks, so that the event loop does not."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Return what the work returns."""
        ...


async def in_thread(work: Callable[[], T], /) -> T:
    """Run the work in a thread of the event loop's pool."""
    return await asyncio.to_thread(work)


async def at_once(work: Callable[[], T], /) -> T:
    """Run the work here, for simulations: virtual time does not wait for threads."""
    return work()
