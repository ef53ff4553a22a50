"""Batches: writes to several tables that become durable together or not at all.

A batch is made in any thread and is plain bytes when it reaches the writer, so the writer thread
neither encodes nor decides anything. Within a batch the last write of a key counts.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from node.storage.table import AnyTable, Table

if TYPE_CHECKING:
    import lmdb

K = TypeVar("K")
V = TypeVar("V")

RECORD_COST_BYTES = 64
"""What a record of a batch takes besides its bytes, for bounds on what waits."""


class WriteBatch:
    """Collect writes; afterwards it goes to a writer, once, and changes no more."""

    __slots__ = ("_by_table", "_is_sealed", "size_bytes")

    def __init__(self) -> None:
        self._by_table: dict[str, dict[bytes, bytes | None]] = {}
        self._is_sealed = False
        self.size_bytes = 0

    def put(self, table: Table[K, V], key: K, value: V) -> None:
        """Give a key a value, whether it has one or not."""
        raw_key = table.encode_key(key)
        sealed = table.seal(raw_key, value)
        self._write(table.name, raw_key, sealed, RECORD_COST_BYTES + len(raw_key) + len(sealed))

    def delete(self, table: Table[K, V], key: K) -> None:
        """Take the value of a key away; harmless where there is none."""
        raw_key = table.encode_key(key)
        self._write(table.name, raw_key, None, RECORD_COST_BYTES + len(raw_key))

    def get(self, table: Table[K, V], key: K) -> V | None:
        """Return the value that the batch gives a key; None if it gives it none."""
        sealed = self.written(table).get(table.encode_key(key))
        return None if sealed is None else table.open_own(sealed)

    def scan(self, table: Table[K, V], *, first: K, last: K) -> Iterator[tuple[K, V]]:
        """Yield what the batch puts from key `first` to key `last`, both included, in order."""
        low, high = table.encode_key(first), table.encode_key(last)
        for raw_key, sealed in sorted(self.written(table).items()):
            if low <= raw_key <= high and sealed is not None:
                yield table.key.decode(raw_key), table.open_own(sealed)

    def written(self, table: AnyTable) -> Mapping[bytes, bytes | None]:
        """Return what a table gets: stored values by stored key, None for deleted."""
        return self._by_table.get(table.name, {})

    def __len__(self) -> int:
        """Return how many records it writes or deletes."""
        return sum(map(len, self._by_table.values()))

    def seal(self) -> None:
        """End the collecting; the writer does this."""
        assert not self._is_sealed, "a batch was submitted twice"
        self._is_sealed = True

    def unseal(self) -> None:
        """Go on collecting, since the writer refused the batch and wrote nothing of it."""
        self._is_sealed = False

    def apply(self, txn: "lmdb.Transaction", handles: Mapping[str, "lmdb._Database"]) -> None:
        """Write everything in a transaction; the writer does this.

        Keys go in by order: neighbours share a page, and the cursor need not search for it.
        """
        for name, records in self._by_table.items():
            handle = handles[name]
            puts = [(key, value) for key, value in sorted(records.items()) if value is not None]
            with txn.cursor(handle) as cursor:
                cursor.putmulti(puts)
            if len(puts) < len(records):
                for key, value in records.items():
                    if value is None:
                        txn.delete(key, db=handle)

    def _write(self, name: str, raw_key: bytes, sealed: bytes | None, cost_bytes: int) -> None:
        assert not self._is_sealed, "a submitted batch was written to"
        records = self._by_table.get(name)
        if records is None:
            records = self._by_table[name] = {}
        records[raw_key] = sealed
        self.size_bytes += cost_bytes
