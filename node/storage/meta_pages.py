"""The two meta pages of an LMDB file, read without LMDB: do they follow one upon the other?

Commit n writes meta page n mod 2, so the two always name commits n and n - 1. A flipped bit in the
number of the newer one makes LMDB open the older commit without a word: an acknowledged commit
would be gone. Source: LMDB 0.9 `mdb.c`, MDB_meta and mdb_env_pick_meta.
"""

import struct
from pathlib import Path
from typing import Final

from node.storage.errors import DamagedDatabaseError

DATA_NAME: Final = "data.mdb"
MAGIC: Final = 0xBEEFC0DE
FORMAT: Final = 1
HEADER: Final = struct.Struct("=II")
HEADER_OFFSET: Final = 16
COMMIT: Final = struct.Struct("=Q")
COMMIT_OFFSET: Final = 16 + 24 + 2 * 48 + 8
PAGE_SIZE_OFFSET: Final = 16 + 24
PAGE_SIZE: Final = struct.Struct("=I")
PAGE_BYTES_MAX: Final = 1 << 16


def check(folder: Path) -> None:
    """Check the meta pages of the environment in a folder; one that is not there is sound.

    Raises:
        DamagedDatabaseError: at least one of them is damaged.
    """
    path = folder / DATA_NAME
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        raw = file.read(2 * PAGE_BYTES_MAX)
    page_bytes = _page_bytes(raw, folder)
    commits = [_commit(raw, slot * page_bytes, folder) for slot in (0, 1)]
    newest = max(commits)
    # In a new file both pages stand for commit 0, which wrote nothing.
    if commits != [0, 0] and (min(commits) != newest - 1 or commits[newest % 2] != newest):
        reason = f"the meta pages name the commits {commits[0]} and {commits[1]}"
        raise DamagedDatabaseError(path=folder, reason=reason)


def _page_bytes(raw: bytes, folder: Path) -> int:
    if len(raw) >= PAGE_SIZE_OFFSET + PAGE_SIZE.size:
        (size,) = PAGE_SIZE.unpack_from(raw, PAGE_SIZE_OFFSET)
        if 512 <= size <= PAGE_BYTES_MAX and size & (size - 1) == 0:
            return int(size)
    raise DamagedDatabaseError(path=folder, reason="the first meta page is no meta page")


def _commit(raw: bytes, offset: int, folder: Path) -> int:
    if len(raw) < offset + COMMIT_OFFSET + COMMIT.size:
        raise DamagedDatabaseError(path=folder, reason="the file ends in its meta pages")
    magic, version = HEADER.unpack_from(raw, offset + HEADER_OFFSET)
    if magic != MAGIC or version != FORMAT:
        raise DamagedDatabaseError(path=folder, reason=f"no meta page at byte {offset}")
    return int(COMMIT.unpack_from(raw, offset + COMMIT_OFFSET)[0])
