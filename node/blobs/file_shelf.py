"""Blobs as whole files, for workers, in one folder that does not grow without bound.

A file is a copy: the store can make it again. Names are content ids that this program wrote, and
nothing that a peer says ever becomes part of a path.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from primitives.cid import Cid
from primitives.errors import StorageError

FOLDER_MODE: Final = 0o700
PART_SUFFIX: Final = ".part"


class FileShelf:
    """The folder; files that were not asked for longest go first. For several threads."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, *, bytes_max: int) -> "FileShelf":
        """Take stock of the folder; what writers that were killed left behind goes.

        Raises:
            StorageError: the folder cannot be used.
        """
        shelf = cls(folder, bytes_max=bytes_max)
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            files = [path for path in folder.iterdir() if path.is_file()]
            for path in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
                if path.name.endswith(PART_SUFFIX):
                    path.unlink()
                else:
                    shelf._sizes[path.name] = path.stat().st_size
        except OSError as error:
            raise _failure(error, folder) from error
        return shelf

    @property
    def size_bytes(self) -> int:
        """Return how much the files take; never waits."""
        return sum(tuple(self._sizes.values()))

    def provide(self, cid: Cid, chunks: Iterable[bytes], *, size_bytes: int) -> Path:
        """Return the file of a blob; without one of the right size, write it, whole or not at all.

        Others go if there is no room.

        Raises:
            StorageError: it cannot be written.
        """
        with self._lock:
            found = self._find(cid, size_bytes=size_bytes)
            return found or self._write(cid, chunks, size_bytes=size_bytes)

    def drop(self, cid: Cid) -> None:
        """Remove the file of a blob; harmless if there is none.

        Raises:
            StorageError: it cannot be removed.
        """
        with self._lock:
            self._remove(self._folder / str(cid))

    def _find(self, cid: Cid, *, size_bytes: int) -> Path | None:
        name = str(cid)
        path = self._folder / name
        if name not in self._sizes:
            return None
        try:
            if path.stat().st_size != size_bytes:
                return None
        except OSError:
            return None
        self._sizes.move_to_end(name)
        return path

    def _write(self, cid: Cid, chunks: Iterable[bytes], *, size_bytes: int) -> Path:
        path = self._folder / str(cid)
        self._remove(path)
        try:
            self._make_room(size_bytes)
            with NamedTemporaryFile(
                dir=self._folder, suffix=PART_SUFFIX, prefix=".", delete=False
            ) as file:
                try:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    # Workers check what they read, so a file that a power cut tore costs a copy.
                    os.rename(file.name, path)  # noqa: PTH104 - of two paths in one folder
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise _failure(error, path) from error
        self._sizes[path.name] = size_bytes
        return path

    def _remove(self, path: Path) -> None:
        self._sizes.pop(path.name, None)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failure(error, path) from error

    def _make_room(self, size_bytes: int) -> None:
        while self._sizes and self.size_bytes + size_bytes > self._bytes_max:
            name, _ = self._sizes.popitem(last=False)
            (self._folder / name).unlink(missing_ok=True)


def _failure(error: OSError, path: Path) -> StorageError:
    return StorageError(f"{path}: {error.strerror}")
