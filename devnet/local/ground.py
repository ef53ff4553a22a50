"""The folder of a network before it is founded: nothing is removed that no devnet made.

A mark says that the folder is ours, but people put things of their own beside what is ours; so an
old network goes only if nothing else is there.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from devnet.local.errors import DevnetRunsError
from devnet.local.supervision import Supervisor

MARK: Final = ".hanse-devnet"
"""A file that says that a folder is ours to empty."""

_OURS: Final = re.compile(
    r"\.hanse-devnet|network\.json(\.draft)?|genesis|password|sponsor\.key|node-[0-9]+|sponsor|test"
    r"|logs|pids|report|turns|ring|models"
)


def cleared(folder: Path) -> Path:
    """Return the folder as an absolute path, empty but for our mark.

    Raises:
        DevnetRunsError: a network runs there, or something is there that is not ours.
    """
    folder = folder.absolute()
    try:
        _remove_old(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / MARK).write_text("`hanse devnet up` may empty this folder.\n", encoding="utf-8")
    except OSError as error:
        raise DevnetRunsError(
            f"{folder} cannot be used: {error.strerror}; name another with --folder"
        ) from error
    return folder


def _remove_old(folder: Path) -> None:
    found = sorted(folder.iterdir()) if folder.exists() else []
    if not found:
        return
    if not (folder / MARK).exists():
        raise DevnetRunsError(f"{folder} holds something else than a devnet; name another")
    strange = [path.name for path in found if not _OURS.fullmatch(path.name)]
    if strange:
        raise DevnetRunsError(
            f"{folder} holds {strange[0]!r}, which no devnet made; move it, or name another folder"
        )
    supervisor = Supervisor(folder)
    if any(map(supervisor.is_alive, supervisor.known())):
        raise DevnetRunsError(f"a devnet runs in {folder}; `hanse devnet down` ends it")
    for path in found:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
