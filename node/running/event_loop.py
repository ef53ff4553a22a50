"""Run the async main of a program on the fastest event loop that is installed."""

import asyncio
import importlib.util
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_async(main: Coroutine[None, None, T]) -> T:
    """Return what a coroutine returns; on uvloop where it is there (the extra `uvloop`)."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - an extra

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
