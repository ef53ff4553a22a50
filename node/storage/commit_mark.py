"""The mark beside a database: the number of the last commit that was acknowledged.

One flipped bit in a meta page makes LMDB open the commit before the last without a word, and so
does a data file from an older copy. The mark is written after each commit and not synced: a killed
process leaves it as it was, and a power cut may leave an older one, which proves nothing. One that
is newer than the database proves that acknowledged commits are gone.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import Final, Self

from node.storage.errors import DamagedDatabaseError

MARK_NAME: Final = "last-commit"
NUMBER: Final = struct.Struct(">Q")
CHECKSUM: Final = struct.Struct(">I")


class CommitMark:
    """The mark of an environment that this process may write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the mark, or begin it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        return cls(os.open(folder / MARK_NAME, flags, 0o600))

    def move(self, commit: int) -> None:
        """Note that a commit was made."""
        number = NUMBER.pack(commit)
        os.pwrite(self._descriptor, number + CHECKSUM.pack(zlib.crc32(number)), 0)

    def close(self) -> None:
        """Close the file; once."""
        os.close(self._descriptor)


def marked_commit(folder: Path) -> int:
    """Return the commit that the mark names; 0 if it names none, as after a power cut."""
    try:
        raw = (folder / MARK_NAME).read_bytes()
    except FileNotFoundError:
        return 0
    number, checksum = raw[: NUMBER.size], raw[NUMBER.size :]
    if checksum != CHECKSUM.pack(zlib.crc32(number)) or len(number) < NUMBER.size:
        return 0
    return int(NUMBER.unpack(number)[0])


def check_mark(marked: int, *, found: int, folder: Path) -> None:
    """Refuse a database whose last commit is older than the mark.

    Raises:
        DamagedDatabaseError: acknowledged commits are gone.
    """
    if marked > found:
        reason = f"commit {marked} was acknowledged and the last one is {found}"
        raise DamagedDatabaseError(path=folder, reason=reason)
