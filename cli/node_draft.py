"""The folder of a new node: it is whole, or there is none, and then it can be made again.

Guards: whatever ends the command, a second one begins anew. Everything is written into a draft
folder first. Then the files get their names by links, `hanse.toml` last: a file that is one with
that of a draft was named by a run that broke off, and is taken back.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

DRAFT_NAME: Final = ".draft-of-node"
_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class NodeDraft:
    """A node that is being made.

    Args:
        home: the folder of the node.
        last: the file that makes a folder one of a node.
    """

    home: Path
    last: str

    @classmethod
    @contextmanager
    def open(cls, home: Path, *, last: str) -> Iterator[Self]:
        """Yield a draft; without `finish`, nothing stays of it.

        Raises:
            OSError: the disk takes no folder there.
        """
        draft = cls(home, last)
        home.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        draft._discard()
        draft.folder.mkdir(mode=_FOLDER_MODE)
        try:
            yield draft
        finally:
            draft._discard()

    @property
    def folder(self) -> Path:
        """Where the files are written."""
        return self.home / DRAFT_NAME

    def finish(self) -> None:
        """Give all files their names; it is a node when the last one has its own.

        Raises:
            OSError: a name is taken, or the disk takes no more.
        """
        for name in sorted(self._names(), key=lambda name: (name == Path(self.last), name)):
            target = self.home / name
            target.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            # A link never replaces a file, as a renaming would.
            os.link(self.folder / name, target)

    def _names(self) -> list[Path]:
        found = self.folder.rglob("*")
        return [path.relative_to(self.folder) for path in found if path.is_file()]

    def _discard(self) -> None:
        """Take back what was named, unless all was, and remove the draft."""
        if not self._is_named(Path(self.last)):
            for name in filter(self._is_named, self._names()):
                (self.home / name).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_named(self, name: Path) -> bool:
        try:
            return (self.home / name).samefile(self.folder / name)
        except OSError:
            return False
