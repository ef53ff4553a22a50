"""History: the record and the receipts that each commit left, longer than its version is kept.

Receipts stand in pages, as many as it takes, since what a commit leaves in total has no bound that
storage could hold the agreed commits to. Their count stands beside them, so that a lost page is
noticed.
"""

from collections.abc import Sequence
from itertools import islice

from node.storage.batch import WriteBatch
from node.storage.errors import DamagedDatabaseError
from node.storage.receipt_pages import pack_pages, unpack_page
from node.storage.state_tables import COMMIT_RECORDS, RECEIPT_COUNTS, RECEIPT_PAGES
from node.storage.transaction import Snapshot
from primitives.errors import MalformedBytesError
from primitives.ids import Height


def put_history(
    batch: WriteBatch, height: Height, *, record: bytes, receipts: Sequence[bytes]
) -> None:
    """Write what a commit leaves."""
    batch.put(COMMIT_RECORDS, height, record)
    batch.put(RECEIPT_COUNTS, height, len(receipts))
    for first, page in pack_pages(receipts):
        batch.put(RECEIPT_PAGES, (height, first), page)


def record_at(snapshot: Snapshot, height: Height) -> bytes | None:
    """Return what the executor kept of a commit; None if it was pruned or is not there yet."""
    return snapshot.get(COMMIT_RECORDS, height) if height >= 0 else None


def receipts_at(snapshot: Snapshot, height: Height) -> tuple[bytes, ...] | None:
    """Return the receipts of a commit, in order; None if they were pruned or are not there yet.

    Raises:
        StorageError: what is stored is not what was written.
    """
    count = _count_at(snapshot, height)
    if count is None:
        return None
    receipts: list[bytes] = []
    while len(receipts) < count:
        receipts.extend(_receipts_from(snapshot, height, len(receipts)))
    return tuple(receipts)


def receipt_at(snapshot: Snapshot, height: Height, index: int) -> bytes | None:
    """Return one receipt of a commit; None if it was pruned, or the commit has no such receipt.

    Raises:
        StorageError: what is stored is not what was written.
    """
    count = _count_at(snapshot, height)
    if count is None or not 0 <= index < count:
        return None
    return next(iter(_receipts_from(snapshot, height, index)))


def prune_history(
    snapshot: Snapshot,
    batch: WriteBatch,
    *,
    kept_from: int,
    records_max: int,
    pages_max: int,
) -> None:
    """Delete what commits below a height left, the oldest first.

    A record and its count go before the receipts: what is left of them is found by its key.
    """
    pruned_to = kept_from
    for number, height in enumerate(snapshot.scan_keys(RECEIPT_COUNTS)):
        if number == records_max or height >= kept_from:
            pruned_to = min(height, kept_from)
            break
        batch.delete(RECEIPT_COUNTS, height)
        batch.delete(COMMIT_RECORDS, height)
    for key in islice(snapshot.scan_keys(RECEIPT_PAGES), pages_max):
        if key[0] >= pruned_to:
            break
        batch.delete(RECEIPT_PAGES, key)


def _count_at(snapshot: Snapshot, height: Height) -> int | None:
    return snapshot.get(RECEIPT_COUNTS, height) if height >= 0 else None


def _receipts_from(snapshot: Snapshot, height: Height, index: int) -> tuple[bytes, ...]:
    """Return the receipts of one page from an index on, at least one."""
    reason = f"receipt {index} of commit {height} is missing"
    pages = snapshot.scan_back(RECEIPT_PAGES, first=(height, 0), last=(height, index))
    for (_, first), page in islice(pages, 1):
        try:
            receipts = unpack_page(page)[index - first :]
        except MalformedBytesError as error:
            reason = f"receipt {index} of commit {height}: {error}"
            raise DamagedDatabaseError(path=snapshot.path, reason=reason) from error
        if receipts:
            return receipts
    raise DamagedDatabaseError(path=snapshot.path, reason=reason)
