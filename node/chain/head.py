"""The head: where the chain of this node is, as everybody in the node sees it."""

import msgspec

from primitives.ids import CommitIndex, Digest, Epoch, Grain, Height, TimestampMs


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The chain after its last durable commit.

    Args:
        epoch: that of the next commit.
        commit_index: of the last commit in that epoch; 0 before its first.
        height: commits since genesis.
        time_ms: of the last commit.
        state_root: after it.
        base_fee: per gas, of the next commit.
        checkpoint_count: checkpoints so far; the number of the next.
        last_checkpoint: digest of the last one, zeros before the first.
    """

    epoch: Epoch
    commit_index: CommitIndex
    height: Height
    time_ms: TimestampMs
    state_root: Digest
    base_fee: Grain
    checkpoint_count: int
    last_checkpoint: Digest
