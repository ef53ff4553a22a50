"""What the disk says: how much room it has, whether a commit may use it, why one failed."""

import errno
import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lmdb

from node.storage.errors import CommitFailedError, DiskFullError, DiskReserveError

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ROOM_BYTES_MIN: Final = 1 << 20
"""LMDB reports a write that was cut short as an input/output error; with less room than this left
we call the disk full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """What commits leave free on a disk: this part of it, but no more than so many bytes.

    A disk that is full to the last byte leaves no room for the logs that say why, nor for whatever
    the operator needs to make room; and other programs on it fail too.
    """

    percent: int = 5
    bytes_max: int = 1 << 30


DEFAULT_RESERVE: Final = Reserve()


def check_reserve(path: Path, reserve: Reserve) -> None:
    """Check that the disk of a folder has more room than the reserve; one system call.

    Raises:
        DiskReserveError: it has not.
    """
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    kept = min(reserve.bytes_max, status.f_blocks * status.f_frsize * reserve.percent // 100)
    if free < kept:
        raise DiskReserveError(path=path, free_bytes=free, reserve_bytes=kept)


def free_bytes(path: Path) -> int:
    """Return how many bytes the files in a folder may still grow, by disk and by process limit."""
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY:
        largest = max((file.stat().st_size for file in path.iterdir()), default=0)
        free = min(free, max(0, limit - largest))
    return free


def disk_failure(error: lmdb.Error | OSError, *, path: Path) -> DiskFullError | CommitFailedError:
    """Return our error for a write that failed in a folder."""
    number = error.errno if isinstance(error, OSError) else getattr(error, "code", None)
    free = -1
    # A broken disk need not answer this either, and the first failure is the one to report.
    with suppress(OSError):
        free = free_bytes(path)
    if number in NO_ROOM or (isinstance(error, lmdb.DiskError)) or 0 <= free < ROOM_BYTES_MIN:
        return DiskFullError(path=path, free_bytes=free, reason=str(error))
    return CommitFailedError(path=path, reason=str(error))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; syncing a file does not do that for a new one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
