"""Blocks and commits of an epoch in LMDB: what `consensus.ports.BlockStore` asks for.

Writes collect in one batch until `sync`, and reads look there first. A crash loses the batch as a
whole, which is a suffix of what was written; a boundary commit and the schedule that it begins are
in one batch always. Everything is keyed by epoch, so that several epochs share the tables, and one
that is no longer served is dropped in steps of bounded size.

Belongs to one thread at a time, that of the consensus driver's blocking calls.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, Self

from consensus.block import (
    HEADER_CODEC,
    INT64_MAX,
    Block,
    BlockRef,
    SignedBlock,
)
from consensus.commit import COMMIT_BYTES_MAX, COMMIT_CODEC, Commit
from consensus.committee import EpochContext
from consensus.events import StoreBlocks, StoreCommit
from consensus.recovery import StoredState
from consensus.schedule import ScheduleRecord
from node.storage.batch import WriteBatch
from node.storage.environment import Environment
from node.storage.errors import DamagedDatabaseError, DiskReserveError, ForeignDatabaseError
from node.storage.table import AnyTable, Number, Packed, RawBytes, Table
from node.storage.transaction import Snapshot
from node.storage.writer import Writer
from primitives.codec import Codec
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Round

PENDING_BYTES_MAX: Final = 8 << 20
"""What may wait for a `sync`; beyond it a write syncs by itself."""

DROP_RECORDS_MAX: Final = 4_096
"""What one step of dropping an epoch deletes."""

DIGEST_MAX: Final = b"\xff" * 32
SCHEDULE_BYTES_MAX: Final = 1 << 16
BLOCK_BYTES_MAX: Final = COMMIT_BYTES_MAX

BlockKey = tuple[int, int, int, bytes]
"""Epoch, round, author, digest: parents come before their children."""

VoterKey = tuple[int, int, int, bytes]
"""Epoch, commit index, author of the vote, digest that it names."""

EPOCHS: Final[Table[int, bytes]] = Table("epochs", key=Number(), value=RawBytes())
"""By epoch that has begun: its genesis digest."""

BLOCKS: Final[Table[BlockKey, SignedBlock]] = Table(
    "blocks",
    key=Packed("QQQ32s"),
    # What consensus accepted must fit; how large that may be is for consensus to say.
    value=Codec(SignedBlock, size_bytes_max=BLOCK_BYTES_MAX),
)
VOTERS: Final[Table[VoterKey, BlockRef]] = Table(
    "voters", key=Packed("QQQ32s"), value=Codec(BlockRef, size_bytes_max=128)
)
"""The first block of an author that votes for a digest as a commit."""

COMMITS: Final[Table[tuple[int, int], Commit]] = Table(
    "commits", key=Packed("QQ"), value=COMMIT_CODEC
)
SCHEDULES: Final[Table[int, ScheduleRecord]] = Table(
    "schedules", key=Number(), value=Codec(ScheduleRecord, size_bytes_max=SCHEDULE_BYTES_MAX)
)
"""By epoch: the schedule of the last boundary."""

DROPPED_TABLES: Final[tuple[AnyTable, ...]] = (BLOCKS, VOTERS, COMMITS, SCHEDULES)
"""What is deleted with an epoch."""

BLOCK_TABLES: Final[tuple[AnyTable, ...]] = (EPOCHS, *DROPPED_TABLES)
"""What the schema of an environment must list for this store."""


class LmdbBlockStore:
    """Implements `consensus.ports.BlockStore` for one epoch."""

    def __init__(
        self,
        environment: Environment,
        writer: Writer,
        *,
        epoch: Epoch,
        pending_bytes_max: int,
    ) -> None:
        self._environment = environment
        self._writer = writer
        self._epoch = epoch
        self._pending_bytes_max = pending_bytes_max
        self._pending = WriteBatch()

    @classmethod
    def open(
        cls,
        environment: Environment,
        writer: Writer,
        context: EpochContext,
        *,
        pending_bytes_max: int = PENDING_BYTES_MAX,
    ) -> Self:
        """Open the store of an epoch; one that has not begun begins now.

        Raises:
            ForeignDatabaseError: an epoch of this number is stored and is another one.
        """
        with environment.snapshot() as snapshot:
            genesis = snapshot.get(EPOCHS, context.epoch)
        if genesis is None:
            batch = WriteBatch()
            batch.put(EPOCHS, context.epoch, context.genesis_digest)
            writer.write(batch)
        elif genesis != context.genesis_digest:
            raise ForeignDatabaseError(
                path=environment.path,
                subject=f"epoch {context.epoch}",
                expected=context.genesis_digest.hex(),
                actual=genesis.hex(),
            )
        return cls(environment, writer, epoch=context.epoch, pending_bytes_max=pending_bytes_max)

    @property
    def pending_count(self) -> int:
        """Return how many records wait for a `sync`."""
        return len(self._pending)

    def append(self, write: StoreBlocks | StoreCommit) -> None:
        """Write; a crash may lose any suffix of what was not synced."""
        match write:
            case StoreBlocks():
                with self._environment.snapshot() as snapshot:
                    for block in write.blocks:
                        self._add_block(block, snapshot)
            case StoreCommit():
                self._add_commit(write)
        if self._pending.size_bytes > self._pending_bytes_max:
            self.sync()

    def sync(self) -> None:
        """Make every earlier write durable.

        Raises:
            DiskReserveError: nothing of it is durable yet; a later call writes all of it.
            StorageError: it is unknown what is durable; the node must stop.
        """
        if self._pending:
            batch, self._pending = self._pending, WriteBatch()
            try:
                self._writer.write(batch)
            except DiskReserveError:
                # A later sync that left this out would vouch for what is not there.
                batch.unseal()
                self._pending = batch
                raise

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        """Return those of the blocks that are stored, in the order asked."""
        with self._environment.snapshot() as snapshot:
            found = [self._block(ref, snapshot) for ref in refs]
        return tuple(signed for signed in found if signed is not None)

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        """Return the stored commits first..last, up to the first gap."""
        commits: list[Commit] = []
        with self._environment.snapshot() as snapshot:
            for index in range(max(first, 0), min(last, INT64_MAX) + 1):
                key = self._epoch, index
                commit = self._pending.get(COMMITS, key) or snapshot.get(COMMITS, key)
                if commit is None:
                    break
                commits.append(commit)
        return tuple(commits)

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        """Return stored blocks that vote for a commit, at most one per author and digest."""
        first = self._epoch, index, 0, b""
        last = self._epoch, index, INT64_MAX, DIGEST_MAX
        with self._environment.snapshot() as snapshot:
            voters = dict(snapshot.scan(VOTERS, first=first, last=last))
            voters.update(self._pending.scan(VOTERS, first=first, last=last))
            blocks = [self._block(ref, snapshot) for ref in voters.values()]
        if None in blocks:
            raise self._damaged(f"a block that votes for commit {index} is missing")
        return tuple(signed for signed in blocks if signed is not None)

    def recover(self, *, gc_depth: int) -> StoredState:
        """Return what a restarting core needs.

        Raises:
            StorageError: the store contradicts itself.
        """
        self.sync()
        with self._environment.snapshot() as snapshot:
            schedule = snapshot.get(SCHEDULES, self._epoch)
            floor = Round(0)
            if schedule is not None:
                boundary = snapshot.get(COMMITS, (self._epoch, schedule.boundary_index))
                if boundary is None:
                    raise self._damaged(f"commit {schedule.boundary_index} is missing")
                floor = Round(max(0, boundary.leader.round - gc_depth))
            commits = tuple(self._commits_above(floor, snapshot))[::-1]
            blocks = tuple(self._blocks_above(floor, snapshot))
        return StoredState(schedule=schedule, commits=commits, blocks=blocks, floor=floor)

    def _add_block(self, block: Block, snapshot: Snapshot) -> None:
        ref = block.ref
        self._pending.put(BLOCKS, self._key(ref), block.signed)
        for vote in block.header.commit_votes:
            key = self._epoch, vote.index, ref.author, vote.digest
            # The first block that votes so is enough, and it stays where it is.
            if (self._pending.get(VOTERS, key) or snapshot.get(VOTERS, key)) is None:
                self._pending.put(VOTERS, key, ref)

    def _add_commit(self, write: StoreCommit) -> None:
        self._pending.put(COMMITS, (self._epoch, write.commit.index), write.commit)
        if write.schedule is not None:
            self._pending.put(SCHEDULES, self._epoch, write.schedule)

    def _key(self, ref: BlockRef) -> BlockKey:
        return self._epoch, ref.round, ref.author, ref.digest

    def _block(self, ref: BlockRef, snapshot: Snapshot) -> SignedBlock | None:
        key = self._key(ref)
        return self._pending.get(BLOCKS, key) or snapshot.get(BLOCKS, key)

    def _commits_above(self, floor: Round, snapshot: Snapshot) -> Iterator[Commit]:
        """Yield the commits whose leader is above a round, the last one first."""
        first, last = (self._epoch, 0), (self._epoch, INT64_MAX)
        above: int | None = None
        for (_, index), commit in snapshot.scan_back(COMMITS, first=first, last=last):
            if above is not None and index != above - 1:
                raise self._damaged(f"commit {above - 1} is missing")
            # Leaders rise with the index, so nothing below this one lies above the floor.
            if commit.leader.round <= floor:
                return
            above = index
            yield commit

    def _blocks_above(self, floor: Round, snapshot: Snapshot) -> Iterator[Block]:
        first = self._epoch, floor + 1, 0, b""
        last = self._epoch, INT64_MAX, INT64_MAX, DIGEST_MAX
        for (_, number, author, digest), signed in snapshot.scan(BLOCKS, first=first, last=last):
            ref = BlockRef(Round(number), AuthorityIndex(author), Digest(digest))
            yield Block(ref=ref, header=HEADER_CODEC.decode(signed.header), signed=signed)

    def _damaged(self, reason: str) -> DamagedDatabaseError:
        return DamagedDatabaseError(path=self._environment.path, reason=reason)


def has_begun(environment: Environment, epoch: Epoch) -> bool:
    """Tell whether an epoch was ever opened here; if so, a journal that is missing was lost."""
    with environment.snapshot() as snapshot:
        return snapshot.get(EPOCHS, epoch) is not None


def drop_epoch(
    environment: Environment,
    writer: Writer,
    epoch: Epoch,
    *,
    records_max: int = DROP_RECORDS_MAX,
) -> None:
    """Delete what is stored of an epoch that is no longer served, all but that it began.

    Each step is a commit of its own and deletes at most `records_max` records.
    """
    while batch := _deletions(environment, epoch, records_max):
        writer.write(batch)


def delete_epochs(
    snapshot: Snapshot, batch: WriteBatch, *, kept_from: Epoch, records_max: int
) -> int:
    """Delete what is stored of epochs below one, the oldest first; return how many records.

    For who deletes a little with each of its own writes, instead of all at once.
    """
    deleted = 0
    for table in DROPPED_TABLES:
        for key in snapshot.scan_keys(table):
            epoch = key[0] if isinstance(key, tuple) else key
            if epoch >= kept_from or deleted >= records_max:
                break
            batch.delete(table, key)
            deleted += 1
    return deleted


def _deletions(environment: Environment, epoch: Epoch, records_max: int) -> WriteBatch:
    """Return the next step: the first records of the epoch that are still there."""
    batch = WriteBatch()
    first = epoch.to_bytes(8, "big")
    last = first + b"\xff" * 64
    with environment.snapshot() as snapshot:
        for table in DROPPED_TABLES:
            records = snapshot.scan_sealed(table, first=first, last=last)
            for raw_key, _ in islice(records, records_max - len(batch)):
                batch.delete(table, table.decode_key(raw_key, path=environment.path))
    return batch
