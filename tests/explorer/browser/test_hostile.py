"""Texts of strangers stay texts: none of them runs, turns its surroundings, or breaks the page."""

import unicodedata
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
import pytest_asyncio

from node.rpc.texts import account_text
from tests.chain.founded import address_of
from tests.explorer.browser.browser import DESK, PHONE, Device, reading
from tests.explorer.browser.hostile import LONG, SCRIPT, TEXTS, TURNED, hostile, told
from tests.rpc.stage import Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ALICE, BOB, CAROL = (account_text(address_of(name)) for name in ("alice", "bob", "carol"))
VIEWS: Final = (
    *("", "chain", "validators", "tasks", "task/0", "task/1", "task/2", "round/0/0", "models/0"),
    *("model/0/1", "participants", "contracts", "contract/identity", "contract/bold"),
    *(f"{view}/{who}" for view in ("participant", "account") for who in (ALICE, BOB, CAROL)),
    *(f"search/{quote(text[:200])}" for text in TEXTS),
)
_ELEMENTS: Final = "document.querySelectorAll('body script, img, body style, iframe').length"

_DISCLOSE: Final = "document.querySelectorAll('main details').forEach(one => { one.open = true; })"


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="session")
async def _stage(_equipped: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with hostile(tmp_path_factory.mktemp("hostile")) as stage:
        yield stage


def _shifts(title: str) -> list[str]:
    return [letter for letter in title if unicodedata.category(letter) in ("Cc", "Cf")]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view[:24])
async def test_no_text_breaks_out_of_its_place(browser: "Browser", stage: Stage, view: str) -> None:
    for device in (DESK, PHONE):
        async with reading(browser, stage.server.url, device) as reader:
            await reader.open(view)
            await reader.page.evaluate(_DISCLOSE)
            assert await reader.overflow() == 0, device.name
            assert await reader.page.evaluate(_ELEMENTS) == 0
            title = await reader.page.title()
            assert _shifts(title) == []
            assert len(title) < 300
            assert reader.dialogs == reader.complaints == reader.foreign == []


@pytest.mark.parametrize("text", TEXTS, ids=["script", "turned", "long"])
@pytest.mark.parametrize("method", ["tell", "refuse"])
async def test_events_and_refusals_come_as_text_while_the_page_is_open(
    browser: "Browser", stage: Stage, text: str, method: str
) -> None:
    async with reading(browser, stage.server.url, Device(360)) as reader:
        await reader.open("contract/bold")
        signed = stage.proposer.sign(told(text, method=method), sender="carol")
        executed = await stage.commit(signed)
        if method == "tell":
            await reader.until(f"document.querySelector('main').innerText.includes({text[:40]!r})")
        await reader.go(f"commit/{executed.height}")
        await reader.go(f"tx/{executed.receipts[0].transaction_id.hex()}")
        assert await reader.page.evaluate(_ELEMENTS) == 0
        assert await reader.overflow() == 0
        assert reader.dialogs == reader.complaints == reader.foreign == []


async def test_names_are_read_as_they_are_written(browser: "Browser", stage: Stage) -> None:
    async with reading(browser, stage.server.url) as reader:
        await reader.open("participants")
        shown: str = await reader.page.evaluate("document.querySelector('tbody').textContent")
        assert SCRIPT[:30] in shown
        assert TURNED in shown
        assert LONG[:30] in shown
        assert LONG not in shown, "what is long is cut"
        isolated: bool = await reader.page.evaluate(
            "text => [...document.querySelectorAll('bdi')].some(one => one.textContent === text)",
            TURNED,
        )
        assert isolated
