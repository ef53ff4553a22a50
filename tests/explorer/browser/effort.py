"""What the page's main thread spent, by the processor's clock: a busy machine counts for nothing.

A task is long if it takes 50 ms; see https://www.w3.org/TR/longtasks-1/. Others on
the machine still slow down a processor that they share, so what counts is the calmest of a few
tries. What a test asks of the page is done in it as well: ask for little, and use `press`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.explorer.browser.browser import Reader

if TYPE_CHECKING:
    from playwright.async_api import Browser

LONG_MS: Final = 50.0
LIMIT_MS: Final = 2 * LONG_MS
"""What a test refuses: no task is long where these tests were written, and the mean nowhere is."""

NOTED_MS: Final = 10.0
TRIES: Final = 5
SETTLED_MS: Final = 800
_CATEGORIES: Final = ["toplevel", "devtools.timeline"]
_MAIN: Final = "CrRendererMain"
_PRESS: Final = """([within, label]) => [...document.querySelectorAll(`${within} button`)]
  .find(one => one.textContent.startsWith(label) && !one.closest("[hidden]")).click()"""


@dataclass(slots=True)
class Effort:
    """The tasks of the main thread that took the processor for a while, the longest first."""

    tasks_ms: list[float] = field(default_factory=list)

    @property
    def typical_ms(self) -> float:
        """Return the mean of all that may be felt."""
        return sum(self.tasks_ms) / len(self.tasks_ms) if self.tasks_ms else 0.0

    @property
    def longest_ms(self) -> float:
        return max(self.tasks_ms, default=0.0)

    @property
    def is_smooth(self) -> bool:
        """Tell whether no task is long, with room for a machine half as fast."""
        return self.typical_ms < LONG_MS and self.longest_ms < LIMIT_MS


@asynccontextmanager
async def effort(browser: "Browser", reader: Reader) -> AsyncIterator[Effort]:
    """Measure what is done in the page meanwhile; the result is there afterwards."""
    found = Effort()
    await browser.start_tracing(page=reader.page, categories=_CATEGORIES)
    try:
        yield found
    finally:
        raw = await browser.stop_tracing()
    events: list[dict[str, Any]] = json.loads(raw)["traceEvents"]
    found.tasks_ms = sorted(_tasks_ms(events), reverse=True)


async def calmest(
    browser: "Browser", reader: Reader, work: Callable[[], Awaitable[None]]
) -> Effort:
    """Do something up to five times, until no task is long; return the calmest try."""
    best: Effort | None = None
    for _ in range(TRIES):
        async with effort(browser, reader) as spent:
            await work()
            await reader.page.wait_for_timeout(SETTLED_MS)
        if best is None or spent.longest_ms < best.longest_ms:
            best = spent
        if best.longest_ms < LONG_MS:
            break
    assert best is not None
    return best


async def press(reader: Reader, label: str, *, within: str = "main") -> None:
    """Press the first button in sight of the page whose text begins so."""
    await reader.page.evaluate(_PRESS, [within, label])


def _tasks_ms(events: list[dict[str, Any]]) -> list[float]:
    threads = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == _MAIN
    }
    spent = [
        one["tdur"] / 1_000
        for one in events
        if one.get("ph") == "X"
        and (one["pid"], one["tid"]) in threads
        and one["name"].endswith("RunTask")
        and "tdur" in one
    ]
    return [ms for ms in spent if ms >= NOTED_MS]
