"""Which implementations can take part here, how each is started, and why one cannot be."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
NODE = shutil.which("node")
JS_FOLDER = HERE / "js"
JS_LOCK = JS_FOLDER / "node_modules" / ".package-lock.json"
PY_FOLDER = HERE / "py"
PY_PYTHON = PY_FOLDER / ".venv" / "bin" / "python"
PY_STAMP = PY_FOLDER / ".venv" / "installed"


@dataclass(frozen=True, slots=True)
class Kind:
    """One implementation; `missing` says why it cannot be started on this machine."""

    name: str
    command: tuple[str, ...]
    missing: str | None = None


def _why_no_js() -> str | None:
    if NODE is None:
        return "js-libp2p needs node, which is not installed"
    if not JS_LOCK.exists():
        return "js-libp2p is not installed: run `make interop`"
    return None


def _why_no_py() -> str | None:
    if not PY_STAMP.exists():
        return "py-libp2p is not installed: run `make interop`"
    return None


OURS = Kind("ours", (sys.executable, "-m", "cli.main", "p2p", "peer"))
JS = Kind("js", (NODE or "node", str(JS_FOLDER / "peer.mjs")), _why_no_js())
PY = Kind("py", (str(PY_PYTHON), "-m", "tests.interop.py.peer"), _why_no_py())
