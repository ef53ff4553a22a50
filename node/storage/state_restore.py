"""Putting a state together from the chunks of a snapshot, or from a genesis with many accounts.

Chunks come from peers that nobody trusts, in any order, and each is checked against the root before
anything of it is written. What has arrived, and what is missing, is durable with every chunk, so a
restart goes on where it was. The root is a function of the entries alone, so the tree that grows
chunk by chunk ends at the very root that the checkpoint certifies; only then is it the state.
"""

import enum
from collections.abc import Mapping
from typing import Final, Self

from node.ledger.tree.coverage import NOTHING, Coverage, Gap
from node.ledger.tree.snapshot import SnapshotChunk, verify_chunk
from node.ledger.tree.source import NodeSource
from node.ledger.tree.update import Updater
from node.storage.batch import WriteBatch
from node.storage.environment import Environment
from node.storage.state_errors import RestoreMismatchError, WrongHeightError
from node.storage.state_tables import (
    CHUNKS,
    COMMIT_RECORDS,
    NO_STATE,
    PROGRESS,
    PROGRESS_KEY,
    RECEIPT_COUNTS,
    VERSIONS,
    Progress,
    StateVersion,
)
from node.storage.state_view import NO_HEIGHT, StoredChunks, newest_version
from node.storage.transaction import Snapshot
from node.storage.writer import Writer
from primitives.ids import Digest, Height

ANY_ROOT: Final = Digest(bytes(32))
"""The target where the root is not known before, as for a genesis; no state has this root."""

DROPPED_CHUNKS_MAX: Final = 4_096


class Arrival(enum.Enum):
    """What became of a chunk that is right."""

    STORED = enum.auto()
    KNOWN = enum.auto()
    SCATTERED = enum.auto()
    """Not stored: there are many gaps already, so only a chunk that begins one is taken."""


class StateRestorer:
    """Builds a state in an environment that has none; `open` makes one."""

    def __init__(self, environment: Environment, writer: Writer, *, progress: Progress) -> None:
        self._environment = environment
        self._writer = writer
        self._progress = progress

    @classmethod
    def open(cls, environment: Environment, writer: Writer, *, target: Digest = ANY_ROOT) -> Self:
        """Begin to restore the state with a root, or go on with it; drop one of another root.

        Raises:
            WrongHeightError: the environment has a state already.
            StorageError: what is stored is not what was written.
        """
        with environment.snapshot() as snapshot:
            newest = newest_version(snapshot)
            progress = snapshot.get(PROGRESS, PROGRESS_KEY)
        if newest is not None:
            raise WrongHeightError(expected=NO_HEIGHT, actual=newest[0])
        if progress is None or progress.target != target:
            _drop_chunks(environment, writer)
            progress = Progress(target=target, coverage=NOTHING, state=NO_STATE)
        return cls(environment, writer, progress=progress)

    @property
    def target(self) -> Digest:
        """Return the root that the state will have."""
        return self._progress.target

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Return the ranges of places that are missing, in order."""
        return self._progress.coverage.gaps

    def accept(self, chunk: SnapshotChunk) -> Arrival:
        """Check a chunk from anybody and store it; it is durable on return.

        Raises:
            InvalidProofError: it is no part of the state; its sender is to blame.
            StorageError: nothing of it was written.
        """
        verify_chunk(self.target, chunk)
        if not self._progress.coverage.touches(chunk.low, chunk.high):
            return Arrival.KNOWN
        coverage = self._progress.coverage.fill(chunk.low, chunk.high)
        if coverage.is_scattered:
            return Arrival.SCATTERED
        self._add(dict(chunk.contents), coverage)
        return Arrival.STORED

    def load(self, contents: Mapping[bytes, bytes]) -> None:
        """Store entries that need no proof, as those of a genesis; durable on return.

        Batches of neighbouring places are several times faster than scattered ones.

        Raises:
            StorageError: nothing of it was written.
        """
        assert self.target == ANY_ROOT, "what is fetched from peers comes as chunks"
        self._add(contents, self._progress.coverage)

    def finish(self, height: Height, *, record: bytes) -> Digest:
        """Make what was restored the state at a height; return its root.

        Args:
            height: of the checkpoint that certifies the root.
            record: what the executor keeps of that commit.

        Raises:
            RestoreMismatchError: chunks are missing, or the root is another one.
            StorageError: nothing of it was written.
        """
        state = self._progress.state
        if self.target not in {ANY_ROOT, state.digest}:
            raise RestoreMismatchError(expected=self.target, actual=state.digest)
        batch = WriteBatch()
        batch.put(VERSIONS, height, state)
        batch.put(COMMIT_RECORDS, height, record)
        batch.put(RECEIPT_COUNTS, height, 0)
        batch.delete(PROGRESS, PROGRESS_KEY)
        self._writer.write(batch)
        return state.digest

    def _add(self, contents: Mapping[bytes, bytes], coverage: Coverage) -> None:
        before = self._progress.state
        with self._environment.snapshot() as snapshot:
            source = NodeSource(StoredChunks(snapshot), trunk={})
            updater = Updater(source, before.root, next_chunk=before.next_chunk)
            update = updater.apply(updater.prepare(contents))
        state = StateVersion(
            digest=update.root.digest,
            ref=update.root.ref,
            tail_chunk=before.tail_chunk,
            next_chunk=update.next_chunk,
            live_bytes=before.live_bytes + update.grown_bytes,
        )
        progress = Progress(target=self.target, coverage=coverage, state=state)
        batch = WriteBatch()
        for number, chunk in update.chunks:
            batch.put(CHUNKS, number, chunk)
        batch.put(PROGRESS, PROGRESS_KEY, progress)
        self._writer.write(batch)
        self._progress = progress


def _drop_chunks(environment: Environment, writer: Writer) -> None:
    """Delete what an earlier restore left, in transactions of bounded size."""
    while True:
        with environment.snapshot() as snapshot:
            numbers = _chunk_numbers(snapshot)
        if not numbers:
            return
        batch = WriteBatch()
        for number in numbers:
            batch.delete(CHUNKS, number)
        batch.delete(PROGRESS, PROGRESS_KEY)
        writer.write(batch)


def _chunk_numbers(snapshot: Snapshot) -> list[int]:
    numbers: list[int] = []
    for raw_key, _ in snapshot.scan_sealed(CHUNKS):
        numbers.append(int.from_bytes(raw_key, "big"))
        if len(numbers) == DROPPED_CHUNKS_MAX:
            break
    return numbers
