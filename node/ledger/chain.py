"""The one record of what the chain knows about itself, and the counters of its money."""

from typing import Final

import msgspec

from node.ledger.checkpoint import NO_CHECKPOINT
from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.wire import (
    AmountField,
    ChainIdField,
    CommitIndexField,
    Counter,
    DigestField,
    EpochField,
    HeightField,
    TimeField,
)
from primitives.codec import Codec
from primitives.ids import CommitIndex, Epoch, Grain, Height

_CHAIN_BYTES_MAX: Final = 256


class Supply(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How much money came and went, over the life of the chain."""

    genesis: AmountField
    minted: AmountField = Grain(0)
    burned: AmountField = Grain(0)

    @property
    def circulating(self) -> int:
        """What must be in the accounts, staked and escrowed money included."""
        return self.genesis + self.minted - self.burned


class ChainRecord(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The chain after a commit.

    Args:
        chain_id: the digest of the genesis file.
        height: commits since genesis.
        epoch: that of the next commit.
        commit_index: of the last commit in the epoch; 0 before its first.
        time_ms: of the last commit.
        epoch_started_ms: the time that the epoch counts from.
        base_fee: per gas, of the next commit.
        supply: see `Supply`.
        checkpoint_count: checkpoints so far; the number of the next.
        last_checkpoint: digest of the last one, zeros before the first.
    """

    chain_id: ChainIdField
    height: HeightField = Height(0)
    epoch: EpochField = Epoch(0)
    commit_index: CommitIndexField = CommitIndex(0)
    time_ms: TimeField
    epoch_started_ms: TimeField
    base_fee: AmountField
    supply: Supply
    checkpoint_count: Counter = 0
    last_checkpoint: DigestField = NO_CHECKPOINT


CHAIN_CODEC: Codec[ChainRecord] = Codec(ChainRecord, size_bytes_max=_CHAIN_BYTES_MAX)
CHAIN_KEY: Final = bytes(Room.CHAIN)


def read_chain(state: StateReader) -> ChainRecord:
    """Return the record of a state that has a genesis."""
    raw = state.get(CHAIN_KEY)
    assert raw is not None, "a state without a chain record has no genesis"
    return CHAIN_CODEC.decode_own(raw)


def write_chain(overlay: Overlay, record: ChainRecord) -> None:
    """Store the record."""
    overlay.put(CHAIN_KEY, CHAIN_CODEC.encode(record))
