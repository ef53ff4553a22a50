"""History: the record and the receipts that each commit left, longer than its version is kept.

Each receipt is a record of its own, since what a commit leaves in total has no bound that storage
could hold the agreed commits to. The count stands beside them, so that a lost one is noticed.
"""

from node.storage.batch import WriteBatch
from node.storage.errors import DamagedDatabaseError
from node.storage.state_tables import COMMIT_RECORDS, RECEIPT_COUNTS, RECEIPTS
from node.storage.transaction import Snapshot
from primitives.ids import Height


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
    return tuple(_stored_receipt(snapshot, height, index) for index in range(count))


def receipt_at(snapshot: Snapshot, height: Height, index: int) -> bytes | None:
    """Return one receipt of a commit; None if it was pruned, or the commit has no such receipt.

    Raises:
        StorageError: what is stored is not what was written.
    """
    count = _count_at(snapshot, height)
    if count is None or not 0 <= index < count:
        return None
    return _stored_receipt(snapshot, height, index)


def prune_history(
    snapshot: Snapshot,
    batch: WriteBatch,
    *,
    kept_from: int,
    records_max: int,
    receipts_max: int,
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
    for number, key in enumerate(snapshot.scan_keys(RECEIPTS)):
        if number == receipts_max or key[0] >= pruned_to:
            break
        batch.delete(RECEIPTS, key)


def _count_at(snapshot: Snapshot, height: Height) -> int | None:
    return snapshot.get(RECEIPT_COUNTS, height) if height >= 0 else None


def _stored_receipt(snapshot: Snapshot, height: Height, index: int) -> bytes:
    receipt = snapshot.get(RECEIPTS, (height, index))
    if receipt is None:
        reason = f"receipt {index} of commit {height} is missing"
        raise DamagedDatabaseError(path=snapshot.path, reason=reason)
    return receipt
