"""Ten thousand commits and five hundred participants, on a node that really has them."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from node.rpc.texts import account_text
from tests.chain.founded import address_of
from tests.explorer.browser.browser import DESK, PHONE, Device, Reader, reading
from tests.explorer.browser.crowd import COMMITS, PEOPLE, crowded
from tests.explorer.browser.effort import calmest, press
from tests.rpc.stage import Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ELEMENTS_MAX: Final = 4_000
_ELEMENTS: Final = "document.querySelectorAll('*').length"
_ROWS: Final = "document.querySelectorAll('tbody tr').length"
_MAIN: Final = "document.querySelector('main').innerText"
_FIRST: Final = "document.querySelector('tbody th')?.textContent"
_PAGE: Final = "document.querySelector('.table-box > .pager span')?.textContent"
_FOUND: Final = "document.querySelector('[role=status].hint')?.textContent"


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="session")
async def _stage(_equipped: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with crowded(tmp_path_factory.mktemp("crowd")) as stage:
        yield stage


async def test_chain_of_ten_thousand_commits_is_paged_without_a_jolt(
    browser: "Browser", stage: Stage
) -> None:
    async with reading(browser, stage.server.url) as reader:

        async def page() -> None:
            await reader.go("contracts")
            await reader.go("chain")
            top = stage.chain.head.height
            await reader.until(f"{_FIRST} === '{top:,}'")
            for turn in range(1, 4):
                await press(reader, "Older")
                await reader.until(f"{_FIRST} === '{top - 25 * turn:,}'")
            for _ in range(10):
                await stage.commit()
            await press(reader, "Newest")
            await reader.until(f"{_FIRST} === '{top + 10:,}'")

        await reader.open("contracts")
        spent = await calmest(browser, reader, page)
        await _is_light(reader)
        assert stage.chain.head.height > COMMITS
        assert spent.is_smooth, spent.tasks_ms
        assert reader.complaints == []


@pytest.mark.parametrize("device", [DESK, PHONE], ids=lambda device: device.name)
async def test_five_hundred_participants_are_searched_sorted_and_paged_without_a_jolt(
    browser: "Browser", stage: Stage, device: Device
) -> None:
    everybody = len(PEOPLE) + 4
    async with reading(browser, stage.server.url, device) as reader:

        async def search() -> None:
            await reader.go("contracts")
            await reader.go("participants")
            await reader.until(f"{_FOUND} === '{everybody} participants'")
            await reader.page.fill("#participant-search", "participant-31")
            await reader.until(f"{_ROWS} === 10")
            await reader.page.fill("#participant-search", "")
            await reader.until(f"{_PAGE} === '1 to 25 of {everybody}'")
            await press(reader, "Stake")
            await reader.until("document.querySelector('tbody tr')?.textContent.includes('yes')")
            await press(reader, "Name")
            await reader.until(f"{_FIRST}.includes('participant-000')")
            for turn in (26, 51, 76):
                await press(reader, "Next")
                await reader.until(f"{_PAGE} === '{turn} to {turn + 24} of {everybody}'")

        await reader.open("contracts")
        spent = await calmest(browser, reader, search)
        await _is_light(reader)
        assert await reader.overflow() == 0
        assert spent.is_smooth, spent.tasks_ms


async def test_pages_of_a_table_are_turned_and_sorted_without_a_loss_of_focus(
    browser: "Browser", stage: Stage
) -> None:
    async with reading(browser, stage.server.url) as reader:
        await reader.open("participants")
        await reader.until(f"{_PAGE} === '1 to 25 of {len(PEOPLE) + 4}'")
        name = reader.page.get_by_role("button", name="Name")
        await name.focus()
        for direction, first in (("ascending", "participant-000"), ("descending", "did:key")):
            await reader.page.keyboard.press("Enter")
            await reader.until(f"{_FIRST}.includes('{first}')")
            assert await name.evaluate("one => one === document.activeElement")
            assert await name.evaluate("one => one.parentElement.ariaSort") == direction
        await reader.page.get_by_role("button", name="Next").focus()
        await reader.page.keyboard.press("Enter")
        await reader.until(f"{_PAGE}.startsWith('26 to ')")
        assert await reader.page.evaluate("document.activeElement.textContent") == "Next"


async def test_one_of_five_hundred_and_one_of_ten_thousand_are_found(
    browser: "Browser", stage: Stage
) -> None:
    async with reading(browser, stage.server.url) as reader:
        someone = account_text(address_of(PEOPLE[314]))
        for query, address, words in (
            (PEOPLE[314], f"participant/{someone}", PEOPLE[314]),
            ("7654", "commit/7654", "Sep 9, 2001"),
        ):
            await reader.open("")
            await reader.page.fill("#search", query)
            await reader.page.keyboard.press("Enter")
            # A single hit is gone to at once.
            await reader.until(f"decodeURIComponent(location.hash) === '#/{address}'")
            await reader.until(f"{_MAIN}.includes('{words}')")
            assert reader.complaints == []


async def test_validators_are_shown_beside_a_crowd(browser: "Browser", stage: Stage) -> None:
    async with reading(browser, stage.server.url) as reader:

        async def leave_and_come_back() -> None:
            await reader.go("")
            await reader.go("validators")

        await reader.open("validators")
        spent = await calmest(browser, reader, leave_and_come_back)
        await _is_light(reader)
        assert spent.is_smooth, spent.tasks_ms


async def _is_light(reader: Reader) -> None:
    assert await reader.page.evaluate(_ELEMENTS) < ELEMENTS_MAX
