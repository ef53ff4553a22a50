"""Work that waits for a disk: in a thread, and to its end even if who asked for it is cancelled."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Return what the work returns; a cancelled caller waits for its end.

    What is closed behind a cancelled caller must not be in use any more.
    """
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
