"""The inputs and the effects of the consensus core: its whole contract with the world.

`Core.handle` takes one input and the time and returns effects. The shell must carry them out in
order, each to its end before the next, and all of them before the next input: that order is
what makes "durable before visible" hold, and the simulator crashes nodes between any two.
"""

import enum
from collections.abc import Mapping

import msgspec

from consensus.block import Block, BlockRef
from consensus.commit import Commit, CommittedSubDag
from consensus.evidence import Evidence
from consensus.messages import AnyMessage
from consensus.schedule import ScheduleRecord
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Epoch, Round


class Origin(enum.Enum):
    """How blocks came: along their author's stream, or from whoever had them."""

    STREAM = "stream"
    RELAYED = "relayed"


class Timer(enum.Enum):
    """The timers of a core; setting one replaces the earlier one of its name."""

    PROPOSE = "propose"
    TICK = "tick"
    CONTINUE = "continue"


class Booted(msgspec.Struct, frozen=True):
    """The first input of a core, after recovery."""


class BlocksReceived(msgspec.Struct, frozen=True):
    """Verified blocks from a peer."""

    peer: AuthorityIndex
    blocks: tuple[Block, ...]
    origin: Origin


class BlocksRequested(msgspec.Struct, frozen=True):
    """A peer asks for blocks; see `FetchMessage`."""

    peer: AuthorityIndex
    refs: tuple[BlockRef, ...]
    frontier: tuple[int, ...]


class CommitsReceived(msgspec.Struct, frozen=True):
    """A peer's answer to a commit request, with the certifying blocks verified."""

    peer: AuthorityIndex
    commits: tuple[Commit, ...]
    certifiers: tuple[Block, ...]


class LatestQueried(msgspec.Struct, frozen=True):
    """A booting peer asks for its newest block."""

    peer: AuthorityIndex


class LatestAnswered(msgspec.Struct, frozen=True):
    """A peer's answer about our newest block, verified to be ours."""

    peer: AuthorityIndex
    block: Block | None


class TimerFired(msgspec.Struct, frozen=True):
    """A timer that the core set is due."""

    timer: Timer


class PayloadSubmitted(msgspec.Struct, frozen=True):
    """Payload items for own blocks; what does not fit comes back in `PayloadReturned`."""

    items: tuple[bytes, ...]


class SubscribersChanged(msgspec.Struct, frozen=True):
    """How many peers take our stream; with none, proposing makes no sense."""

    count: int


class EpochCloseForced(msgspec.Struct, frozen=True):
    """Operators agreed to close the epoch with this commit, should its deadline never come."""

    index: CommitIndex


Input = (
    Booted
    | BlocksReceived
    | BlocksRequested
    | CommitsReceived
    | LatestQueried
    | LatestAnswered
    | TimerFired
    | PayloadSubmitted
    | SubscribersChanged
    | EpochCloseForced
)


class JournalEntry(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False
):
    """A round that this key has signed, or is about to sign; never two for one round."""

    epoch: Epoch
    round: Round
    digest: Digest


class AppendJournal(msgspec.Struct, frozen=True):
    """Append to the signer journal and make it durable before going on."""

    entries: tuple[JournalEntry, ...]


class StoreBlocks(msgspec.Struct, frozen=True):
    """Append blocks to the store, parents before children; durable at the next `SyncStore`."""

    blocks: tuple[Block, ...]


class StoreCommit(msgspec.Struct, frozen=True):
    """Append a commit, and at a schedule boundary the schedule that follows it."""

    commit: Commit
    digest: Digest
    schedule: ScheduleRecord | None


class SyncStore(msgspec.Struct, frozen=True):
    """Make everything stored so far durable before going on."""


class Broadcast(msgspec.Struct, frozen=True):
    """Send an own block to every subscriber."""

    block: Block


class Send(msgspec.Struct, frozen=True):
    """Send a message to one peer; it may be lost."""

    peer: AuthorityIndex
    message: AnyMessage


class ServeFromStore(msgspec.Struct, frozen=True):
    """Answer a request for blocks that memory no longer holds, from the store."""

    peer: AuthorityIndex
    refs: tuple[BlockRef, ...]


class SetTimer(msgspec.Struct, frozen=True):
    """Fire `timer` at this reading of the monotonic clock, in place of its earlier setting."""

    timer: Timer
    at_ms: int


class Deliver(msgspec.Struct, frozen=True):
    """Hand a committed sub-DAG to the executor; indices follow each other without a gap."""

    sub_dag: CommittedSubDag


class PublishEvidence(msgspec.Struct, frozen=True):
    """Hand a new proof of equivocation to the ledger's evidence pool."""

    author: AuthorityIndex
    evidence: Evidence


class PayloadReturned(msgspec.Struct, frozen=True):
    """Give payload back to the submitter: refused, or in an own block that will never commit."""

    items: tuple[bytes, ...]


class ReportPeer(msgspec.Struct, frozen=True):
    """Tell the connection layer that a peer misbehaved."""

    peer: AuthorityIndex
    reason: str


class AlarmKind(enum.Enum):
    """What a human must look at."""

    FOREIGN_OWN_BLOCK = "a block of ours that our journal does not know: key shared or journal lost"
    JOURNAL_LOST = "no signer journal: nothing is signed before the next epoch"
    CERTIFIED_TWINS = "two certified blocks in one slot: more than f power is faulty"
    CLOSE_MISSED = "a forced close came after the commit that it names: this node goes on"
    COMMIT_MISMATCH = "validity power votes for another commit than ours"


class RaiseAlarm(msgspec.Struct, frozen=True):
    """Raise an alarm; the node goes on serving reads."""

    kind: AlarmKind
    detail: str


class CloseEpoch(msgspec.Struct, frozen=True):
    """The epoch ended with this commit; what follows it in the old DAG is void."""

    index: CommitIndex
    digest: Digest


DiskEffect = StoreBlocks | StoreCommit | SyncStore | AppendJournal
OtherEffect = (
    Broadcast
    | Send
    | ServeFromStore
    | SetTimer
    | Deliver
    | PublishEvidence
    | PayloadReturned
    | ReportPeer
    | RaiseAlarm
    | CloseEpoch
)
Effect = DiskEffect | OtherEffect

DURABLE_FIRST: Mapping[type, tuple[type, ...]] = {
    Broadcast: (AppendJournal, SyncStore),
    Deliver: (SyncStore,),
}
"""Which effects must have come, and ended, before one becomes visible outside."""
