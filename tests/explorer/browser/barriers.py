"""What axe-core finds on a page: barriers by WCAG 2.2 AA, and what is commonly held to be good."""

from typing import Final

from tests.explorer.browser.browser import Reader
from tests.explorer.browser.equipment import AXE

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN: Final = """rules => axe.run(document, {runOnly: rules}).then(found => found.violations.map(
  one => `${one.id}: ${one.help}: ` + one.nodes.slice(0, 3).map(
    node => `${node.target} ${node.failureSummary}`).join("; ")))"""


async def barriers(reader: Reader) -> list[str]:
    """Return every violation, in words."""
    # The page's policy refuses a script tag; what the debugger evaluates is not asked.
    await reader.page.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
    found: list[str] = await reader.page.evaluate(_RUN, list(RULES))
    return found
