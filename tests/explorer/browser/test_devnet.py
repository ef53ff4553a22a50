"""A round of a live network, watched in one page from its opening to its commit."""

from typing import TYPE_CHECKING, Final

import pytest

from tests.explorer.browser.browser import reading
from tests.explorer.browser.devnet import ATTACKER, ROUNDS, TASK, Devnet

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROUND_S: Final = 120.0
PHASES: Final = (
    *("Training", "Showing", "Fetching", "Scoring", "Opening the scores", "Selecting"),
    *("Combining", "Guarding", "Settling"),
)
_WRITE_DOWN: Final = """() => {
  window.phasesSeen = [];
  window.lastPhase = () => window.phasesSeen.at(-1);
  setInterval(() => {
    const phase = document.querySelector(".timeline li.running strong")?.textContent;
    if (phase && phase !== window.lastPhase()) window.phasesSeen.push(phase);
  }, 10);
}"""
_OUTCOME: Final = "(document.querySelector('main .lead[role=status]')?.innerText ?? '')"


async def test_round_is_watched_from_its_opening_to_its_commit(
    browser: "Browser", live: Devnet
) -> None:
    number = await live.running_round() + 1
    assert number < ROUNDS, "no round is left to be watched"
    async with reading(browser, live.origin()) as reader:
        await reader.open(f"round/{TASK}/{number}")
        assert "There is nothing here" in await reader.text(), "the round has not begun"
        await reader.page.evaluate(_WRITE_DOWN)
        await reader.until(f"{_OUTCOME}.includes('running')", limit_s=ROUND_S)
        outcome = await reader.until(
            f"{_OUTCOME}.includes('committed') && {_OUTCOME}", limit_s=ROUND_S
        )
        assert f"version {number + 1} of the model" in outcome
        seen: list[str] = await reader.page.evaluate("window.phasesSeen")
        assert seen[0] == PHASES[0]
        assert len(seen) > 1, "it was seen to go on"
        assert seen == [phase for phase in PHASES if phase in seen]
        assert reader.foreign == []


async def test_attacker_is_rejected_and_the_page_says_why(browser: "Browser", live: Devnet) -> None:
    await live.story()
    async with reading(browser, live.origin("node-1")) as reader:
        await reader.open(f"round/{TASK}/0")
        summary = reader.page.locator("details.update > summary").filter(has_text=ATTACKER)
        assert await summary.count() == 1
        text = await summary.text_content()
        assert "rejected: the loss rose on 4 of 4 shards" in (text or "")
        assert not reader.complaints
        await reader.open(f"participant/{live.account(ATTACKER)}")
        await reader.until("document.querySelector('main').innerText.includes('low quality')")
