"""Take the pictures of the documentation: `python -m tests.explorer.browser.pictures`.

They show the devnet of the browser tests, whose fourth node flips the signs of its updates, after
its last round. Nothing in them is made up, so no two runs give the same.
"""

import argparse
import asyncio
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from tests.explorer.browser.browser import Device, browsing, reading
from tests.explorer.browser.devnet import ATTACKER, Devnet, devnet
from tests.explorer.browser.equipment import why_not

if TYPE_CHECKING:
    from playwright.async_api import Browser

FOLDER: Final = Path(__file__).parents[3] / "docs" / "explorer"
BYTES_MAX: Final = 100_000
COLOURS: Final = (256, 128, 64, 32, 16)
SETTLED_MS: Final = 400
DESK: Final = Device(1_440, 1_000)
DARK: Final = Device(1_440, 1_000, "dark")
PHONE: Final = Device(390, 844)
DARK_PHONE: Final = Device(390, 844, "dark")
_TRUST: Final = ".view > .stack:last-child"
_GO_TO: Final = """selector => {
  if (!selector) return;
  const top = document.querySelector(selector).getBoundingClientRect().top;
  const bar = document.querySelector(".top");
  const kept = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
  window.scrollBy(0, top - kept - 12);
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What to take.

    Args:
        path: of the view; in braces what only the network can tell.
        at: what stands at its top, the page's own if empty.
        wait_ms: until there is something to be seen.
    """

    name: str
    path: str
    device: Device
    at: str = ""
    wait_ms: int = 1_500


PICTURES: Final = (
    Picture("overview", "", Device(1_440, 720), wait_ms=4_000),
    Picture("chain-dark", "chain", DARK, wait_ms=12_000),
    Picture("round", "round/0/0", DESK, ".slot:nth-child(3) > .card"),
    Picture("round-phone", "round/0/0", PHONE, "details.update:nth-child({place})"),
    Picture("models", "models/0", DESK),
    Picture("participant-phone-dark", "participant/{attacker}", DARK_PHONE, _TRUST),
)


async def take_all(folder: Path) -> None:
    """Take every picture; the network runs for about a minute."""
    missing = why_not()
    if missing:
        raise SystemExit(missing)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        async with devnet(Path(place)) as live, browsing() as browser:
            await live.story()
            facts = await _facts(live)
            for picture in PICTURES:
                raw = await _take(browser, live, picture, facts)
                (folder / f"{picture.name}.png").write_bytes(packed(raw))


async def _facts(live: Devnet) -> dict[str, str]:
    attacker = live.account(ATTACKER)
    judged = await live.network.client("node-1").judgement(0, 0)
    place = [one.trainer for one in judged.updates].index(attacker)
    return {"attacker": attacker, "place": str(place + 1)}


async def _take(browser: "Browser", live: Devnet, picture: Picture, facts: dict[str, str]) -> bytes:
    async with reading(browser, live.origin("node-1"), picture.device) as reader:
        await reader.open(picture.path.format(**facts))
        await reader.page.wait_for_timeout(picture.wait_ms)
        for _ in range(3):
            # What comes into sight is laid out only then, and moves what follows.
            await reader.page.evaluate(_GO_TO, picture.at.format(**facts))
            await reader.page.wait_for_timeout(SETTLED_MS)
        taken: bytes = await reader.page.screenshot()
        return taken


def packed(raw: bytes) -> bytes:
    """Return a picture with as many colours as fit the limit of a file.

    Raises:
        ValueError: sixteen colours are too many.
    """
    with Image.open(io.BytesIO(raw)) as image:
        whole = image.convert("RGB")
    for colours in COLOURS:
        file = io.BytesIO()
        few = whole.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() < BYTES_MAX:
            return file.getvalue()
    raise ValueError(f"the picture has more than {BYTES_MAX} bytes with {COLOURS[-1]} colours")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asyncio.run(take_all(parser.parse_args().folder))
