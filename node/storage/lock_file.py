"""Lock files: at most one process, and one opening in it, per folder."""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from node.storage.errors import StorageInUseError

LOCK_NAME: Final = "owner.lock"


class LockFile:
    """A lock that the kernel drops when the process ends, however it ends.

    The file stays: were it deleted, two processes could each lock a file of that name.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Lock the folder.

        Raises:
            StorageInUseError: it is locked already.
        """
        path = folder / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StorageInUseError(path=folder, holder=f"process {holder or '?'}") from error
        # For people who read it; the lock itself is the kernel's.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Unlock; once."""
        os.close(self._descriptor)
