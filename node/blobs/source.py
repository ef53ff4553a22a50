"""Where the chunks of a blob that is put come from: memory, or a file of this machine."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from fl.rules.update.root import CHUNK_SIZE_BYTES, chunk_count
from node.blobs.errors import BadBlobError
from node.blobs.manifest import BLOB_SIZE_BYTES_MAX, Manifest, is_node
from primitives.errors import StorageError
from primitives.hashing import sha256


class Source(Protocol):
    """Content of a known size, chunk by chunk."""

    @property
    def size_bytes(self) -> int:
        """The size of the whole."""
        ...

    def leaf(self, index: int) -> bytes:
        """Return one chunk."""
        ...


class Memory:
    """Content in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    @property
    def size_bytes(self) -> int:
        """The size of the whole."""
        return len(self._content)

    def leaf(self, index: int) -> bytes:
        """Return one chunk."""
        start = index * CHUNK_SIZE_BYTES
        return bytes(self._content[start : start + CHUNK_SIZE_BYTES])


class OpenFile:
    """Content of an open file; its size is that when it was opened."""

    def __init__(self, descriptor: int, *, size_bytes: int) -> None:
        self._descriptor = descriptor
        self._size_bytes = size_bytes

    @property
    def size_bytes(self) -> int:
        """The size of the whole."""
        return self._size_bytes

    def leaf(self, index: int) -> bytes:
        """Return one chunk, shorter than it was if the file was cut since."""
        start = index * CHUNK_SIZE_BYTES
        size = min(CHUNK_SIZE_BYTES, self._size_bytes - start)
        return os.pread(self._descriptor, size, start)


@contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """Open a regular file for its content.

    Raises:
        StorageError: it cannot be read, or is no regular file.
    """
    try:
        # A pipe without a writer would make the opening wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StorageError(f"{path}: not a regular file")
        yield OpenFile(descriptor, size_bytes=status.st_size)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def manifest_of(source: Source) -> Manifest:
    """Return the manifest of content of our own.

    Raises:
        BadBlobError: it is longer than any blob, or has two readings.
    """
    size_bytes = source.size_bytes
    if size_bytes > BLOB_SIZE_BYTES_MAX:
        raise BadBlobError(f"{size_bytes} bytes, over the limit of {BLOB_SIZE_BYTES_MAX}")
    count = chunk_count(size_bytes)
    manifest = Manifest.of(
        [sha256(source.leaf(index)) for index in range(count)], size_bytes=size_bytes
    )
    if count == 1 and is_node(source.leaf(0)):
        raise BadBlobError(
            f"{manifest.cid}: the content could also be read as a node of a tree, so its id is "
            "ambiguous"
        )
    return manifest
