"""Transactions: a view of every table at one commit, and for migrations one that writes.

Guards: nothing is returned that was not written. Found values are checked by their checksum. A key
that is not found is believed only if the records on both sides of the gap are sound and in order:
a flipped bit in a stored key, or in the page above, makes a search end in the wrong place.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self, TypeAlias, TypeVar

import lmdb
from typing_extensions import override

from node.storage.errors import DamagedDatabaseError, StorageClosedError
from node.storage.table import AnyTable, Table
from primitives.errors import StorageError

K = TypeVar("K")
V = TypeVar("V")

Handle: TypeAlias = "lmdb._Database"  # noqa: SLF001 - the stubs have no other name for it
Handles = Mapping[str, Handle]
Stored: TypeAlias = bytes | memoryview
"""What LMDB returns: a copy, or with buffers, the place in its map."""


class Snapshot:
    """All tables as they were after one commit; close it soon, since it keeps old pages alive.

    Belongs to one thread at a time.
    """

    __slots__ = ("_handles", "_is_closed", "_on_close", "_path", "_txn")

    def __init__(
        self,
        txn: "lmdb.Transaction[Stored]",
        *,
        handles: Handles,
        path: Path,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._txn = txn
        self._handles = handles
        self._path = path
        self._on_close = on_close
        self._is_closed = False

    @property
    def path(self) -> Path:
        """Return the folder of the environment, for errors."""
        return self._path

    def get(self, table: Table[K, V], key: K) -> V | None:
        """Return the value of a key, None if there is none.

        Raises:
            CorruptRecordError: the record is not what was written.
            DamagedDatabaseError: the pages around it make no sense.
        """
        raw_key = table.encode_key(key)
        sealed = self.sealed(table, raw_key)
        return None if sealed is None else table.unseal(raw_key, sealed, path=self._path)

    def sealed(self, table: AnyTable, raw_key: bytes) -> bytes | None:
        """Return a record as it is stored, not checked yet; None, checked, if there is none."""
        sealed = self.in_place(table, raw_key)
        return None if sealed is None else bytes(sealed)

    def in_place(self, table: AnyTable, raw_key: bytes) -> Stored | None:
        """Return what `sealed` does where it stands in the map, for who needs a part of it.

        Take what is needed at once: behind the end of the snapshot there is anything, or nothing.
        """
        try:
            sealed: Stored | None = self._txn.get(raw_key, None, self._handle(table))
            if sealed is None:
                self._check_gap(table, raw_key)
        except lmdb.Error as error:
            raise self._failed(error) from error
        return sealed

    def scan(
        self, table: Table[K, V], *, first: K | None = None, last: K | None = None
    ) -> Iterator[tuple[K, V]]:
        """Yield the records from key `first` to key `last`, both included, by ascending key."""
        low = b"" if first is None else table.encode_key(first)
        high = None if last is None else table.encode_key(last)
        for raw_key, sealed in self.scan_sealed(table, first=low, last=high):
            yield self._open(table, raw_key, sealed)

    def scan_back(self, table: Table[K, V], *, first: K, last: K) -> Iterator[tuple[K, V]]:
        """Yield the records from key `last` down to key `first`, both included."""
        low, high = table.encode_key(first), table.encode_key(last)
        for raw_key, sealed in self.scan_back_sealed(table, first=low, last=high):
            yield self._open(table, raw_key, sealed)

    def scan_sealed(
        self, table: AnyTable, *, first: bytes = b"", last: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield records as they are stored, in order, their checksums not checked yet."""
        try:
            with self._cursor(table) as cursor:
                found = cursor.set_range(first) if first else cursor.first()
                bound = first
                while found and (last is None or bytes(cursor.key()) <= last):
                    raw_key = bytes(cursor.key())
                    if raw_key < bound:
                        raise table.corrupt(raw_key, path=self._path, reason="out of order")
                    yield raw_key, bytes(cursor.value())
                    bound = raw_key + b"\0"
                    found = cursor.next()
        except lmdb.Error as error:
            raise self._failed(error) from error

    def scan_keys(self, table: Table[K, V]) -> Iterator[K]:
        """Yield the keys in order; the values are not touched, however long they are."""
        try:
            with self._cursor(table) as cursor:
                bound = b""
                for raw_key in map(bytes, cursor.iternext(keys=True, values=False)):
                    if raw_key < bound:
                        raise table.corrupt(raw_key, path=self._path, reason="out of order")
                    yield table.decode_key(raw_key, path=self._path)
                    bound = raw_key + b"\0"
        except lmdb.Error as error:
            raise self._failed(error) from error

    def scan_back_sealed(
        self, table: AnyTable, *, first: bytes, last: bytes
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield records as they are stored, from the last to the first."""
        try:
            with self._cursor(table) as cursor:
                found = cursor.prev() if cursor.set_range(last + b"\0") else cursor.last()
                bound = last + b"\0"
                while found and (raw_key := bytes(cursor.key())) >= first:
                    if raw_key >= bound:
                        raise table.corrupt(raw_key, path=self._path, reason="out of order")
                    yield raw_key, bytes(cursor.value())
                    bound = raw_key
                    found = cursor.prev()
        except lmdb.Error as error:
            raise self._failed(error) from error

    def walk(self, table: AnyTable) -> Iterator[tuple[bytes, bytes]]:
        """Yield all records as they are stored, checked in no way; for the doctor."""
        try:
            with self._cursor(table) as cursor:
                for raw_key, sealed in cursor:
                    yield bytes(raw_key), bytes(sealed)
        except lmdb.Error as error:
            raise self._failed(error) from error

    def count(self, table: AnyTable) -> int:
        """Return how many records a table has, by its own account."""
        try:
            return self._txn.stat(self._handle(table))["entries"]
        except lmdb.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """End it; harmless if it has ended."""
        if self._is_closed:
            return
        self._is_closed = True
        self._txn.abort()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _failed(self, error: lmdb.Error) -> StorageError:
        if self._is_closed:
            return StorageClosedError(f"{self._path}: a closed snapshot was read from")
        return damaged(error, path=self._path)

    def _handle(self, table: AnyTable) -> Handle:
        return self._handles[table.name]

    def _cursor(self, table: AnyTable) -> "lmdb.Cursor[Stored]":
        return self._txn.cursor(self._handle(table))

    def _open(self, table: Table[K, V], raw_key: bytes, sealed: bytes) -> tuple[K, V]:
        key = table.decode_key(raw_key, path=self._path)
        return key, table.unseal(raw_key, sealed, path=self._path)

    def _check_gap(self, table: AnyTable, raw_key: bytes) -> None:
        """Check that the records on both sides of an absent key are sound and in order."""
        with self._cursor(table) as cursor:
            if cursor.set_range(raw_key):
                above = self._sound_key(table, cursor)
                if above <= raw_key:
                    raise table.corrupt(above, path=self._path, reason="out of order")
                found_below = cursor.prev()
            else:
                found_below = cursor.last()
            if found_below and (below := self._sound_key(table, cursor)) >= raw_key:
                raise table.corrupt(below, path=self._path, reason="out of order")

    def _sound_key(self, table: AnyTable, cursor: "lmdb.Cursor[Stored]") -> bytes:
        raw_key = bytes(cursor.key())
        table.check(raw_key, bytes(cursor.value()), path=self._path)
        return raw_key


class WriteTransaction(Snapshot):
    """A transaction that also writes; only migrations get one, before the writer starts."""

    __slots__ = ("_lmdb",)

    def __init__(
        self, txn: "lmdb.Transaction[Stored]", *, environment: lmdb.Environment, path: Path
    ) -> None:
        super().__init__(txn, handles={}, path=path)
        self._lmdb = environment

    def put(self, table: Table[K, V], key: K, value: V) -> None:
        """Give a key a value."""
        raw_key = table.encode_key(key)
        self._txn.put(raw_key, table.seal(raw_key, value), db=self._handle(table))

    def delete(self, table: Table[K, V], key: K) -> None:
        """Take the value of a key away."""
        self._txn.delete(table.encode_key(key), db=self._handle(table))

    def create(self, *tables: AnyTable) -> None:
        """Make tables that are not there yet."""
        for table in tables:
            self._handle(table)

    def drop(self, table: AnyTable) -> None:
        """Delete a whole table."""
        self._txn.drop(self._handle(table))

    @override
    def _handle(self, table: AnyTable) -> Handle:
        return self._lmdb.open_db(table.name.encode("ascii"), txn=self._txn)


def damaged(error: lmdb.Error, *, path: Path) -> DamagedDatabaseError:
    """Return our error for one that reading raised."""
    return DamagedDatabaseError(path=path, reason=str(error))
