"""Views: the state as it was after one commit; reads, proofs and chunks of snapshots.

A view keeps its chunks readable for as long as it is open, even if they are pruned meanwhile, and
keeps LMDB from using freed pages again. So close it soon.
"""

from typing import Final, Self

from node.ledger.tree.bucket import KEY_SIZE_BYTES_MAX
from node.ledger.tree.lookup import value_of
from node.ledger.tree.proof import KeyProof
from node.ledger.tree.prove import prove_key
from node.ledger.tree.recent import Recent
from node.ledger.tree.snapshot import SnapshotChunk, cut_chunk
from node.ledger.tree.source import BucketMemory, NodeSource, Trunk
from node.ledger.tree.update import Root
from node.storage.errors import DamagedDatabaseError
from node.storage.history import receipt_at, receipts_at, record_at
from node.storage.state_errors import StatePrunedError
from node.storage.state_tables import CHUNKS, INT64_MAX, VERSIONS, StateVersion
from node.storage.transaction import Snapshot
from primitives.ids import Digest, Height

NO_HEIGHT: Final = Height(-1)
"""The height of a state that nothing was ever committed to."""


VALUE_MEMORY_BYTES_MAX: Final = 32 << 20
"""Some 40,000 accounts; they take a third of it, since their keys are not of the longest."""

ValueMemory = Recent[bytes, bytes]
"""Values of one state by key."""

_VALUE_EXTRA_BYTES: Final = 192 + KEY_SIZE_BYTES_MAX


def value_memory(*, bytes_max: int = VALUE_MEMORY_BYTES_MAX) -> ValueMemory:
    """Return a memory with nothing in it."""
    return Recent(bytes_max=bytes_max, extra_bytes=_VALUE_EXTRA_BYTES)


class StoredChunks:
    """The log of nodes in a snapshot of LMDB: a `ChunkReader`."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def chunk(self, number: int) -> bytes | memoryview:
        """Return a chunk with its head; its checksum is not checked.

        Every node in it has a digest, and one who wants a node need not read the others.

        Raises:
            StorageError: it is not there.
        """
        sealed = self._snapshot.in_place(CHUNKS, number.to_bytes(8, "big"))
        if sealed is None:
            raise self._missing(number)
        return sealed

    def sound_chunk(self, number: int) -> bytes:
        """Return a chunk with its head once its checksum is right.

        Raises:
            StorageError: it is not there, or not what was written.
        """
        sealed = bytes(self.chunk(number))
        CHUNKS.unseal(number.to_bytes(8, "big"), sealed, path=self._snapshot.path)
        return sealed

    def _missing(self, number: int) -> DamagedDatabaseError:
        reason = f"chunk {number} of the state is missing"
        return DamagedDatabaseError(path=self._snapshot.path, reason=reason)


class StateView:
    """The state after one commit: a `StateReader`. Belongs to one thread at a time."""

    __slots__ = ("_snapshot", "_source", "_values", "height", "version")

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        height: Height,
        version: StateVersion,
        trunk: Trunk,
        buckets: BucketMemory | None = None,
        values: ValueMemory | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._source = NodeSource(StoredChunks(snapshot), trunk=trunk, memory=buckets)
        self._values = value_memory(bytes_max=0) if values is None else values
        self.height = height
        self.version = version

    @property
    def root(self) -> Digest:
        """Return the state root."""
        return self.version.digest

    def get(self, key: bytes) -> bytes | None:
        """Return the value of the key, None if there is none.

        Raises:
            StorageError: what is stored is not what was written.
        """
        value = self._values.get(key)
        if value is None:
            value = value_of(self._source, self._tree, key)
            if value is not None:
                self._values.put(key, value)
        return value

    def prove(self, key: bytes) -> KeyProof:
        """Return the proof of what the key has: its value, or none.

        Raises:
            StorageError: what is stored is not what was written.
        """
        return prove_key(self._source, self._tree, key)

    def cut_chunk(self, low: bytes) -> SnapshotChunk:
        """Return the chunk of the snapshot that begins at a place.

        Raises:
            StorageError: what is stored is not what was written.
        """
        return cut_chunk(self._source, self._tree, low=low)

    def commit_record(self) -> bytes | None:
        """Return what the executor kept of the commit; None if that was pruned."""
        return record_at(self._snapshot, self.height)

    def receipts(self) -> tuple[bytes, ...] | None:
        """Return the receipts of the commit, in order; None if they were pruned."""
        return receipts_at(self._snapshot, self.height)

    def receipt(self, index: int) -> bytes | None:
        """Return one receipt of the commit; None if it was pruned or there is no such receipt."""
        return receipt_at(self._snapshot, self.height, index)

    def close(self) -> None:
        """End it; harmless if it has ended."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _tree(self) -> Root:
        return self.version.root


def newest_version(snapshot: Snapshot) -> tuple[Height, StateVersion] | None:
    """Return the last version, None if there is none."""
    for height, version in snapshot.scan_back(VERSIONS, first=0, last=INT64_MAX):
        return Height(height), version
    return None


def version_at(snapshot: Snapshot, height: Height) -> StateVersion:
    """Return the version at a height.

    Raises:
        StatePrunedError: it is kept no longer, or is not there yet.
    """
    version = snapshot.get(VERSIONS, height) if height >= 0 else None
    if version is None:
        oldest = next((Height(kept) for kept, _ in snapshot.scan(VERSIONS)), NO_HEIGHT)
        raise StatePrunedError(height=height, oldest=oldest)
    return version
