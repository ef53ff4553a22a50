"""The index of receipts: which commit a transaction is in, and where the events of a contract are.

It is written with the commit, so that whatever is found is durable, and taken away with the
receipts. A name in it is the start of a transaction id, so who finds one compares the whole.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from node.ledger.receipt import Receipt, ReceiptStatus
from node.storage.batch import WriteBatch
from node.storage.chain_tables import EVENTS, INDEXED, NAME_SIZE_BYTES, TRANSACTIONS, Indexed
from node.storage.table import Table
from node.storage.transaction import Snapshot
from primitives.ids import Address, Digest, Height

K = TypeVar("K")
V = TypeVar("V")

_PLACE_SIZE_BYTES = 4


class Records(Protocol):
    """Whatever takes records: a batch, or the step of a migration."""

    def put(self, table: Table[K, V], key: K, value: V, /) -> None:
        """Give a key a value."""
        ...


def put_index(records: Records, height: Height, receipts: Sequence[Receipt]) -> None:
    """Write where the receipts of a commit are."""
    names: list[bytes] = []
    refused: list[bytes] = []
    places: dict[Address, list[int]] = {}
    for index, receipt in enumerate(receipts):
        name = receipt.transaction_id[:NAME_SIZE_BYTES]
        (refused if receipt.status is ReceiptStatus.REFUSED else names).append(name)
        records.put(TRANSACTIONS, (name,), (height, index))
        for contract in dict.fromkeys(event.contract for event in receipt.events):
            places.setdefault(contract, []).append(index)
    for contract, found in places.items():
        records.put(EVENTS, (contract, height), struct.pack(f">{len(found)}I", *found))
    if receipts:
        indexed = Indexed(names=b"".join(names), refused=b"".join(refused), contracts=tuple(places))
        records.put(INDEXED, height, indexed)


def find_receipt(snapshot: Snapshot, transaction_id: Digest) -> tuple[Height, int] | None:
    """Return where the receipt is that an id may have; None if there is none.

    Raises:
        StorageError: what is stored is not what was written.
    """
    found = snapshot.get(TRANSACTIONS, (transaction_id[:NAME_SIZE_BYTES],))
    return None if found is None else (Height(found[0]), found[1])


def event_places(
    snapshot: Snapshot, contract: Address, *, first: Height, last: Height
) -> Iterator[tuple[Height, tuple[int, ...]]]:
    """Yield the heights at which a contract told something, with the places of the receipts.

    Raises:
        StorageError: what is stored is not what was written.
    """
    records = snapshot.scan(EVENTS, first=(contract, first), last=(contract, last))
    for (_, height), packed in records:
        count = len(packed) // _PLACE_SIZE_BYTES
        yield Height(height), struct.unpack(f">{count}I", packed)


def prune_index(snapshot: Snapshot, batch: WriteBatch, *, kept_from: int, entries_max: int) -> None:
    """Delete what commits below a height added, the oldest first.

    A commit that began to be deleted is deleted to its end, so one step may exceed the bound once.
    """
    deleted = 0
    for height in snapshot.scan_keys(INDEXED):
        if height >= kept_from or deleted >= entries_max:
            return
        indexed = snapshot.get(INDEXED, height)
        assert indexed is not None, "its key was read from the same snapshot"
        deleted += _delete(snapshot, batch, height, indexed)


def _delete(snapshot: Snapshot, batch: WriteBatch, height: int, indexed: Indexed) -> int:
    """Delete what one commit added; return how many entries that were."""
    names = list(_split(indexed.names))
    for name in _split(indexed.refused):
        found = snapshot.get(TRANSACTIONS, (name,))
        if found is not None and found[0] == height:
            names.append(name)
    for name in names:
        batch.delete(TRANSACTIONS, (name,))
    for contract in indexed.contracts:
        batch.delete(EVENTS, (contract, height))
    batch.delete(INDEXED, height)
    return len(names) + len(indexed.contracts) + 1


def _split(names: bytes) -> Iterator[bytes]:
    for start in range(0, len(names), NAME_SIZE_BYTES):
        yield names[start : start + NAME_SIZE_BYTES]
