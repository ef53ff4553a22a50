"""The block store and the signer journal of one simulated node, on its simulated disk.

Both pass the conformance suites of `tests/conformance`. Every write is a record of one log per
epoch; the index over it lives in memory and is rebuilt from what survived when the node boots.
"""

from typing import TYPE_CHECKING

from consensus.block import Block, BlockRef, SignedBlock
from consensus.commit import Commit
from consensus.committee import EpochContext
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.recovery import StoredState
from devnet.simulator.kernel.disk import Disk
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Round

if TYPE_CHECKING:
    from consensus.schedule import ScheduleRecord

JOURNAL = "journal"
EXECUTED = "executed"


class SimulatedBlockStore:
    """Implements `consensus.ports.BlockStore` for one epoch."""

    def __init__(self, disk: Disk, context: EpochContext) -> None:
        self._disk = disk
        self._log = f"epoch/{context.epoch}/{context.genesis_digest.hex()}"
        self._blocks: dict[BlockRef, Block] = {}
        self._commits: list[Commit] = []
        self._schedules: list[ScheduleRecord] = []
        self._voters: dict[CommitIndex, dict[tuple[AuthorityIndex, Digest], SignedBlock]] = {}
        for record in disk.records(self._log):
            self._index(record)

    @property
    def last_index(self) -> CommitIndex:
        """Return the index of the last stored commit, 0 for none."""
        return CommitIndex(len(self._commits))

    def append(self, write: StoreBlocks | StoreCommit) -> None:
        """Append to the log and to the index."""
        self._disk.append(self._log, write)
        self._index(write)

    def sync(self) -> None:
        """Make everything durable; the time it takes is not waited for (see `sync_us`)."""
        self._disk.sync()

    def sync_us(self) -> int:
        """Make everything durable and return for how many us that blocks."""
        return self._disk.sync()

    @property
    def delivered(self) -> CommitIndex:
        """Return the last commit that the node's executor holds."""
        return CommitIndex(self._disk.get(EXECUTED, self._log) or 0)

    def note_delivered(self, index: CommitIndex) -> None:
        """Move the executor's mark; like all writes it is durable only after the next sync."""
        self._disk.put(EXECUTED, self._log, index)

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        """Return stored blocks."""
        return tuple(self._blocks[ref].signed for ref in refs if ref in self._blocks)

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        """Return stored commits."""
        return tuple(self._commits[max(first, 1) - 1 : last])

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        """Return blocks that vote for a commit."""
        return tuple(self._voters.get(index, {}).values())

    def recover(self, *, gc_depth: int) -> StoredState:
        """Return what a restart needs."""
        schedule = self._schedules[-1] if self._schedules else None
        floor = Round(0)
        if schedule is not None:
            boundary = self._commits[schedule.boundary_index - 1]
            floor = Round(max(0, boundary.leader.round - gc_depth))
        return StoredState(
            schedule=schedule,
            commits=tuple(c for c in self._commits if c.leader.round > floor),
            blocks=tuple(block for ref, block in self._blocks.items() if ref.round > floor),
            floor=floor,
        )

    def _index(self, write: StoreBlocks | StoreCommit) -> None:
        if isinstance(write, StoreCommit):
            assert write.commit.index == len(self._commits) + 1, "a commit was left out"
            self._commits.append(write.commit)
            if write.schedule is not None:
                self._schedules.append(write.schedule)
            return
        for block in write.blocks:
            self._blocks[block.ref] = block
            for vote in block.header.commit_votes:
                voters = self._voters.setdefault(vote.index, {})
                voters.setdefault((block.author, vote.digest), block.signed)


class SimulatedJournal:
    """Implements `consensus.ports.SignerJournal` for one epoch."""

    def __init__(self, disk: Disk, epoch: Epoch) -> None:
        self._disk = disk
        self._epoch = epoch

    @property
    def exists(self) -> bool:
        """Tell whether there is a journal at all."""
        return self._disk.get(JOURNAL, "created") is not None

    def create(self) -> None:
        """Make an empty journal, as `init` does once in the life of a node."""
        self._disk.put(JOURNAL, "created", value=True)
        self._disk.sync()

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Append durably."""
        self.append_us(entries)

    def append_us(self, entries: tuple[JournalEntry, ...]) -> int:
        """Append, and return for how many us the sync blocks."""
        for entry in entries:
            self._disk.append(JOURNAL, entry)
        return self._disk.sync()

    def last(self) -> JournalEntry | None:
        """Return the last entry of this epoch.

        Raises:
            StorageError: the journal is lost.
        """
        if not self.exists:
            raise StorageError("the signer journal is missing")
        entries = [e for e in self._disk.records(JOURNAL) if e.epoch == self._epoch]
        return entries[-1] if entries else None
