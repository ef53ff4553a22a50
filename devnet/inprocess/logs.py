"""Logs that the stores of devnet nodes write: in memory, or in a file with checksums."""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from primitives.errors import StorageError

FRAME = struct.Struct(">II")
"""Stands before every record of a file: its length and its CRC-32."""

T = TypeVar("T")


class Inline:
    """Makes blocking calls where it stands; for stores that never wait for a disk."""

    async def call(self, work: Callable[[], T]) -> T:
        """Return what the call returns."""
        return work()


class Log(Protocol):
    """Records in the order they were appended, durable after `sync`."""

    def records(self) -> list[bytes]:
        """Return what was there when the log was opened."""
        ...

    def append(self, record: bytes) -> None:
        """Add a record at the end."""
        ...

    def sync(self) -> None:
        """Make every earlier record durable."""
        ...


class MemoryLog:
    """A log that ends with the process; a node may still restart on it within the process."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def records(self) -> list[bytes]:
        """Return all records."""
        return list(self._records)

    def append(self, record: bytes) -> None:
        """Add a record at the end."""
        self._records.append(record)

    def sync(self) -> None:
        """Return at once: this is as durable as it gets."""


class FileLog:
    """A log in a file. A record that was cut short by a crash is cut off when it is opened."""

    def __init__(self, file: BinaryIO, records: list[bytes]) -> None:
        self._file = file
        self._records = records

    @classmethod
    def open(cls, path: Path) -> "FileLog":
        """Open the log at a path, or begin it.

        Raises:
            StorageError: it cannot be read, or a record in it is damaged.
        """
        with _storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            raw = b"" if is_new else path.read_bytes()
            records = list(_unframe(raw, path))
            file = path.open("ab")
            file.truncate(sum(FRAME.size + len(record) for record in records))
            if is_new:
                _sync_folder(path.parent)
        return cls(file, records)

    def records(self) -> list[bytes]:
        """Return the records that were there when it was opened."""
        return self._records

    def append(self, record: bytes) -> None:
        """Add a record at the end."""
        with _storage_errors(self._file.name):
            self._file.write(FRAME.pack(len(record), zlib.crc32(record)) + record)

    def sync(self) -> None:
        """Write out what is buffered, and wait for the disk."""
        with _storage_errors(self._file.name):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _storage_errors(path: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error


def _unframe(raw: bytes, path: Path) -> Iterator[bytes]:
    """Yield whole records; the last one may be cut short, none may be damaged."""
    offset = 0
    while offset + FRAME.size <= len(raw):
        size, checksum = FRAME.unpack_from(raw, offset)
        offset += FRAME.size
        record = raw[offset : offset + size]
        offset += size
        if len(record) < size:
            return
        if zlib.crc32(record) != checksum:
            raise StorageError(f"{path}: the record that ends at byte {offset} is damaged")
        yield record


def _sync_folder(path: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
