"""The record of a commit: what the chain knows about it that is not in the state."""

from typing import Final

import msgspec

from node.ledger.checkpoint import NO_CHECKPOINT, Checkpoint, checkpoint_digest
from node.ledger.wire import (
    CommitIndexField,
    DigestField,
    EpochField,
    TimeField,
)
from primitives.codec import Codec
from primitives.ids import CommitIndex, Digest, Epoch, TimestampMs

COMMIT_RECORD_BYTES_MAX: Final = 1_024


class CommitRecord(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What one commit left; grows only at the end.

    Args:
        epoch: of the commit.
        commit_index: in that epoch; 0 for genesis, which is no commit.
        commit_digest: of the commit; zeros for genesis.
        time_ms: chain time after it.
        last_checkpoint: digest of the last checkpoint, that of this commit if it has one. The state
            cannot hold it, since a checkpoint covers the root of the state.
        checkpoint: of this commit, None if it got none.
    """

    epoch: EpochField
    commit_index: CommitIndexField
    commit_digest: DigestField
    time_ms: TimeField
    last_checkpoint: DigestField
    checkpoint: Checkpoint | None


COMMIT_RECORD_CODEC: Final[Codec[CommitRecord]] = Codec(
    CommitRecord, size_bytes_max=COMMIT_RECORD_BYTES_MAX
)


def genesis_record(time_ms: TimestampMs) -> CommitRecord:
    """Return the record of height 0."""
    return CommitRecord(
        epoch=Epoch(0),
        commit_index=CommitIndex(0),
        commit_digest=Digest(bytes(32)),
        time_ms=time_ms,
        last_checkpoint=NO_CHECKPOINT,
        checkpoint=None,
    )


def restored_record(checkpoint: Checkpoint) -> CommitRecord:
    """Return the record of the commit of a certified checkpoint, whose state came as a snapshot."""
    return CommitRecord(
        epoch=checkpoint.epoch,
        commit_index=checkpoint.commit_index,
        commit_digest=checkpoint.commit_digest,
        time_ms=checkpoint.timestamp_ms,
        last_checkpoint=checkpoint_digest(checkpoint),
        checkpoint=checkpoint,
    )
