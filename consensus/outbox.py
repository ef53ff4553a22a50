"""The effects of one input, staged by kind and released in the one safe order.

Guards "durable before visible": own blocks and journal entries are durable before a broadcast,
commits before they are delivered. Whatever order the core stages things in, the order that
comes out is blocks, commits, sync, journal, and only then everything that others can see.

The journal comes after the store: an entry whose block a crash swallowed would be a round that
this authority can neither show nor sign again, and where its power is needed for every quorum
the chain would stand still for ever.
"""

from consensus.block import Block
from consensus.events import (
    AppendJournal,
    Broadcast,
    CloseEpoch,
    Deliver,
    Effect,
    JournalEntry,
    StoreBlocks,
    StoreCommit,
    SyncStore,
)
from consensus.ordering import OrderedCommit


class _Staged:
    """What one input has produced so far."""

    def __init__(self) -> None:
        self.journal: list[JournalEntry] = []
        self.writes: list[StoreBlocks | StoreCommit] = []
        self.blocks: list[Block] = []
        self.deliveries: list[Deliver] = []
        self.broadcasts: list[Broadcast] = []
        self.others: list[Effect] = []
        self.close: list[CloseEpoch] = []
        self.must_sync = False


class Outbox:
    """Collects effects; `release` empties it."""

    def __init__(self) -> None:
        self._staged = _Staged()

    def store(self, block: Block) -> None:
        """Stage an accepted block; durable with the next sync."""
        self._staged.blocks.append(block)

    def announce(self, block: Block, entry: JournalEntry) -> None:
        """Stage an own block: store it, sync, journal it, then broadcast it."""
        self._staged.blocks.append(block)
        self._staged.must_sync = True
        self.confirm(block, entry)

    def confirm(self, block: Block, entry: JournalEntry) -> None:
        """Stage an own block that is stored: journal it, then broadcast it."""
        self._staged.journal.append(entry)
        self._staged.broadcasts.append(Broadcast(block))

    def journal(self, entry: JournalEntry) -> None:
        """Stage a journal entry of its own."""
        self._staged.journal.append(entry)

    def commit(self, ordered: OrderedCommit) -> None:
        """Stage a commit after the blocks staged so far; deliver it once it is durable."""
        self._flush_blocks()
        sub_dag = ordered.sub_dag
        self._staged.writes.append(StoreCommit(sub_dag.commit, sub_dag.digest, ordered.schedule))
        self._staged.must_sync = True
        self._staged.deliveries.append(Deliver(sub_dag))

    def close(self, effect: CloseEpoch) -> None:
        """Stage the end of the epoch; it comes last."""
        self._staged.close.append(effect)

    def add(self, effect: Effect) -> None:
        """Stage an effect that waits for nothing but the sync before it."""
        self._staged.others.append(effect)

    def release(self) -> list[Effect]:
        """Return everything staged, in safe order, and start anew."""
        self._flush_blocks()
        staged, self._staged = self._staged, _Staged()
        effects: list[Effect] = [*staged.writes]
        if staged.must_sync:
            effects.append(SyncStore())
        if staged.journal:
            effects.append(AppendJournal(tuple(staged.journal)))
        effects += staged.deliveries
        effects += staged.broadcasts
        effects += staged.others
        effects += staged.close
        return effects

    def _flush_blocks(self) -> None:
        if self._staged.blocks:
            self._staged.writes.append(StoreBlocks(tuple(self._staged.blocks)))
            self._staged.blocks = []
