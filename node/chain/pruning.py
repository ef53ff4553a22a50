"""What falls out of the configured past with each commit, a bounded part of it."""

from typing import Final

from node.chain.limits import ChainLimits
from node.storage.batch import WriteBatch
from node.storage.block_store import delete_epochs
from node.storage.chain_tables import CERTIFICATES, CERTIFIED_HEIGHTS
from node.storage.receipt_index import prune_index
from node.storage.state_tables import INT64_MAX
from node.storage.transaction import Snapshot
from primitives.ids import Epoch, Height

INDEX_ENTRIES_PRUNED_MAX: Final = 8_192
"""Of the index, with one commit; more than one adds, or they pile up."""

CERTIFICATES_PRUNED_MAX: Final = 16
BLOCK_RECORDS_PRUNED_MAX: Final = 1_024
"""Of blocks and commits of old epochs; a commit of a hundred validators adds a third of it."""


class Pruner:
    """Decides what to delete; belongs to the thread that commits."""

    def __init__(self, limits: ChainLimits) -> None:
        self._limits = limits
        self._blocks_kept_from: int | None = None

    def prune(
        self, snapshot: Snapshot, batch: WriteBatch, *, height: Height, running: Epoch
    ) -> None:
        """Add to the write of a commit what it takes away.

        Args:
            snapshot: before the commit.
            batch: of the commit.
            height: after the commit.
            running: the epoch after the commit.
        """
        if self._limits.kept_history is not None:
            kept_from = height - self._limits.kept_history + 1
            prune_index(snapshot, batch, kept_from=kept_from, entries_max=INDEX_ENTRIES_PRUNED_MAX)
            _prune_certificates(snapshot, batch, kept_from=kept_from)
        self._prune_blocks(snapshot, batch, running)

    def _prune_blocks(self, snapshot: Snapshot, batch: WriteBatch, running: Epoch) -> None:
        """Delete blocks of old epochs, until a step finds none; then wait for the next epoch."""
        kept_from = Epoch(running - self._limits.kept_epochs + 1)
        if kept_from <= 0 or kept_from == self._blocks_kept_from:
            return
        deleted = delete_epochs(
            snapshot, batch, kept_from=kept_from, records_max=BLOCK_RECORDS_PRUNED_MAX
        )
        if not deleted:
            self._blocks_kept_from = kept_from


def _prune_certificates(snapshot: Snapshot, batch: WriteBatch, *, kept_from: int) -> None:
    """Delete certificates of commits below a height, but never the newest one.

    Those that close epochs stay in the links of the epochs.
    """
    newest = next(
        (key for key, _ in snapshot.scan_back(CERTIFIED_HEIGHTS, first=0, last=INT64_MAX)), 0
    )
    below = min(kept_from, newest)
    for count, (height, number) in enumerate(snapshot.scan(CERTIFIED_HEIGHTS)):
        if height >= below or count == CERTIFICATES_PRUNED_MAX:
            return
        batch.delete(CERTIFIED_HEIGHTS, height)
        batch.delete(CERTIFICATES, number)
