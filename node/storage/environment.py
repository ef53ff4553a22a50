"""Environments: one LMDB database in a folder, for one chain and one node, in one process.

Guards:
- Every commit is durable when it returns: `sync` and `metasync` are on and `writemap` is off. With
  metasync off 46 % of simulated power cuts lost an acknowledged commit; with writemap a full disk
  is a SIGBUS.
- One process: a lock file refuses every second opening, and a fork may not use what it inherits.
- The first failed commit is the last: after a failed fsync a later one may succeed although pages
  are lost, so from then on nothing is written or read any more.
- The map grows only while no transaction is open in this process.
- A commit that would begin on a nearly full disk is refused, and leaves nothing behind.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import lmdb

from node.storage import meta_pages
from node.storage.batch import WriteBatch
from node.storage.commit_mark import CommitMark, check_mark, marked_commit
from node.storage.disk import (
    DEFAULT_RESERVE,
    NO_ROOM,
    Reserve,
    check_reserve,
    disk_failure,
    sync_folder,
)
from node.storage.errors import (
    DatabaseFullError,
    DiskFullError,
    SnapshotLimitError,
    StorageClosedError,
    WriterStoppedError,
)
from node.storage.gate import Gate
from node.storage.lock_file import LockFile
from node.storage.migration import bring_up_to_date
from node.storage.residence import MAP_CHANGES
from node.storage.schema import Schema
from node.storage.stamp import STAMP_KEY, STAMPS, Identity, Stamp
from node.storage.transaction import Handles, Snapshot, damaged
from primitives.errors import StorageError
from primitives.ids import TimestampMs

GROW_AT_PERCENT: Final = 80
TABLES_MAX: Final = 64
SNAPSHOTS_MAX: Final = 256
SNAPSHOTS_SPARE: Final = 8
EARLY_GROWTH_STEP_PERCENT: Final = 4
"""How much fuller the map gets before growth that open snapshots prevented is waited for again."""

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLimits:
    """How large the map is at first and how large it may become; address space, not disk.

    Args:
        wait_seconds: how long a full map waits for open snapshots to end.
        early_wait_seconds: how long one does that is nearly full.
        reserve: what commits leave free on the disk.
    """

    bytes_first: int = 1 << 28
    bytes_max: int = 1 << 42
    wait_seconds: float = 30
    early_wait_seconds: float = 1
    reserve: Reserve = DEFAULT_RESERVE


DEFAULT_LIMITS: Final = MapLimits()


class Environment:
    """An open environment; `open` makes one."""

    def __init__(
        self,
        opened: lmdb.Environment,
        *,
        path: Path,
        lock: LockFile,
        mark: CommitMark,
        limits: MapLimits,
    ) -> None:
        self._lmdb = opened
        self._path = path
        self._lock = lock
        self._mark = mark
        self._limits = limits
        self._owner = os.getpid()
        self._handles: Handles = {}
        self._gate = Gate()
        self._patient_from = 0
        self._failure: str | None = None
        self._is_closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        schema: Schema,
        identity: Identity,
        now_ms: TimestampMs,
        limits: MapLimits = DEFAULT_LIMITS,
    ) -> Self:
        """Open the environment in a folder, or begin it at `now_ms`; migrate it if it is older.

        Raises:
            StorageInUseError: it is open already.
            DatabaseTooNewError: a newer program wrote it.
            ForeignDatabaseError: it is of another chain, another node or another purpose.
            DamagedDatabaseError: its pages make no sense.
            DiskFullError: there is no room to begin or to migrate.
            StorageError: the folder cannot be used.
        """
        with ExitStack() as opening:
            lock = _lock_folder(path)
            opening.callback(lock.release)
            meta_pages.check(path)
            mark = _open_mark(path)
            opening.callback(mark.close)
            opened = _open_lmdb(path, limits)
            opening.callback(opened.close)
            environment = cls(opened, path=path, lock=lock, mark=mark, limits=limits)
            environment._begin(schema, identity, now_ms)
            opening.pop_all()
        return environment

    @property
    def path(self) -> Path:
        """Return the folder."""
        return self._path

    @property
    def stamp(self) -> Stamp:
        """Return what the environment says about itself."""
        with self.snapshot() as snapshot:
            stamp = snapshot.get(STAMPS, STAMP_KEY)
        assert stamp is not None, "an open environment has a stamp"
        return stamp

    @property
    def map_bytes(self) -> int:
        """Return how much the map holds."""
        return self._lmdb.info()["map_size"]

    @property
    def used_bytes(self) -> int:
        """Return how much of the map is taken; pages freed inside count as taken."""
        return (self._lmdb.info()["last_pgno"] + 1) * self._lmdb.stat()["psize"]

    @property
    def last_commit(self) -> int:
        """Return the number of the last commit, counted since creation."""
        return self._lmdb.info()["last_txnid"]

    def snapshot(self) -> Snapshot:
        """Return a view of the last commit; close it soon.

        Raises:
            SnapshotLimitError: as many are open as may be.
            StorageError: the environment is closed, or a commit failed.
        """
        self._check_usable()
        leave = partial(self._gate.leave, self._gate.enter())
        try:
            # Of a chunk of the state only one node is read; copying it all took longer.
            txn = self._lmdb.begin(buffers=True)
        except lmdb.ReadersFullError as error:
            leave()
            raise SnapshotLimitError(path=self._path, limit=SNAPSHOTS_MAX) from error
        except lmdb.Error as error:
            leave()
            raise damaged(error, path=self._path) from error
        return Snapshot(txn, handles=self._handles, path=self._path, on_close=leave)

    def commit(self, batches: Sequence[WriteBatch]) -> None:
        """Write batches, in order, as one durable commit; only the writer calls this.

        Raises:
            DiskReserveError: nothing of it was written, for the disk is nearly full.
            StorageError: nothing of it was written, and nothing ever will be again.
        """
        self._check_usable()
        check_reserve(self._path, self._limits.reserve)
        try:
            self._grow_early()
            while not self._try_commit(batches):
                if not self._grow(timeout_seconds=self._limits.wait_seconds):
                    raise self._full()
            self._mark.move(self.last_commit)
        except StorageError as error:
            self._failure = str(error)
            raise
        except (lmdb.Error, OSError) as error:
            failure = disk_failure(error, path=self._path)
            self._failure = str(failure)
            raise failure from error

    def close(self) -> None:
        """Close it; harmless if it is closed."""
        if not self._is_closed:
            self._is_closed = True
            if self._owner == os.getpid():
                with MAP_CHANGES:
                    self._lmdb.close()
            self._mark.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, schema: Schema, identity: Identity, now_ms: TimestampMs) -> None:
        try:
            check_mark(marked_commit(self._path), found=self.last_commit, folder=self._path)
            self._handles = bring_up_to_date(
                self._lmdb,
                schema=schema,
                identity=identity,
                now_ms=now_ms,
                path=self._path,
                map_bytes_max=self._limits.bytes_max,
            )
            sync_folder(self._path)
            # What a killed process wrote may be in memory only; we are about to build on it.
            self._lmdb.sync(force=True)
            self._mark.move(self.last_commit)
        except (lmdb.Error, OSError) as error:
            raise _opening_failure(error, self._path) from error

    def _try_commit(self, batches: Sequence[WriteBatch]) -> bool:
        """Commit; return False if the map was too small and nothing changed."""
        try:
            with self._lmdb.begin(write=True) as txn:
                for batch in batches:
                    batch.apply(txn, self._handles)
        except lmdb.MapFullError:
            return False
        return True

    def _grow_early(self) -> None:
        """Let the map grow while a commit still fits; then nobody need wait long."""
        used, size = self.used_bytes, self.map_bytes
        if used * 100 < size * GROW_AT_PERCENT:
            return
        is_patient = used >= self._patient_from
        timeout_seconds = self._limits.early_wait_seconds if is_patient else 0
        if not self._grow(timeout_seconds=timeout_seconds) and is_patient:
            # A snapshot that stays open must not make every commit wait.
            self._patient_from = used + size * EARLY_GROWTH_STEP_PERCENT // 100

    def _grow(self, *, timeout_seconds: float) -> bool:
        """Double the map, if it may grow and no snapshot is open in time."""
        larger = min(self.map_bytes * 2, self._limits.bytes_max)
        if larger <= self.map_bytes:
            return False
        with self._gate.alone(timeout_seconds=timeout_seconds) as is_alone:
            if is_alone:
                with MAP_CHANGES:
                    self._lmdb.set_mapsize(larger)
            return is_alone

    def _full(self) -> DatabaseFullError:
        reason = "it may grow no further"
        if self._gate.open_count:
            reason = f"{self._gate.open_count} snapshots stay open and keep it from growing"
        return DatabaseFullError(path=self._path, size_bytes=self.map_bytes, reason=reason)

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise WriterStoppedError(path=self._path, reason=self._failure)
        if self._is_closed:
            raise StorageClosedError(f"{self._path} is closed")
        if self._owner != os.getpid():
            raise StorageClosedError(f"{self._path} was opened by another process, before a fork")


def _lock_folder(path: Path) -> LockFile:
    try:
        if not path.is_dir():
            path.mkdir(mode=FOLDER_MODE, parents=True)
            sync_folder(path.parent)
        return LockFile.take(path)
    except OSError as error:
        raise _unusable(error, path) from error


def _open_mark(path: Path) -> CommitMark:
    try:
        return CommitMark.open(path)
    except OSError as error:
        raise _unusable(error, path) from error


def _unusable(error: OSError, path: Path) -> StorageError:
    if error.errno in NO_ROOM:
        return disk_failure(error, path=path)
    return StorageError(f"{path} cannot be used: {error.strerror}")


def _opening_failure(error: lmdb.Error | OSError, path: Path) -> StorageError:
    """Return our error for one at the opening: a disk without room is no damage."""
    failure = disk_failure(error, path=path)
    if isinstance(failure, DiskFullError) or isinstance(error, OSError):
        return failure
    return damaged(error, path=path)


def _open_lmdb(path: Path, limits: MapLimits) -> lmdb.Environment:
    try:
        opened = lmdb.open(
            str(path),
            map_size=limits.bytes_first,
            sync=True,
            metasync=True,
            writemap=False,
            map_async=False,
            mode=FILE_MODE,
            max_dbs=TABLES_MAX,
            max_readers=SNAPSHOTS_MAX,
            max_spare_txns=SNAPSHOTS_SPARE,
        )
    except lmdb.Error as error:
        raise _opening_failure(error, path) from error
    return opened
