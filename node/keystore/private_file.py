"""Files that only their owner reads: written whole or not at all, and refused if others may look.

A check by path could be answered for another file than the one that is read then, so the checks
are made on the open file.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from node.keystore.errors import KeyExistsError, KeyFileError, KeyPermissionError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def read_private(path: Path, *, size_bytes_max: int) -> bytes:
    """Return the content of a file of mode 0600.

    Raises:
        KeyPermissionError: somebody else owns it, or may read or write it.
        KeyFileError: it is missing, no plain file, or longer than the limit.
    """
    try:
        # A pipe would keep a plain open waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise KeyFileError("there is no such file", path=path) from error
    except OSError as error:
        raise KeyFileError(f"cannot be read: {error.strerror}", path=path) from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
        _check(os.fstat(descriptor), path)
        raw = file.read(size_bytes_max + 1)
    if len(raw) > size_bytes_max:
        raise KeyFileError(f"longer than the {size_bytes_max} bytes of such a file", path=path)
    return raw


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600, durable when this returns; its folder is made if missing.

    Raises:
        KeyExistsError: there is one already.
        KeyFileError: the disk takes no file there.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"its folder cannot be made: {error.strerror}", path=path) from error
    try:
        _write(draft, content)
        # A link never replaces a file, as a renaming would.
        os.link(draft, path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise KeyExistsError(path=path) from error
    except OSError as error:
        raise KeyFileError(f"cannot be written: {error.strerror}", path=path) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError("not a plain file", path=path)
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise KeyPermissionError(
            f"is open to other users (mode {mode:04o}); run: chmod 600 {path}", path=path
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyPermissionError("belongs to another user", path=path)


def _write(draft: Path, content: bytes) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, as `fsync` of a file alone does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
