"""Give the mapped pages of databases back, so that a node's memory is bounded by its own work.

LMDB reads through a map of its file. Every page that was ever read stays in the resident set until
the kernel needs room, so the memory of a node would seem to grow with its history. Unmapped pages
stay in the cache of the kernel, which may now take them back cheaply; a later read maps them again.

Only Linux tells what is mapped; elsewhere nothing is done.
Source: madvise(2), MADV_DONTNEED: on a shared map of a file it drops the mapping, never content.
"""

import ctypes
import os
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from node.storage.meta_pages import DATA_NAME

MAP_CHANGES: Final = threading.Lock()
"""Held by whoever moves or closes a map of this process: where it was, the next allocation may lie,
and to give that back would zero it."""

_DONTNEED: Final = 4
_MAPS: Final = Path("/proc/self/maps")
_STATM: Final = Path("/proc/self/statm")
_SHARED: Final = 2
"""The place in `statm` of resident pages that a file or other processes have as well."""
_PATH: Final = 5


def mapped_bytes() -> int:
    """Return how much of the resident set is of mapped files, libraries included; 0: unknown."""
    try:
        words = _STATM.read_text().split()
    except OSError:
        return 0
    return int(words[_SHARED]) * os.sysconf("SC_PAGE_SIZE")


def release(folders: Collection[Path]) -> None:
    """Unmap the resident pages of the databases in these folders; their readers go on."""
    names = {str(folder.resolve() / DATA_NAME) for folder in folders}
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with MAP_CHANGES:
        for start, end in _mapped(names):
            # What it refuses stays resident, and nothing else comes of it.
            madvise(start, end - start, _DONTNEED)


def _mapped(names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield where these files are mapped."""
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split(maxsplit=_PATH)
        if len(words) > _PATH and words[_PATH] in names:
            start, end = (int(word, 16) for word in words[0].split("-"))
            yield start, end
