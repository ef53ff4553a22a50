"""Read blobs after checking that they are what the job names; write them in one step.

A file that is not what its content id says is damage of this machine's disk, which fails the job.
A file that is, and holds no valid blob, is a stranger's doing, and a fact that all validators find.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from fl.jobs.bounds import StoredBlob
from fl.rules.update.blob import decode
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import Expectation
from fl.rules.update.layout import COORDINATES_MAX
from fl.rules.update.root import blob_root
from fl.rules.update.rows import Int32s
from fl.worker.errors import BlobFileError, BlobWriteError, WrongJobError
from primitives.cid import Cid

PART_SUFFIX: Final = ".part"
BLOB_SIZE_BYTES_MAX: Final = 5 * COORDINATES_MAX
"""No layout has a longer blob, and none of a task comes near it."""

ASIDE_BYTES_MIN: Final = 256 << 20
"""Vectors of fewer bytes stay in memory."""


def read_content(blob: StoredBlob, *, size_bytes_max: int) -> bytes:
    """Return the content of a blob.

    Raises:
        BlobFileError: the file is missing, too long, or not what its content id says.
    """
    try:
        with _opened(blob.path) as file:
            # Asked for more than there is, `read` would first take the memory of all it was asked.
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BlobFileError(f"{blob.path}: not a regular file: fetch the blob again")
            size_bytes = status.st_size
            if size_bytes > size_bytes_max:
                raise BlobFileError(
                    f"{blob.path}: {size_bytes} bytes, over the limit of {size_bytes_max}"
                )
            content = file.read(size_bytes)
    except OSError as error:
        raise BlobFileError(f"{blob.path}: {error.strerror}: fetch the blob again") from error
    except ValueError as error:
        raise BlobFileError(f"{blob.path!r} is no path: {error}") from error
    found = blob_root(content)
    if found.encode() != blob.cid:
        named = Cid.decode(blob.cid)
        raise BlobFileError(
            f"{blob.path}: the content is {found}, the job names {named}: fetch the blob again"
        )
    return content


def read_vector(blob: StoredBlob, *, expected: Expectation) -> Int32s:
    """Return the numbers of a blob; (layout.size,) int32.

    Raises:
        BlobFileError: the file is missing or is not what its content id says.
        MalformedBlobError: it holds no blob of the task.
    """
    content = read_content(blob, size_bytes_max=BLOB_SIZE_BYTES_MAX)
    return decode(content, expected=expected).vector


def read_accepted(blob: StoredBlob, *, expected: Expectation) -> Int32s:
    """Return the numbers of a blob that the chain accepted, so that a fault is one of the job.

    Raises:
        BlobFileError: the file is missing or is not what its content id says.
        WrongJobError: it holds no blob of the task.
    """
    try:
        return read_vector(blob, expected=expected)
    except MalformedBlobError as error:
        raise WrongJobError(f"{blob.path}: {error}") from error


@contextmanager
def vectors_aside(count: int, size: int, *, folder: Path) -> Iterator[NDArray[np.int32]]:
    """Provide room for so many vectors; (count, size) int32.

    Few bytes are in memory, more in a file that has no name, so that only what is worked on is in
    memory and nothing is left behind whatever happens.

    Raises:
        BlobWriteError: the disk is full, or the folder cannot be written to.
    """
    size_bytes = 4 * count * size
    if size_bytes <= ASIDE_BYTES_MIN:
        yield np.empty((count, size), dtype=np.int32)
        return
    with ExitStack() as stack:
        try:
            _make_folder(folder)
            file = stack.enter_context(TemporaryFile(dir=folder))
            # Now, for a page that finds no room on the disk later ends the process.
            os.posix_fallocate(file.fileno(), 0, size_bytes)
            vectors = np.memmap(file, dtype=np.int32, mode="r+", shape=(count, size))
        except OSError as error:
            text = f"{folder}: no room for {size_bytes} bytes of updates: {error.strerror}"
            raise BlobWriteError(text) from error
        yield vectors


def write_blob(content: bytes, *, folder: Path) -> StoredBlob:
    """Put a blob into a folder under its content id, and return its name.

    It is there as a whole, on the disk, when this returns, or not at all.

    Raises:
        BlobWriteError: the disk is full, or the folder cannot be written to.
    """
    cid = blob_root(content)
    place = folder / str(cid)
    try:
        _make_folder(folder)
        remove_leftovers(folder)
        with NamedTemporaryFile(dir=folder, prefix=".", suffix=PART_SUFFIX, delete=False) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(place)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        _sync_folder(folder)
    except OSError as error:
        raise BlobWriteError(f"{place}: cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise BlobWriteError(f"{str(folder)!r} is no path: {error}") from error
    return StoredBlob(str(place), cid.encode())


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files of writers that were killed.

    A writer locks its file before the first byte and the lock goes with its process, so a file
    that is not empty and not locked has no writer any more.
    """
    for path in folder.glob(f".*{PART_SUFFIX}"):
        try:
            with _opened(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_size > 0:
                    path.unlink()
        except OSError:
            # Another's, still in use, or gone already.
            continue


def _opened(path: str | Path) -> BinaryIO:
    """Open a file without waiting for whoever might write to it, if it is a pipe."""
    return open(path, "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _make_folder(folder: Path) -> None:
    """Make a folder and what leads to it, so that all of it survives a power cut."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    except FileNotFoundError:
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, as `fsync` of a file alone does not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
