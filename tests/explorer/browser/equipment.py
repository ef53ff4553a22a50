"""What these tests need on the machine, and what to install where something is missing."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
AXE: Final = FOLDER / "node_modules" / "axe-core" / "axe.min.js"


def chromium() -> str | None:
    """Return the path of the browser: CHROMIUM where it is set, or else the system's."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


def why_not() -> str | None:
    """Return what is missing and how it is installed, None where everything is there."""
    return "; ".join(_missing()) or None


def _missing() -> Iterator[str]:
    path = chromium()
    if path is None:
        yield "no Chromium: `apt-get install chromium`, or name one with CHROMIUM="
    elif not os.access(path, os.X_OK):
        yield f"{path}, which CHROMIUM names, cannot be started"
    if importlib.util.find_spec("playwright") is None:
        yield "no Playwright: run `make explorer`"
    if not AXE.exists():
        yield "no axe-core: run `make explorer`, which needs npm"
