"""How one reads a live network: by keyboard, without motion, and while its node goes and comes."""

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from tests.explorer.browser.browser import Device, Reader, reading
from tests.explorer.browser.devnet import TASK, Devnet

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VICTIM: Final = "node-2"
TABS: Final = 25
HEADER_STOPS: Final = 8
PAGE: Final = 25
"""Commits in one page of the list."""
STILL: Final = Device(1_280, motion="reduce")
_FOCUS: Final = "document.activeElement"
_SHOWS_FOCUS: Final = """(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  const box = document.activeElement.getBoundingClientRect();
  return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.width > 0)
    || document.activeElement.outerHTML.slice(0, 200);
})()"""
_TOP: Final = "Number(document.querySelector('.figures dd')?.innerText.replace(/\\D/g, '') ?? 0)"
_FOCUSED: Final = f"Number({_FOCUS}.closest('tr')?.dataset.key)"
_PLACE: Final = "document.querySelector('nav[aria-label=\"Pages of commits\"] span')?.textContent"
_NEWEST: Final = "document.querySelector('tbody th a')?.getAttribute('href')"


async def test_keyboard_reaches_the_content_and_the_search(
    browser: "Browser", live: Devnet
) -> None:
    async with reading(browser, live.origin()) as reader:
        await reader.open("validators")
        keyboard = reader.page.keyboard
        await keyboard.press("Tab")
        assert await reader.page.evaluate(f"{_FOCUS}.id") == "skip"
        await keyboard.press("Enter")
        await reader.until(f"{_FOCUS}.id === 'content' && location.hash === '#/validators'")
        await keyboard.press("/")
        assert await reader.page.evaluate(f"{_FOCUS}.id") == "search"
        await keyboard.type("node-1")
        await keyboard.press("Enter")
        # The only one of that name is shown at once.
        await reader.until("location.hash.startsWith('#/participant/')")
        await reader.until(f"{_FOCUS}.tagName === 'H1'")
        assert reader.complaints == []


@pytest.mark.parametrize("view", ["", "chain", "round/0/0", "participants"])
async def test_focus_can_be_seen_at_every_step(browser: "Browser", live: Devnet, view: str) -> None:
    async with reading(browser, live.origin()) as reader:
        await reader.open(view)
        for turn in range(TABS):
            await reader.page.keyboard.press("Tab")
            if await reader.page.evaluate(f"{_FOCUS} === document.body"):
                # Behind the last link of a short page comes the browser's own bar.
                assert turn > HEADER_STOPS
                break
            assert await reader.page.evaluate(_SHOWS_FOCUS) is True


async def test_focus_stays_where_it_is_while_the_chain_grows(
    browser: "Browser", live: Devnet
) -> None:
    async with reading(browser, live.origin()) as reader:
        await reader.open("chain")
        link = await reader.until(_NEWEST)
        await reader.page.focus(f"tbody th a[href='{link}']")
        height = await reader.page.evaluate(_FOCUSED)
        await _grown(reader, above=height + PAGE)
        for _ in range(2):
            async with reader.page.expect_response(lambda one: _is_newest_page(one.url)):
                pass
        assert await reader.page.evaluate(_FOCUSED) == height
        await reader.page.focus("#search")
        await reader.until(f"{_NEWEST} !== {link!r}")


async def test_older_page_stays_when_a_newer_answer_comes_late(
    browser: "Browser", live: Devnet
) -> None:
    async with reading(browser, live.origin()) as reader:
        await reader.open("chain")
        await reader.until(_PLACE)
        late: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

        async def hold(route: "Route") -> None:
            if late.done():
                await route.continue_()
            else:
                late.set_result(route)

        await reader.page.route(_is_newest_page, hold)
        route = await late
        newest = await reader.until(_PLACE)
        await reader.page.get_by_role("button", name="Older", exact=True).click()
        place = await reader.until(f"{_PLACE} !== {newest!r} && {_PLACE}")
        async with reader.page.expect_response(lambda one: _is_newest_page(one.url)):
            await route.continue_()
        await _grown(reader, above=await reader.page.evaluate(_TOP))
        assert await reader.page.evaluate(_PLACE) == place


async def test_nothing_moves_for_whoever_asked_for_that(browser: "Browser", live: Devnet) -> None:
    async with reading(browser, live.origin(), STILL) as reader:
        for view in ("", "chain", "round/0/0"):
            await reader.open(view)
            moving: list[str] = await reader.page.evaluate(
                "document.getAnimations().filter(one => one.playState === 'running')"
                ".map(one => one.effect.target.outerHTML.slice(0, 200))"
            )
            assert moving == []


async def test_page_outlives_its_node(browser: "Browser", live: Devnet) -> None:
    await live.story()
    async with reading(browser, live.origin(VICTIM)) as reader:
        await reader.open("chain")
        seen = await _grown(reader, above=0)
        await reader.page.evaluate("window.isTheSamePage = true")
        await reader.until("document.querySelector('main').dataset.views === 'all'")
        await live.network.kill(VICTIM)
        await reader.until("document.querySelector('.away').innerText.includes('The node is away')")
        assert await reader.page.evaluate(_TOP) >= seen, "what was shown is still shown"
        assert await reader.page.locator("tbody tr").count() > 10
        await reader.go("validators")
        assert "does not answer" in await reader.text()
        await reader.go(f"model/{TASK}/1")
        assert "does not answer" in await reader.text()
        await live.network.restart(VICTIM)
        await reader.until("document.querySelector('.away').innerText === ''")
        await reader.until("document.querySelector('main').innerText.includes('Fingerprint')")
        await reader.go("validators")
        await reader.until("document.querySelector('main').innerText.includes('node-3')")
        await reader.go("chain")
        await _grown(reader, above=seen)
        assert await reader.page.evaluate("window.isTheSamePage")
        assert reader.foreign == []


def _is_newest_page(url: str) -> bool:
    return url.endswith(f"/v1/commits?limit={PAGE}")


async def _grown(reader: Reader, *, above: int) -> int:
    found: int = await reader.until(f"{_TOP} > {above} && {_TOP}")
    return found
