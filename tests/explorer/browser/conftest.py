"""One browser and one devnet for all tests here."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.explorer.browser.browser import browsing
from tests.explorer.browser.devnet import Devnet, devnet
from tests.explorer.browser.equipment import why_not

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture(name="_equipped", scope="session", autouse=True)
def _equipped() -> None:
    missing = why_not()
    if missing:
        pytest.skip(missing)


@pytest_asyncio.fixture(name="browser", scope="session", loop_scope="session")
async def _browser(_equipped: None) -> "AsyncIterator[Browser]":
    async with browsing() as browser:
        yield browser


@pytest_asyncio.fixture(name="live", scope="session", loop_scope="session")
async def _live(_equipped: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Devnet]:
    async with devnet(tmp_path_factory.mktemp("explorer")) as live:
        yield live
