"""What consensus needs from the world, as Protocols that the shell's owner implements.

The core never calls these; `driver` and the simulator do, when they carry out effects.
`tests/conformance` holds the suites that every implementation must pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from consensus.block import BlockRef, SignedBlock
from consensus.commit import Commit, CommittedSubDag
from consensus.committee import EpochContext
from consensus.events import (
    CloseEpoch,
    JournalEntry,
    PayloadReturned,
    PublishEvidence,
    RaiseAlarm,
    ReportPeer,
    StoreBlocks,
    StoreCommit,
)
from consensus.recovery import StoredState
from primitives.ids import AuthorityIndex, CommitIndex
from primitives.keys import PrivateKey

T = TypeVar("T")

Notice = PublishEvidence | PayloadReturned | ReportPeer | RaiseAlarm | CloseEpoch


class BlockStore(Protocol):
    """Blocks and commits of one epoch; writes become durable in order, at `sync` at the latest."""

    def append(self, write: StoreBlocks | StoreCommit) -> None:
        """Write; a crash may lose any suffix of what was not synced, never a part before one."""
        ...

    def sync(self) -> None:
        """Make every earlier write durable.

        Raises:
            StorageError: it is unknown what is durable; the node must stop.
        """
        ...

    def read_blocks(self, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        """Return those of the blocks that are stored, in the order asked."""
        ...

    def read_commits(self, first: CommitIndex, last: CommitIndex) -> tuple[Commit, ...]:
        """Return the stored commits first..last, up to the first gap."""
        ...

    def read_voters(self, index: CommitIndex) -> tuple[SignedBlock, ...]:
        """Return stored blocks that vote for commit `index`, at most one per author and digest."""
        ...

    def recover(self, *, gc_depth: int) -> StoredState:
        """Return what a restarting core needs; see `StoredState`."""
        ...


class SignerJournal(Protocol):
    """The append-only record of signed rounds, apart from the main store."""

    def append(self, entries: tuple[JournalEntry, ...]) -> None:
        """Append and make durable before returning.

        Raises:
            StorageError: the node must stop and must not sign.
        """
        ...

    def last(self) -> JournalEntry | None:
        """Return the last durable entry; None for a journal that was created and never used.

        Raises:
            StorageError: there is no journal: it was lost, and nothing may be signed.
        """
        ...


class Network(Protocol):
    """Message delivery between authorities; it may lose, repeat and reorder."""

    async def broadcast(self, message: bytes) -> None:
        """Send to every peer that subscribes to us."""
        ...

    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        """Send to one peer."""
        ...

    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        """Wait for the next message; the sender is authenticated by the connection."""
        ...


class CommitSink(Protocol):
    """The executor's end."""

    async def deliver(self, sub_dag: CommittedSubDag) -> None:
        """Take the next commit; doing one twice must be harmless."""
        ...

    async def notify(self, notice: Notice) -> None:
        """Take what is not a commit: evidence, returned payload, peer reports, alarms."""
        ...

    def last_index(self) -> CommitIndex:
        """Return the index of the last commit that was executed durably in this epoch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one validator holds in one epoch.

    Args:
        sink: the executor's end for this epoch, so its `last_index` counts this epoch's commits.
        close_at: the commit that operators agreed to close the epoch with, if they did.
    """

    own: AuthorityIndex
    key: PrivateKey
    store: BlockStore
    journal: SignerJournal
    sink: CommitSink
    close_at: CommitIndex | None = None


class Epochs(Protocol):
    """Where epochs come from: the ledger, and the storage of each."""

    def open(self, context: EpochContext) -> Seat:
        """Open what is stored of an epoch, or begin it; may block.

        A journal is made only for an epoch that begins now: one that was lost stays lost in
        every epoch that had begun by then, or this key would sign a round twice.

        Raises:
            StorageError: it cannot be opened.
        """
        ...

    async def next_epoch(self, context: EpochContext, closing: Commit) -> EpochContext:
        """Return the epoch after a closed one; all its commits were delivered before this."""
        ...


class Blocking(Protocol):
    """Where calls that wait for a disk are made: in a thread, or here if they never wait."""

    async def call(self, work: Callable[[], T]) -> T:
        """Return what the call returns, after it ended; even a cancelled caller waits for that."""
        ...
