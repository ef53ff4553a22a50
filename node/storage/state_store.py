"""The state in LMDB: every commit is one transaction and one new version; old ones stay a while.

Guards: whatever belongs to a commit (nodes, values, receipts, the executor's record, the new root,
what falls out of the kept versions) becomes durable together, so a database that is opened again is
at a commit boundary. Work besides the commit itself (cleaning, pruning) is bounded per commit.

One thread at a time commits; views may be open in others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Self

from node.ledger.tree.cleaning import Cleaner, chunks_to_clean
from node.ledger.tree.fork import unpack_fork
from node.ledger.tree.log import Record, entries_of
from node.ledger.tree.occupancy import Occupancy
from node.ledger.tree.source import TRUNK_DEPTH, NodeSource, bucket_memory
from node.ledger.tree.update import NO_NODE, Node, TreeUpdate, Updater
from node.storage.batch import WriteBatch
from node.storage.environment import Environment
from node.storage.history import prune_history, put_history
from node.storage.state_errors import HoldLimitError, StatePrunedError, WrongHeightError
from node.storage.state_tables import (
    CHUNKS,
    NO_STATE,
    VERSIONS,
    StateVersion,
)
from node.storage.state_view import (
    NO_HEIGHT,
    StateView,
    StoredChunks,
    newest_version,
    value_memory,
    version_at,
)
from node.storage.transaction import Snapshot
from node.storage.writer import Writer
from primitives.ids import Digest, Height

HOLDS_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLimits:
    """How much of the past is kept, and how much of it one commit takes away.

    Args:
        kept_versions: stay readable, at least 1.
        slack_chunks: a log that is no longer than this is not cleaned.
        cleaned_chunks_min: that a commit may clean; one that appends more may clean more.
        pruned_versions_max: that a commit deletes.
        pruned_chunks_max: that a commit deletes.
        kept_history: how many commits keep their record and receipts, at least 1; None for all.
        pruned_records_max: that a commit deletes.
        pruned_pages_max: of receipts, that a commit deletes; more than one adds, or they pile up.
    """

    kept_versions: int = 128
    slack_chunks: int = 1_024
    cleaned_chunks_min: int = 64
    pruned_versions_max: int = 16
    pruned_chunks_max: int = 4_096
    kept_history: int | None = None
    pruned_records_max: int = 16
    pruned_pages_max: int = 8_192


DEFAULT_LIMITS: Final = StateLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCommit:
    """A commit that is computed and not written yet."""

    height: Height
    version: StateVersion
    changes: Mapping[bytes, bytes | None]
    update: TreeUpdate
    batch: WriteBatch
    oldest_height: Height
    first_chunk: int

    @property
    def root(self) -> Digest:
        """Return the state root after the commit."""
        return self.version.digest


class StateStore:
    """The versions of the state in one environment; `open` makes one."""

    def __init__(
        self,
        environment: Environment,
        writer: Writer,
        *,
        height: Height,
        version: StateVersion,
        limits: StateLimits,
    ) -> None:
        self._environment = environment
        self._writer = writer
        self._height = height
        self._version = version
        self._limits = limits
        self._appended_chunks = 0
        self._oldest_height = Height(max(height, 0))
        self._first_chunk = version.tail_chunk
        self._holding = Lock()
        self._held: list[Height] = []
        # A commit that is prepared deletes them, whether it is written yet or not.
        self._doomed_below = Height(0)
        self._trunk: dict[int, Record] = {}
        self._buckets = bucket_memory()
        self._values = value_memory()
        self._occupancy = Occupancy(known_from=version.next_chunk)

    @classmethod
    def open(
        cls,
        environment: Environment,
        writer: Writer,
        *,
        limits: StateLimits = DEFAULT_LIMITS,
    ) -> Self:
        """Open the state at its last commit.

        Args:
            environment: its schema lists `STATE_TABLES`.
            writer: of the environment.
            limits: how much of the past is kept.

        Raises:
            StorageError: what is stored is not what was written.
        """
        with environment.snapshot() as snapshot:
            height, version = newest_version(snapshot) or (NO_HEIGHT, NO_STATE)
            store = cls(environment, writer, height=height, version=version, limits=limits)
            store._find_oldest(snapshot)
            store._fill_trunk(snapshot)
        return store

    @property
    def height(self) -> Height:
        """Return the height of the last commit, -1 if there is none."""
        return self._height

    @property
    def root(self) -> Digest:
        """Return the state root after the last commit."""
        return self._version.digest

    @property
    def version(self) -> StateVersion:
        """Return what is stored about the last commit."""
        return self._version

    def view(self, height: Height | None = None) -> StateView:
        """Return the state after the commit at a height, the last by default; close it soon.

        Raises:
            StatePrunedError: it is kept no longer, or is not there yet.
            StorageError: the environment cannot be read.
        """
        snapshot = self._environment.snapshot()
        try:
            if height is None:
                at, version = newest_version(snapshot) or (NO_HEIGHT, NO_STATE)
            else:
                at, version = height, version_at(snapshot, height)
        except BaseException:
            snapshot.close()
            raise
        return StateView(snapshot, height=at, version=version, trunk=self._trunk)

    def view_to_execute(self) -> StateView:
        """Return the newest state to execute the next commit on.

        What it reads is remembered, and so is what commits write, so that the next one need not
        read it again. For the thread that commits.

        Raises:
            StorageError: the environment cannot be read.
        """
        return StateView(
            self._environment.snapshot(),
            height=self._height,
            version=self._version,
            trunk=self._trunk,
            buckets=self._buckets,
            values=self._values,
        )

    def hold(self, height: Height) -> None:
        """Keep a version, and those after it, until it is released; for who fetches a snapshot.

        Raises:
            StatePrunedError: it is kept no longer, or is not there yet.
            HoldLimitError: as many are held as may be.
        """
        with self._holding:
            if len(self._held) >= HOLDS_MAX:
                raise HoldLimitError(limit=HOLDS_MAX)
            if height < self._doomed_below:
                raise StatePrunedError(height=height, oldest=self._doomed_below)
            self._held.append(height)
        try:
            with self._environment.snapshot() as snapshot:
                version_at(snapshot, height)
        except BaseException:
            self.release(height)
            raise

    def release(self, height: Height) -> None:
        """End one hold."""
        with self._holding:
            self._held.remove(height)

    def commit(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        *,
        receipts: Sequence[bytes],
        record: bytes,
    ) -> Digest:
        """Make a commit durable; return the state root after it.

        Args:
            height: the next one.
            changes: by key; None deletes.
            receipts: of the commit, encoded, in order.
            record: what the executor keeps of the commit.

        Raises:
            WrongHeightError: it is not the next one.
            StorageError: nothing of it was written.
        """
        prepared = self.prepare(height, changes, receipts=receipts, record=record)
        self._writer.write(prepared.batch)
        self.adopt(prepared)
        return prepared.root

    def prepare(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        *,
        receipts: Sequence[bytes],
        record: bytes,
    ) -> PreparedCommit:
        """Compute a commit, as `commit` does; write its batch, then `adopt` it.

        Raises:
            WrongHeightError: it is not the next one.
            StorageError: what is stored is not what was written.
        """
        if height != self._height + 1:
            raise WrongHeightError(expected=self._height + 1, actual=height)
        with self._environment.snapshot() as snapshot:
            tail, update = self._update(snapshot, changes)
            batch = WriteBatch()
            oldest, first_chunk = self._prune(snapshot, batch, height)
            self._prune_history(snapshot, batch, height)
        version = StateVersion(
            digest=update.root.digest,
            ref=update.root.ref,
            tail_chunk=tail,
            next_chunk=update.next_chunk,
            # A damaged length may have been counted; the bound of the type must hold anyway.
            live_bytes=max(0, self._version.live_bytes + update.grown_bytes),
        )
        for number, chunk in update.chunks:
            batch.put(CHUNKS, number, chunk)
        batch.put(VERSIONS, height, version)
        put_history(batch, height, record=record, receipts=receipts)
        return PreparedCommit(
            height=height,
            version=version,
            changes=changes,
            update=update,
            batch=batch,
            oldest_height=oldest,
            first_chunk=first_chunk,
        )

    def adopt(self, prepared: PreparedCommit) -> None:
        """Go on from a commit that is durable now."""
        assert prepared.height == self._height + 1, "commits are adopted in order"
        update = prepared.update
        self._remember(prepared.changes, update)
        for number, record_count in update.record_counts.items():
            self._occupancy.add(number, record_count)
        self._occupancy.bury(update.buried)
        self._occupancy.forget(range(self._version.tail_chunk, prepared.version.tail_chunk))
        self._appended_chunks = len(update.chunks)
        self._height, self._version = prepared.height, prepared.version
        self._oldest_height, self._first_chunk = prepared.oldest_height, prepared.first_chunk

    def _remember(self, changes: Mapping[bytes, bytes | None], update: TreeUpdate) -> None:
        """Keep the newest nodes and values at hand instead of those before them."""
        for ref in update.trunk_removed:
            self._trunk.pop(ref, None)
        self._trunk.update(update.trunk_added)
        self._buckets.put_all(update.buckets_added)
        # A view that is still open must not find what it does not know yet.
        self._values = self._values.hand_over()
        for key, value in changes.items():
            if value is None:
                self._values.take(key)
        self._values.put_all({key: value for key, value in changes.items() if value is not None})

    def _update(
        self, snapshot: Snapshot, changes: Mapping[bytes, bytes | None]
    ) -> tuple[int, TreeUpdate]:
        """Return the new tail of the log and the new tree."""
        chunks, before = StoredChunks(snapshot), self._version
        source = NodeSource(chunks, trunk=self._trunk, memory=self._buckets)
        updater = Updater(source, before.root, next_chunk=before.next_chunk)
        entries = updater.prepare(changes)
        tail = before.tail_chunk + chunks_to_clean(
            log_chunks=before.next_chunk - before.tail_chunk,
            live_bytes=before.live_bytes,
            slack_chunks=self._limits.slack_chunks,
            chunks_max=self._limits.cleaned_chunks_min + 2 * self._appended_chunks,
        )
        if tail > before.tail_chunk:
            changed = {place for place, _, _ in entries}
            cleaner = Cleaner(source, before.root, trunk=self._trunk, changed=changed)
            for number in range(before.tail_chunk, tail):
                if not self._occupancy.is_dead(number):
                    cleaner.clean(number, chunks.sound_chunk(number), updater)
            entries.extend(cleaner.entries())
        return tail, updater.apply(entries)

    def _prune(self, snapshot: Snapshot, batch: WriteBatch, height: Height) -> tuple[Height, int]:
        """Delete versions that are kept no longer, and the chunks that only they need."""
        oldest = self._oldest_height
        with self._holding:
            kept_from = min([height - self._limits.kept_versions + 1, *self._held])
            while oldest < kept_from and len(batch) < self._limits.pruned_versions_max:
                batch.delete(VERSIONS, oldest)
                oldest = Height(oldest + 1)
            self._doomed_below = oldest
        kept = self._version if oldest > self._height else version_at(snapshot, oldest)
        end = min(kept.tail_chunk, self._first_chunk + self._limits.pruned_chunks_max)
        for number in range(self._first_chunk, end):
            batch.delete(CHUNKS, number)
        return oldest, max(end, self._first_chunk)

    def _prune_history(self, snapshot: Snapshot, batch: WriteBatch, height: Height) -> None:
        if self._limits.kept_history is not None:
            prune_history(
                snapshot,
                batch,
                kept_from=height - self._limits.kept_history + 1,
                records_max=self._limits.pruned_records_max,
                pages_max=self._limits.pruned_pages_max,
            )

    def _find_oldest(self, snapshot: Snapshot) -> None:
        for height, _ in snapshot.scan(VERSIONS):
            self._oldest_height = Height(height)
            break
        for number, _ in snapshot.scan(CHUNKS):
            self._first_chunk = number
            break

    def _fill_trunk(self, snapshot: Snapshot) -> None:
        source = NodeSource(StoredChunks(snapshot), trunk={})
        root = self._version.root
        waiting: list[tuple[Node, int]] = [(root if root.ref else NO_NODE, 0)]
        while waiting:
            (digest, ref), depth = waiting.pop()
            if ref and not entries_of(ref):
                self._trunk[ref] = record = source.fork(digest, ref)
                if depth + 1 < TRUNK_DEPTH:
                    waiting.extend(
                        ((child[1], child[2]), depth + 1) for child in unpack_fork(record)
                    )
