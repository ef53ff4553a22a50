"""What the disk says: how much room it has, and why a commit failed."""

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

import lmdb

from node.storage.errors import CommitFailedError, DiskFullError

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ROOM_BYTES_MIN: Final = 1 << 20
"""LMDB reports a write that was cut short as an input/output error; with less room than this left
we call the disk full."""


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
