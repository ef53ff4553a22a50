"""The least store and journal that are correct: what is written, and how much of it is durable."""

from typing import TYPE_CHECKING

from consensus.block import Block, BlockRef, SignedBlock
from consensus.commit import Commit
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.recovery import StoredState
from primitives.errors import StorageError
from primitives.ids import CommitIndex, Digest, Round

if TYPE_CHECKING:
    from consensus.schedule import ScheduleRecord

Write = StoreBlocks | StoreCommit


class MemoryDisk:
    """What outlives a process: the writes, in order, of which a crash may lose the last ones."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.durable_count = 0
        self._durable: set[Digest] = set()

    def is_durable(self, digest: Digest) -> bool:
        """Tell whether a crash leaves the block or commit of this digest."""
        return digest in self._durable

    def sync(self) -> None:
        """Make every write durable."""
        for write in self.writes[self.durable_count :]:
            match write:
                case StoreBlocks():
                    self._durable.update(block.ref.digest for block in write.blocks)
                case StoreCommit():
                    self._durable.add(write.digest)
        self.durable_count = len(self.writes)

    @property
    def unsynced_count(self) -> int:
        """Return how many writes a crash may still lose."""
        return len(self.writes) - self.durable_count

    def open(self) -> "MemoryBlockStore":
        """Start a process on this disk."""
        return MemoryBlockStore(self)

    def crash(self, *, lost: int) -> None:
        """Lose the last writes, at most those that were not synced."""
        assert lost <= self.unsynced_count, "a crash loses nothing that was synced"
        del self.writes[len(self.writes) - lost :]
        self.sync()


class MemoryBlockStore:
    """A `consensus.ports.BlockStore` over a list of writes."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._blocks: dict[BlockRef, Block] = {}
        self._commits: dict[int, Commit] = {}
        self._schedule: ScheduleRecord | None = None
        self._voters: dict[int, dict[tuple[int, Digest], Block]] = {}
        for write in disk.writes:
            self._apply(write)

    def append(self, write: Write) -> None:
        """Write; a crash may lose any suffix of what was not synced."""
        self._disk.writes.append(write)
        self._apply(write)

    def sync(self) -> None:
        """Make every earlier write durable."""
        self._disk.sync()

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        """Return those of the blocks that are stored, in the order asked."""
        return tuple(self._blocks[ref].signed for ref in refs if ref in self._blocks)

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        """Return the stored commits first..last, up to the first gap."""
        found = []
        for index in range(first, last + 1):
            if index not in self._commits:
                break
            found.append(self._commits[index])
        return tuple(found)

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        """Return stored blocks that vote for a commit, at most one per author and digest."""
        return tuple(block.signed for block in self._voters.get(index, {}).values())

    def recover(self, *, gc_depth: int) -> StoredState:
        """Return what a restarting core needs."""
        floor = Round(0)
        if self._schedule is not None:
            boundary = self._commits[self._schedule.boundary_index]
            floor = Round(max(0, boundary.leader.round - gc_depth))
        return StoredState(
            schedule=self._schedule,
            commits=tuple(
                commit for _, commit in sorted(self._commits.items()) if commit.leader.round > floor
            ),
            blocks=tuple(block for block in self._blocks.values() if block.round > floor),
            floor=floor,
        )

    def _apply(self, write: Write) -> None:
        match write:
            case StoreBlocks():
                for block in write.blocks:
                    self._blocks[block.ref] = block
                    for vote in block.header.commit_votes:
                        voters = self._voters.setdefault(vote.index, {})
                        voters.setdefault((block.author, vote.digest), block)
            case StoreCommit():
                self._commits[write.commit.index] = write.commit
                self._schedule = write.schedule or self._schedule


class MemoryJournal:
    """A `consensus.ports.SignerJournal`; every append is durable at once, until it is lost."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.is_lost = False

    def open(self) -> "MemoryJournal":
        """Start a process on this journal."""
        return self

    def lose(self) -> None:
        """Lose the journal altogether."""
        self.is_lost = True

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Append and make durable before returning."""
        self._check()
        self.entries += entries

    def last(self) -> JournalEntry | None:
        """Return the last durable entry."""
        self._check()
        return self.entries[-1] if self.entries else None

    def _check(self) -> None:
        if self.is_lost:
            raise StorageError("there is no signer journal")
