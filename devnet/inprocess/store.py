"""The block store and the signer journal of a devnet node: an index in memory over a log.

They keep the contracts of `consensus.ports` and pass its conformance suites; what they lack is
bounded memory and pruning, which come with the node's LMDB store.
"""

import msgspec

from consensus.block import HEADER_CODEC, Block, BlockRef, SignedBlock, header_digest
from consensus.commit import COMMIT_BYTES_MAX, Commit
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.recovery import StoredState
from consensus.schedule import ScheduleRecord
from devnet.inprocess.logs import Log
from primitives.codec import Codec
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round

RECORD_BYTES_MAX = COMMIT_BYTES_MAX + 65_536
"""A commit may be as long as a message, and a schedule comes with it."""


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """One write of the store."""


class _BlockRecord(_Record, frozen=True, tag=1):
    block: SignedBlock


class _CommitRecord(_Record, frozen=True, tag=2):
    commit: Commit
    schedule: ScheduleRecord | None


RECORD_CODEC: Codec[_BlockRecord | _CommitRecord] = Codec(
    _BlockRecord | _CommitRecord,  # type: ignore[arg-type]
    size_bytes_max=RECORD_BYTES_MAX,
)
ENTRY_CODEC: Codec[JournalEntry] = Codec(JournalEntry, size_bytes_max=1_024)


class LoggedBlockStore:
    """Implements `consensus.ports.BlockStore` for one epoch: an index over a log of writes."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._blocks: dict[BlockRef, Block] = {}
        self._commits: list[Commit] = []
        self._schedule: ScheduleRecord | None = None
        self._voters: dict[CommitIndex, dict[tuple[AuthorityIndex, Digest], SignedBlock]] = {}
        for raw in log.records():
            match RECORD_CODEC.decode(raw):
                case _BlockRecord(block=signed):
                    self._add_block(_block_of(signed))
                case _CommitRecord(commit=commit, schedule=schedule):
                    self._add_commit(commit, schedule)

    def append(self, write: StoreBlocks | StoreCommit) -> None:
        """Append to the log and to the index."""
        match write:
            case StoreBlocks():
                for block in write.blocks:
                    self._log.append(RECORD_CODEC.encode(_BlockRecord(block.signed)))
                    self._add_block(block)
            case StoreCommit():
                self._log.append(RECORD_CODEC.encode(_CommitRecord(write.commit, write.schedule)))
                self._add_commit(write.commit, write.schedule)

    def sync(self) -> None:
        """Make everything durable."""
        self._log.sync()

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        """Return stored blocks."""
        return tuple(self._blocks[ref].signed for ref in refs if ref in self._blocks)

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        """Return stored commits."""
        return tuple(self._commits[max(first, 1) - 1 : max(last, 0)])

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        """Return blocks that vote for a commit."""
        return tuple(self._voters.get(index, {}).values())

    def recover(self, *, gc_depth: int) -> StoredState:
        """Return what a restart needs."""
        floor = Round(0)
        if self._schedule is not None:
            boundary = self._commits[self._schedule.boundary_index - 1]
            floor = Round(max(0, boundary.leader.round - gc_depth))
        return StoredState(
            schedule=self._schedule,
            commits=tuple(c for c in self._commits if c.leader.round > floor),
            blocks=tuple(block for ref, block in self._blocks.items() if ref.round > floor),
            floor=floor,
        )

    def _add_block(self, block: Block) -> None:
        self._blocks[block.ref] = block
        for vote in block.header.commit_votes:
            voters = self._voters.setdefault(vote.index, {})
            voters.setdefault((block.author, vote.digest), block.signed)

    def _add_commit(self, commit: Commit, schedule: ScheduleRecord | None) -> None:
        assert commit.index == len(self._commits) + 1, "a commit was left out"
        self._commits.append(commit)
        self._schedule = schedule or self._schedule


class LoggedJournal:
    """Implements `consensus.ports.SignerJournal` for one epoch.

    Args:
        log: None for a journal that was lost.
    """

    def __init__(self, log: Log | None) -> None:
        self._log = log
        self._last: JournalEntry | None = None
        for raw in log.records() if log is not None else ():
            self._last = ENTRY_CODEC.decode(raw)

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Append durably."""
        log = self._existing()
        for entry in entries:
            log.append(ENTRY_CODEC.encode(entry))
            self._last = entry
        log.sync()

    def last(self) -> JournalEntry | None:
        """Return the last entry.

        Raises:
            StorageError: the journal is lost.
        """
        self._existing()
        return self._last

    def _existing(self) -> Log:
        if self._log is None:
            raise StorageError("the signer journal is missing")
        return self._log


def _block_of(signed: SignedBlock) -> Block:
    header = HEADER_CODEC.decode(signed.header)
    ref = BlockRef(header.round, header.author, header_digest(signed.header))
    return Block(ref=ref, header=header, signed=signed)
