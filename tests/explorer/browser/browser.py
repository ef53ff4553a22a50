"""Chromium without a window, and pages in it that remember everything they asked for."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.explorer.browser.equipment import chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page, Request, WebSocket

LIMIT_S: Final = 60.0
"""The machine may be busy; nothing here waits for long if it is not."""
LOOK_S: Final = 0.05
ARGUMENTS: Final = ("--disable-gpu", "--force-color-profile=srgb", "--disable-dev-shm-usage")
_DRAWN: Final = """() => {
  // Until the module of a view is loaded, the view before stands there.
  if (document.querySelector("main").dataset.place !== location.hash) return false;
  const view = document.querySelector(".view");
  return Boolean(document.querySelector("h1")?.textContent && view?.childElementCount)
    && !document.querySelector(".loading, [aria-busy=true]");
}"""


@dataclass(frozen=True, slots=True)
class Device:
    """What somebody reads on."""

    width: int
    height: int = 900
    scheme: str = "light"
    motion: str = "no-preference"

    @property
    def name(self) -> str:
        return f"{self.width}-{self.scheme}"


DESK: Final = Device(1_280)
PHONE: Final = Device(360, 740, "dark")


@dataclass(slots=True)
class Reader:
    """One page of somebody who reads the explorer.

    Attributes:
        complaints: errors of the page's scripts and of its console.
        asked: addresses of everything that was asked for, WebSockets included.
        dialogs: what an `alert` said.
    """

    page: "Page"
    origin: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    async def open(self, view: str) -> None:
        """Load the explorer at a view, and wait until it is drawn."""
        # A change of the fragment alone loads nothing.
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.origin}/explorer/#/{view}")
        await self.drawn()

    async def go(self, view: str) -> None:
        """Go to another view within the page, and wait until it is drawn."""
        await self.page.evaluate("hash => { location.hash = hash; }", f"#/{view}")
        await self.drawn()

    async def drawn(self) -> None:
        await self.until(f"({_DRAWN})()")

    async def until(self, condition: str, *, limit_s: float = LIMIT_S) -> Any:  # noqa: ANN401 - JSON
        """Wait until an expression holds in the page; return its value."""
        value = None
        try:
            async with asyncio.timeout(limit_s):
                while not (value := await self.page.evaluate(condition)):  # noqa: ASYNC110 - of a page
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            text = await self.text()
            raise AssertionError(f"never: {condition}\n{text[:2_000]}") from None
        return value

    async def text(self, selector: str = "main") -> str:
        """Return what can be read in the first element that fits."""
        found: str = await self.page.locator(selector).first.inner_text()
        return found

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        found: int = await self.page.evaluate(
            "Math.max(0, document.documentElement.scrollWidth - innerWidth)"
        )
        return found

    @property
    def foreign(self) -> list[str]:
        """Return what was asked of anybody but the node."""
        own = (f"{self.origin}/", f"{self.origin.replace('http', 'ws', 1)}/", "about:", "data:")
        return [url for url in self.asked if not url.startswith(own)]


@asynccontextmanager
async def browsing() -> AsyncIterator["Browser"]:
    """Start Chromium."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - it may be missing

    # Its sandbox does not work for root.
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else [*ARGUMENTS]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def reading(browser: "Browser", origin: str, device: Device = DESK) -> AsyncIterator[Reader]:
    """Open an empty page for a device, with a profile of its own."""
    context = await browser.new_context(
        viewport={"width": device.width, "height": device.height},
        color_scheme="dark" if device.scheme == "dark" else "light",
        reduced_motion="reduce" if device.motion == "reduce" else "no-preference",
    )
    try:
        page = await context.new_page()
        reader = Reader(page, origin)
        _watch(reader)
        yield reader
    finally:
        await context.close()


def _watch(reader: Reader) -> None:
    def console(message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            reader.complaints.append(f"{message.type}: {message.text} {message.location}")

    def asked(request: "Request | WebSocket") -> None:
        reader.asked.append(request.url)

    async def dialog(shown: Any) -> None:  # noqa: ANN401 - its types may be missing
        reader.dialogs.append(shown.message)
        await shown.dismiss()

    page = reader.page
    page.on("console", console)
    page.on("pageerror", lambda error: reader.complaints.append(f"error: {error}"))
    page.on("request", asked)
    page.on("websocket", asked)
    page.on("dialog", dialog)
