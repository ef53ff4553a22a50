"""A round with a hundred updates and sixty-four validators is read without a jolt."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from fl.rules.limits import UPDATES_MAX
from tests.explorer.browser.barriers import barriers
from tests.explorer.browser.browser import DESK, PHONE, Device, reading
from tests.explorer.browser.effort import calmest, press
from tests.explorer.browser.full_round import HARMFUL, SEATS, TRAINERS, full_round
from tests.rpc.stage import Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ELEMENTS_MAX: Final = 5_000
VIEW: Final = "round/0/0"
OTHER: Final = "tasks"
FRAMES_MS: Final = 200
HARM: Final = min(HARMFUL)
_CARDS: Final = "document.querySelectorAll('details.update').length"
_UPDATES: Final = ".slot:nth-child(3)"
_PAGE: Final = f"document.querySelector('{_UPDATES} .pager span')?.textContent"
_OPEN: Final = """index => {
  const card = document.querySelectorAll("details.update")[index];
  card.open = true;
  card.scrollIntoView();
}"""
_ROWS: Final = "document.querySelectorAll('details.update[open] tbody tr').length"
_WHY: Final = "index => document.querySelectorAll('details.update .why')[index].textContent"
_DRAWN_ANEW: Final = """async () => {
  const main = document.querySelector("script[type=module]").src;
  const { replaceKeeping } = await import(new URL("dom.js", main));
  const { table } = await import(new URL("parts/table.js", main));
  const columns = [{ label: "Number", head: true, number: true, sort: one => one, cell: String }];
  const make = () => table({
    caption: "Numbers", columns, rows: [...Array(23).keys()], pageRows: 3,
  });
  const place = document.createElement("div");
  document.querySelector("main").append(place);
  replaceKeeping(place, make());
  place.querySelector(".sort").click();
  place.querySelectorAll(".pager button")[1].click();
  replaceKeeping(place, make());
  const cells = [...place.querySelectorAll("tbody th, .sort, .pager span")];
  return cells.map(one => one.textContent);
}"""
_LEAVE_HALF_DRAWN: Final = """([view, other]) => new Promise(resolve => {
  new MutationObserver((_, watch) => {
    const root = document.querySelector("[aria-busy=true]");
    if (!root?.querySelector(".slot:not(:empty)")) return;
    watch.disconnect();
    window.left = root;
    location.hash = other;
    resolve();
  }).observe(document.querySelector("main"), { childList: true, subtree: true });
  location.hash = view;
})"""


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="session")
async def _stage(_equipped: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with full_round(tmp_path_factory.mktemp("full")) as stage:
        yield stage


@pytest.mark.parametrize("device", [DESK, PHONE], ids=lambda device: device.name)
async def test_round_of_a_hundred_updates_by_sixty_four_is_read_without_a_jolt(
    browser: "Browser", stage: Stage, device: Device
) -> None:
    async with reading(browser, stage.server.url, device) as reader:

        async def read() -> None:
            await reader.go(OTHER)
            await reader.go(VIEW)
            await reader.until(f"{_CARDS} === {UPDATES_MAX}")
            for place, index in enumerate((0, HARM, UPDATES_MAX - 1), start=1):
                await reader.page.evaluate(_OPEN, index)
                await reader.until(f"{_ROWS} === {16 * place}")
                await reader.page.wait_for_timeout(FRAMES_MS)
            await press(reader, "Next", within=_UPDATES)
            await reader.until(f"{_PAGE} === '21 to 40 of {UPDATES_MAX}'")
            await press(reader, "Score", within=_UPDATES)
            await reader.until(f"{_PAGE} === '1 to 20 of {UPDATES_MAX}'")

        await reader.open(OTHER)
        spent = await calmest(browser, reader, read)
        elements = await reader.page.evaluate("document.querySelectorAll('*').length")
        assert elements < ELEMENTS_MAX
        assert await reader.overflow() == 0
        assert spent.is_smooth, spent.tasks_ms
        assert reader.complaints == []


async def test_every_update_is_there_with_its_reason_and_nobody_is_shut_out(
    browser: "Browser", stage: Stage
) -> None:
    async with reading(browser, stage.server.url) as reader:
        await reader.open(VIEW)
        why = await reader.page.evaluate(_WHY, HARM)
        assert f"the loss rose on {len(SEATS)} of {len(SEATS)} shards" in why
        # What is out of sight is not laid out, so it has no inner text.
        text = await reader.page.evaluate("document.querySelector('main').textContent")
        for name in (TRAINERS[0], TRAINERS[HARM], TRAINERS[-1]):
            assert name in text
        assert await barriers(reader) == []


async def test_view_that_is_left_half_drawn_draws_no_more(browser: "Browser", stage: Stage) -> None:
    async with reading(browser, stage.server.url) as reader:
        await reader.open(OTHER)
        await reader.page.evaluate(_LEAVE_HALF_DRAWN, [f"#/{VIEW}", f"#/{OTHER}"])
        await reader.drawn()
        await reader.page.wait_for_timeout(1_000)
        filled = await reader.page.evaluate(
            "window.left.querySelectorAll('.slot:not(:empty)').length"
        )
        assert 1 <= filled <= 3
        assert await reader.page.evaluate("window.left.querySelector('.update')") is None
        assert await reader.page.evaluate(_CARDS) == 0
        assert await reader.page.evaluate("document.querySelector('h1').textContent") == "Tasks"
        assert reader.complaints == []


async def test_page_and_order_of_a_table_outlive_a_new_drawing(
    browser: "Browser", stage: Stage
) -> None:
    async with reading(browser, stage.server.url) as reader:
        await reader.open(OTHER)
        assert await reader.page.evaluate(_DRAWN_ANEW) == [
            "Number ▾",
            "19",
            "18",
            "17",
            "4 to 6 of 23",
        ]
