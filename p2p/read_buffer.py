"""Hold what came of a stream and was not read yet, in about as much memory as it has bytes.

A peer chooses how its bytes are cut: bytes that came two by two would cost 28 times their size if
each piece was kept as it came, and a reader that takes a few at a time must not copy the rest again
and again.
"""

from collections import deque
from typing import Final

SCRAP_SIZE_BYTES: Final = 1_024
"""Pieces below this size are collected; Python needs about 60 bytes for any piece."""
COLLECTED_SIZE_BYTES: Final = 16 * 1024


class ReadBuffer:
    """Bytes in order; whoever fills it bounds it."""

    __slots__ = ("_chunks", "_taken_bytes")

    def __init__(self) -> None:
        self._chunks: deque[bytes | bytearray] = deque()
        # How much of the first chunk was taken before.
        self._taken_bytes = 0

    def __bool__(self) -> bool:
        """Tell whether there is something to read."""
        return bool(self._chunks)

    def put(self, chunk: bytes) -> None:
        """Add bytes behind all others."""
        chunks = self._chunks
        if not chunks or len(chunk) >= SCRAP_SIZE_BYTES:
            chunks.append(chunk)
            return
        last = chunks[-1]
        if isinstance(last, bytearray) and len(last) < COLLECTED_SIZE_BYTES:
            last += chunk
        else:
            chunks.append(bytearray(chunk))

    def put_back(self, raw: bytes) -> None:
        """Add bytes before all others."""
        if self._taken_bytes:
            self._chunks[0] = self._chunks[0][self._taken_bytes :]
            self._taken_bytes = 0
        self._chunks.appendleft(raw)

    def take(self, size_bytes_max: int) -> bytes:
        """Remove and return 1 to `size_bytes_max` bytes; there are some."""
        chunk = self._chunks[0]
        start = self._taken_bytes
        end = start + size_bytes_max
        if end < len(chunk):
            self._taken_bytes = end
            return bytes(chunk[start:end])
        self._chunks.popleft()
        self._taken_bytes = 0
        return bytes(chunk[start:]) if start else bytes(chunk)
