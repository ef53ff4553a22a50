"""What the benchmark takes a page for is what a page does: the real one is watched beside it."""

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from benchmarks.explorer_readers import CHAIN
from tests.explorer.browser.browser import reading
from tests.explorer.browser.devnet import Devnet

if TYPE_CHECKING:
    from playwright.async_api import Browser, WebSocket

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WATCHED_S: Final = 20.0
MORE_MAX: Final = 1.1
AT_ONCE: Final = 2
"""Requests by which a count may be off, for it begins and ends anywhere between two of them."""


async def test_chain_view_asks_no_more_than_the_benchmark_takes_it_to(
    browser: "Browser", live: Devnet
) -> None:
    told: list[str] = []

    def note(stream: "WebSocket") -> None:
        stream.on("framesent", lambda frame: told.append(str(frame)))

    async with reading(browser, live.origin()) as reader:
        reader.page.on("websocket", note)
        await reader.open("chain")
        await reader.until("document.querySelectorAll('tbody tr').length > 3")
        first = set(_paths(reader.asked))
        assert set(CHAIN.first) <= first
        reader.asked.clear()
        begun_s = asyncio.get_running_loop().time()
        await asyncio.sleep(WATCHED_S)
        watched_s = asyncio.get_running_loop().time() - begun_s
        asked = _paths(reader.asked)
    usual = {one.path: watched_s / one.every_s for one in CHAIN.again}
    # A page that has lost sight of a round asks for all of them, as at first.
    asked["/v1/dag?rounds=30"] += asked.pop("/v1/dag?rounds=60", 0)
    # What came between the first reading and the first notice is read once more.
    assert asked.pop("/v1/commits?limit=100", 0) <= 1
    assert set(asked) == set(usual)
    for path, count in usual.items():
        assert asked[path] <= MORE_MAX * count + AT_ONCE, path
    wanted = [one for one in map(json.loads, told) if one["type"] == "subscribe"]
    assert [one["topic"] for one in wanted] == list(CHAIN.follows)
    assert {one["every_ms"] for one in wanted} == {CHAIN.every_ms}


def _paths(urls: list[str]) -> Counter[str]:
    parts = [urlsplit(url) for url in urls]
    return Counter(
        f"{one.path}?{one.query}".rstrip("?") for one in parts if one.path.startswith("/v1/")
    )
