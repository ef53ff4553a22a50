r"""The log of nodes: an update only appends, nodes never change, parents know where children are.

    chunk number        41              42              43  ...
                   +-----------+   +-----------+   +-----------+
                   | node node |   | node node |   | node      |   <- the next update appends here
                   +-----------+   +-----------+   +-----------+
                     ^     ^----------------------------/
                     |            a child that did not change stays where it is

A random update of a large B+tree of values costs one scattered page per key (34 ms for 2,000 keys
among 10**6, measured, of which half is waiting for the disk); appended, the same nodes are a few
megabytes in sequence. So the nodes hold the values too. An old root stays readable for as long as
its chunks are kept, and `node.ledger.tree.cleaning` moves what is alive out of the oldest chunks.

An address is `chunk number << 16 | offset`. A reference is `entries << 56 | address`, where
`entries` counts those of a bucket and is 0 for a fork; the reference 0 is no node.

No record has a checksum, only a chunk as a whole: whoever reads a node knows the digest that its
parent holds for it, and who cleans a chunk reads all of it.
"""

from typing import Final, Protocol, TypeAlias

from node.ledger.tree.errors import DamagedNodeError

CHUNK_SIZE_BYTES: Final = 4 * 4096 - 16
"""Four pages of LMDB without their header; a record that is longer has a chunk for itself."""

CHUNK_HEAD_SIZE_BYTES: Final = 4
"""Storage keeps a checksum in front of a chunk; offsets count from there, which saves a copy."""

CHUNK_NUMBER_FIRST: Final = 1

ENTRIES_SHIFT: Final = 56

HEAD_SIZE_BYTES: Final = 8
"""Every record begins with its length (4), its kind (1), and three octets of its own."""

_CHUNK_SHIFT: Final = 16
_OFFSET_MASK: Final = 0xFFFF
_ADDRESS_MASK: Final = (1 << ENTRIES_SHIFT) - 1


Record: TypeAlias = bytes | bytearray
"""A record is not changed once it is in the log; while an update makes it, it is a bytearray."""


# What a record holds, as its fifth octet says. Plain integers: looking up a member of an enum takes
# half a microsecond in Python 3.11, and a commit reads thousands of records.
FORK_KIND: Final = 0
BUCKET_KIND: Final = 1
LONG_VALUE_KIND: Final = 2


class ChunkReader(Protocol):
    """Where chunks are kept."""

    def chunk(self, number: int) -> bytes | memoryview:
        """Return a chunk with its head; who reads it copies what is needed at once.

        Raises:
            StorageError: it is not there, or cannot be read.
        """
        ...


def entries_of(ref: int) -> int:
    """Return how many entries the bucket has, 0 if the reference is to a fork or to nothing."""
    return ref >> ENTRIES_SHIFT


def address_of(ref: int) -> int:
    """Return where the node stands."""
    return ref & _ADDRESS_MASK


def chunk_of(ref: int) -> int:
    """Return the number of the chunk that holds the node."""
    return (ref & _ADDRESS_MASK) >> _CHUNK_SHIFT


def record_at(chunk: bytes | memoryview, ref: int) -> bytes:
    """Return the record that a reference names in its chunk.

    Args:
        chunk: with its head.
        ref: to a node, or the address of a record.

    Raises:
        DamagedNodeError: no record fits there.
    """
    start = ref & _OFFSET_MASK
    end = start + int.from_bytes(chunk[start : start + 4], "big")
    if not start + HEAD_SIZE_BYTES <= end <= len(chunk):
        raise DamagedNodeError(where=f"{address_of(ref):#x}", reason="no record of that length")
    return bytes(chunk[start:end])


def spans_of(number: int, chunk: bytes) -> list[tuple[int, int, int]]:
    """Return address, beginning and end of every record in a chunk with its head.

    Raises:
        DamagedNodeError: the records do not fill the chunk.
    """
    spans: list[tuple[int, int, int]] = []
    start, size_bytes = CHUNK_HEAD_SIZE_BYTES, len(chunk)
    while start < size_bytes:
        end = start + int.from_bytes(chunk[start : start + 4], "big")
        address = number << _CHUNK_SHIFT | start
        if not start + HEAD_SIZE_BYTES <= end <= size_bytes:
            raise DamagedNodeError(where=f"{address:#x}", reason="no record of that length")
        spans.append((address, start, end))
        start = end
    return spans


class LogWriter:
    """Collects the records of one update; storage then writes its chunks."""

    __slots__ = ("_chunks", "_number", "_parts", "_size_bytes", "record_counts", "written_bytes")

    def __init__(self, *, next_chunk: int) -> None:
        self._number = next_chunk
        self._parts: list[Record] = []
        self._size_bytes = CHUNK_HEAD_SIZE_BYTES
        self._chunks: list[tuple[int, bytes]] = []
        self.record_counts: dict[int, int] = {}
        self.written_bytes = 0

    def append(self, record: Record) -> int:
        """Return the address that the record gets; do not change it afterwards.

        Args:
            record: complete with its head.
        """
        offset = self._size_bytes
        end = offset + len(record)
        if end > CHUNK_SIZE_BYTES and self._parts:
            self._close_chunk()
            offset = CHUNK_HEAD_SIZE_BYTES
            end = offset + len(record)
        self._parts.append(record)
        self._size_bytes = end
        return self._number << _CHUNK_SHIFT | offset

    def finish(self) -> list[tuple[int, bytes]]:
        """Return the chunks without their heads, with their numbers, in order."""
        if self._parts:
            self._close_chunk()
        return self._chunks

    @property
    def next_chunk(self) -> int:
        """Return the number that the next update begins with."""
        return self._number

    def _close_chunk(self) -> None:
        self._chunks.append((self._number, b"".join(self._parts)))
        self.record_counts[self._number] = len(self._parts)
        self.written_bytes += self._size_bytes - CHUNK_HEAD_SIZE_BYTES
        self._number += 1
        self._parts = []
        self._size_bytes = CHUNK_HEAD_SIZE_BYTES
