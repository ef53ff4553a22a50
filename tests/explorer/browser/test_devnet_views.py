"""Every view on a live network: it opens, nobody is shut out, and it fits on every screen."""

from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from tests.explorer.browser.barriers import barriers
from tests.explorer.browser.browser import DESK, PHONE, Device, reading
from tests.explorer.browser.devnet import Devnet
from tests.explorer.browser.places import PLACES, facts_of

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# What is out of sight may not be laid out yet; then it has no inner text.
_WORDS: Final = "(main => main.innerText + main.textContent)(document.querySelector('main'))"
WALL: Final = Device(2_560, 1_300)


@pytest_asyncio.fixture(name="facts", scope="module", loop_scope="session")
async def _facts(live: Devnet) -> dict[str, str]:
    await live.story()
    return await facts_of(live)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("device", [DESK, PHONE], ids=lambda device: device.name)
async def test_view_opens_and_shuts_nobody_out(
    browser: "Browser", live: Devnet, facts: dict[str, str], name: str, device: Device
) -> None:
    place = PLACES[name]
    async with reading(browser, live.origin(), device) as reader:
        await reader.open(place.path.format(**facts))
        for word in place.words:
            await reader.until(f"{_WORDS}.includes({word.format(**facts)!r})")
        assert await reader.overflow() == 0
        assert await barriers(reader) == []
        if device is DESK:
            await reader.page.set_viewport_size({"width": WALL.width, "height": WALL.height})
            await reader.until("innerWidth > 2000")
            assert await reader.overflow() == 0
        assert reader.complaints == []
        assert reader.foreign == []
        assert len(reader.asked) > 10
        assert any(url.startswith("ws:") for url in reader.asked)


@pytest.mark.parametrize("path", ["nosuch", "commit/abc", "tx/zz", "round/0", "task/9999", "%zz"])
async def test_address_that_names_nothing_says_what_to_do(
    browser: "Browser", live: Devnet, path: str
) -> None:
    async with reading(browser, live.origin()) as reader:
        await reader.open(path)
        text = await reader.text()
        assert any(
            word in text for word in ("no page", "nothing here", "names no", "number", "64 letters")
        )
        assert await barriers(reader) == []
        assert reader.foreign == []
