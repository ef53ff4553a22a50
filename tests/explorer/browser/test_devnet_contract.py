"""A page of a contract goes on from where it was when its connection comes back."""

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.explorer.browser.browser import reading
from tests.explorer.browser.devnet import Devnet

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route, WebSocketRoute

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONTRACT: Final = "identity"
HELD: Final = 987_654_321_000_000_000_000
"""More than anybody paid it, so that the page has something new to say."""
_FEED: Final = "document.querySelector('[aria-labelledby=feed-title]')"
_EVENTS: Final = f"{_FEED}.querySelectorAll('tbody tr').length"
_TROUBLE: Final = f"Boolean({_FEED}.querySelector('[role=alert]'))"
_EVENTS_PATH: Final = re.compile("/v1/contracts/[^/]+/events")
_QUESTION: Final = """(() => {
  const choice = document.querySelector("#view-name");
  for (const { value } of choice.options) {
    choice.value = value;
    choice.dispatchEvent(new Event("change"));
    if (document.querySelector("#view-argument-0")) return true;
  }
})()"""
_TYPED: Final = "document.querySelector('#view-argument-0')?.value"


async def test_what_was_read_and_typed_outlives_a_lost_connection(
    browser: "Browser", live: Devnet
) -> None:
    streams: list[WebSocketRoute] = []

    def connect(stream: "WebSocketRoute") -> None:
        stream.connect_to_server()
        streams.append(stream)

    async def refuse(route: "Route") -> None:
        await route.fulfill(status=500, json={"code": "internal", "message": "it failed"})

    async def enrich(route: "Route") -> None:
        answer = await (await route.fetch()).json()
        await route.fulfill(json={**answer, "balance": str(HELD)})

    async with reading(browser, live.origin()) as reader:
        page = reader.page
        await page.route_web_socket("**/v1/stream", connect)
        await reader.open(f"contract/{CONTRACT}")
        events = await reader.until(_EVENTS)
        assert await page.evaluate(_QUESTION)
        await page.fill("#view-argument-0", "typed")
        await page.route(f"**/v1/contracts/{CONTRACT}", enrich)
        await page.route(_EVENTS_PATH, refuse)
        await streams[0].close()
        await reader.until(_TROUBLE)
        await reader.until("document.querySelector('main').innerText.includes('987')")
        assert await page.evaluate(_TYPED) == "typed"
        assert await page.evaluate(_EVENTS) >= events
        await page.unroute(_EVENTS_PATH, refuse)
        await page.get_by_role("button", name="Try again").click()
        await reader.until(f"!{_TROUBLE}")
        assert await page.evaluate(_EVENTS) >= events
