"""The files of the page, read once: named by what the whole folder holds, compressed beforehand.

Guards: what is served is what was read when the node started, so no path of a request ever reaches
the disk. A name in a tree stands for the same bytes for ever, and browsers may keep them.
"""

import functools
import gzip
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from primitives.hashing import sha256

STATIC: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
PLACEHOLDER: Final = b"{tree}"
"""Stands in the index, and only there, where the name of the tree belongs."""

FILES_MAX: Final = 256
FILE_BYTES_MAX: Final = 1 << 20
TREE_LETTERS: Final = 16
GZIP_BYTES_MIN: Final = 512
"""Smaller files gain nothing."""

KINDS: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file as it is sent.

    Args:
        kind: its media type.
        etag: names the bytes, without quotes.
        packed: the same with gzip, None where that saves nothing.
    """

    kind: str
    etag: str
    plain: bytes
    packed: bytes | None


@dataclass(frozen=True, slots=True)
class Folder:
    """The page and what it refers to.

    Args:
        tree: names all of it together.
        index: the page itself.
        files: all others, by their path in the folder.
    """

    tree: str
    index: Page
    files: Mapping[str, Page]


def read_folder(place: Path) -> Folder:
    """Return what a folder holds, one level deep.

    Raises:
        OSError: it cannot be read, or has no index.
    """
    found = {path: (place / path).read_bytes() for path in _paths(place)}
    tree = tree_of(found.items())
    index = found.pop(INDEX).replace(PLACEHOLDER, tree.encode("ascii"))
    files = {path: _page(path, raw) for path, raw in found.items()}
    return Folder(tree, _page(INDEX, index), files)


@functools.cache
def shipped_folder() -> Folder:
    """Return the page that comes with this program, read at the first call."""
    return read_folder(STATIC)


def tree_of(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the name of a whole folder: any other name, place or content gives another one."""
    listed = b"".join(path.encode("ascii") + b"\0" + sha256(raw) for path, raw in sorted(files))
    return sha256(listed).hex()[:TREE_LETTERS]


def _paths(place: Path) -> list[str]:
    paths = sorted(
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        # A link could lead out of the folder, and editors leave files with odd names beside theirs.
        if path.is_file() and not path.is_symlink() and path.suffix in KINDS
    )
    chosen = [path for path in paths if _NAME.fullmatch(path)]
    if INDEX not in chosen:
        raise FileNotFoundError(f"{place} has no {INDEX}")
    assert len(chosen) <= FILES_MAX, "the folder is part of the program"
    return chosen


def _page(path: str, raw: bytes) -> Page:
    assert len(raw) <= FILE_BYTES_MAX, "the folder is part of the program"
    packed = gzip.compress(raw, 9, mtime=0) if len(raw) >= GZIP_BYTES_MIN else None
    return Page(
        kind=KINDS[Path(path).suffix],
        etag=sha256(raw).hex()[:32],
        plain=raw,
        packed=packed if packed is not None and len(packed) < len(raw) else None,
    )
