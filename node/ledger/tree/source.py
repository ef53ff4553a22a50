"""Reading nodes: from the log, or from what is kept of it in memory.

Guards: a node is what its parent says, since it is hashed when it is read. LMDB has no checksums,
so a flipped bit is found here. The trunk, the top of the newest tree, stays in memory: with it a
value is one chunk away in a state of up to about two million entries. A source may remember
buckets, too: what a commit reads to execute it reads again to update the tree, and what it writes
the next one often reads.
"""

from collections.abc import Mapping
from typing import Final

from node.ledger.tree.bucket import (
    Entry,
    LongValue,
    bucket_pairs,
    unpack_long_value,
    unpack_payload,
)
from node.ledger.tree.digests import bucket_digest, fork_digest, leaf_digest
from node.ledger.tree.errors import DamagedNodeError
from node.ledger.tree.fork import fork_message, fork_size_bytes
from node.ledger.tree.log import (
    BUCKET_KIND,
    FORK_KIND,
    ChunkReader,
    Record,
    address_of,
    chunk_of,
    record_at,
)
from node.ledger.tree.recent import Recent

TRUNK_DEPTH: Final = 4
"""Levels that are kept: 1 + 16 + 256 + 4,096 forks at most, 3 MB."""

BUCKET_MEMORY_BYTES_MAX: Final = 32 << 20
"""All buckets of a tree with 10**5 accounts, a fifth of those with 10**6."""

Trunk = Mapping[int, Record]
"""Forks by reference. No address is used twice, so a fork in here is right for any root."""

BucketMemory = Recent[int, Record]
"""Buckets that were found right, or made here, by reference; right for any root, too."""

_BUCKET_EXTRA_BYTES: Final = 192


def bucket_memory(*, bytes_max: int = BUCKET_MEMORY_BYTES_MAX) -> BucketMemory:
    """Return a memory with nothing in it."""
    return Recent(bytes_max=bytes_max, extra_bytes=_BUCKET_EXTRA_BYTES)


class NodeSource:
    """Reads nodes.

    Args:
        chunks: where the log is.
        trunk: forks that need not be read; any may be missing.
        memory: where to remember buckets; none are by default.
    """

    __slots__ = ("_chunks", "_memory", "_trunk")

    def __init__(
        self, chunks: ChunkReader, *, trunk: Trunk, memory: BucketMemory | None = None
    ) -> None:
        self._chunks = chunks
        self._trunk = trunk
        self._memory = bucket_memory(bytes_max=0) if memory is None else memory

    def fork(self, digest: Record, ref: int) -> Record:
        """Return the record of a fork.

        Raises:
            StorageError: it is missing or damaged.
        """
        known = self._trunk.get(ref)
        if known is not None:
            return known
        record = record_at(self._chunks.chunk(chunk_of(ref)), ref)
        if record[4] != FORK_KIND or len(record) != fork_size_bytes(record):
            raise DamagedNodeError(where=f"{address_of(ref):#x}", reason="not a fork")
        if fork_digest(fork_message(record)) != digest:
            raise DamagedNodeError(where=f"{address_of(ref):#x}", reason="another fork")
        return record

    def bucket(self, digest: Record, ref: int) -> Record:
        """Return the record of a bucket; its payloads are not checked yet.

        Raises:
            StorageError: it is missing or damaged.
        """
        record = self._memory.get(ref)
        if record is None:
            record = self._read_bucket(digest, ref)
            self._memory.put(ref, record)
        return record

    def last_bucket(self, digest: Record, ref: int) -> Record:
        """Return what `bucket` does, for an update that replaces it; it is remembered no longer.

        Raises:
            StorageError: it is missing or damaged.
        """
        record = self._memory.take(ref)
        return self._read_bucket(digest, ref) if record is None else record

    def _read_bucket(self, digest: Record, ref: int) -> bytes:
        record = record_at(self._chunks.chunk(chunk_of(ref)), ref)
        if record[4] != BUCKET_KIND:
            raise DamagedNodeError(where=f"{address_of(ref):#x}", reason="not a bucket")
        if bucket_digest(bucket_pairs(record)) != digest:
            raise DamagedNodeError(where=f"{address_of(ref):#x}", reason="another bucket")
        return record

    def content(self, entry: Entry) -> tuple[bytes, bytes]:
        """Return key and value of an entry; the value has the digest that the bucket gives it.

        Raises:
            StorageError: the value is missing or damaged.
        """
        place, leaf, payload = entry
        key, found = unpack_payload(payload, place=place)
        value = self._long_value(found) if isinstance(found, LongValue) else found
        if leaf_digest(place, value) != leaf:
            raise DamagedNodeError(where=place.hex(), reason="not the value of its digest")
        return key, value

    def _long_value(self, value: LongValue) -> bytes:
        record = record_at(self._chunks.chunk(chunk_of(value.address)), value.address)
        return unpack_long_value(record)[1]
