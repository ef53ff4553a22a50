"""An event loop whose time jumps: real shells and no waiting.

@in_virtual_time
async def test_something_that_takes_an_hour() -> None: ...
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

WALL_ORIGIN_MS = 1_000_000

T = TypeVar("T")
P = ParamSpec("P")


class _JumpingSelector(selectors.SelectSelector):
    """Lets time pass instead of waiting; waits for threads alone, when nothing else is due."""

    now_s = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; the time that was to be waited is over."""
        ready = super().select(None if timeout is None else 0)
        if timeout is not None and not ready:
            self.now_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        """Return virtual seconds."""
        return self._jumping.now_s


class LoopClock:
    """A `Clock` that shows the time of the event loop."""

    def monotonic_ms(self) -> int:
        """Return milliseconds."""
        return round(asyncio.get_running_loop().time() * 1_000)

    def wall_ms(self) -> int:
        """Return milliseconds."""
        return WALL_ORIGIN_MS + self.monotonic_ms()


def run_jumping(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, and check that it left no task and no error behind."""
    unheard: list[dict[str, Any]] = []

    async def checked() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, found: unheard.append(found))
        result = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"
        return result

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        result = runner.run(checked())
    assert not unheard, unheard
    return result


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a test of a coroutine: it runs in virtual time, and waits two virtual hours at most."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(7_200):
                await test(*args, **kwargs)

        run_jumping(bounded())

    return run
