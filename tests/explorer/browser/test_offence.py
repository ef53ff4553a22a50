"""A validator that lied is shown with what proves it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node.rpc.texts import account_text
from tests.explorer.browser.barriers import barriers
from tests.explorer.browser.browser import DESK, PHONE, reading
from tests.rpc.stage import open_stage
from tests.rpc.test_offences import IN_THE_CHAIN, REPORTED, executed, report, twins, with_twins

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_equivocation_is_shown_with_the_blocks_and_whoever_brought_them(
    browser: "Browser", tmp_path: Path
) -> None:
    async with open_stage(tmp_path) as stage:
        await executed(stage, with_twins(stage, twins(stage, IN_THE_CHAIN)))
        brought = stage.proposer.sign(report(twins(stage, REPORTED)), sender="carol")
        await executed(stage, stage.proposer.order(brought))
        operators = [account_text(one.operator) for one in stage.chain.members()]
        for seat, words, device in (
            (IN_THE_CHAIN, "commit 1, which orders both blocks", DESK),
            (REPORTED, "commit 2, transaction", PHONE),
        ):
            async with reading(browser, stage.server.url, device) as reader:
                await reader.open(f"participant/{operators[seat]}")
                text = await reader.page.evaluate("document.querySelector('main').textContent")
                assert "Offences against the chain" in text
                assert words in text
                assert "two blocks for one round" in text
                for block in twins(stage, seat):
                    assert block.ref.digest.hex()[:8] in text
                assert await reader.overflow() == 0
                assert await barriers(reader) == []
                assert reader.complaints == []
