"""The facts of each epoch as consensus takes them: kept while evidence about the epoch counts."""

from typing import Final

import msgspec

from consensus.committee import (
    FIRST_EPOCH_PREVIOUS,
    Authority,
    Committee,
    EpochContext,
    EpochSpan,
)
from consensus.parameters import Parameters
from node.execution.errors import ForeignEvidenceError
from node.ledger.chain import ChainRecord
from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.parameters import LedgerParameters
from node.ledger.staking.records import Members
from node.ledger.wire import DigestField, TimeField
from primitives.codec import Codec
from primitives.ids import ChainId, Digest, Epoch, TimestampMs


class EpochRecord(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """When an epoch runs, and what it follows.

    Args:
        previous: the last checkpoint of the epoch before; zeros for the first epoch.
    """

    starts_at_ms: TimeField
    closes_at_ms: TimeField
    previous: DigestField


_EPOCH: Final = Room.CHAIN + b"epoch"
_EPOCH_CODEC: Final = Codec(EpochRecord, size_bytes_max=64)


def opening_record(
    chain: ChainRecord, *, parameters: LedgerParameters, last_checkpoint: Digest
) -> EpochRecord:
    """Return the facts of an epoch that has had no commit yet.

    What its first commit stores and what consensus starts it with must be the same.

    Args:
        chain: before the first commit of the epoch.
        parameters: of the chain.
        last_checkpoint: digest of the last one, that of the end of the epoch before.
    """
    starts_at_ms = chain.epoch_started_ms
    return EpochRecord(
        starts_at_ms=starts_at_ms,
        closes_at_ms=TimestampMs(starts_at_ms + parameters.epoch_duration_ms),
        previous=last_checkpoint if chain.epoch else FIRST_EPOCH_PREVIOUS,
    )


def write_epoch(overlay: Overlay, epoch: Epoch, record: EpochRecord) -> None:
    """Store the facts of an epoch at its first commit, when the last checkpoint is known."""
    overlay.put(_key(epoch), _EPOCH_CODEC.encode(record))


def has_epoch(state: StateReader, epoch: Epoch) -> bool:
    """Tell whether the epoch has had a commit and is not forgotten."""
    return state.get(_key(epoch)) is not None


def start_of(state: StateReader, epoch: Epoch) -> TimestampMs:
    """Return when an epoch began that has had a commit and is not forgotten."""
    raw = state.get(_key(epoch))
    assert raw is not None, f"nothing is known of epoch {epoch}"
    return _EPOCH_CODEC.decode(raw).starts_at_ms


def forget_epoch(overlay: Overlay, epoch: Epoch) -> None:
    """Drop the facts of an epoch about which no evidence counts any more."""
    overlay.delete(_key(epoch))


def read_context(
    state: StateReader,
    *,
    chain_id: ChainId,
    epoch: Epoch,
    parameters: LedgerParameters,
    members: Members,
) -> EpochContext:
    """Return the epoch as it was, or is.

    Raises:
        ForeignEvidenceError: it had no commit yet, or is forgotten.
    """
    raw = state.get(_key(epoch))
    if raw is None:
        raise ForeignEvidenceError(f"nothing is known of epoch {epoch}")
    record = _EPOCH_CODEC.decode(raw)
    return context_of(
        record, chain_id=chain_id, epoch=epoch, parameters=parameters, members=members
    )


def context_of(
    record: EpochRecord,
    *,
    chain_id: ChainId,
    epoch: Epoch,
    parameters: LedgerParameters,
    members: Members,
) -> EpochContext:
    """Return the epoch as the consensus room takes it."""
    agreed = parameters.consensus
    return EpochContext(
        chain_id=chain_id,
        epoch=epoch,
        committee=Committee(
            [Authority(member.power, member.keys.consensus_key) for member in members]
        ),
        parameters=Parameters(
            leaders_per_round=min(agreed.leaders_per_round, len(members)),
            gc_depth=agreed.gc_depth,
            schedule_window=agreed.schedule_window,
            transaction_bytes_max=agreed.transaction_bytes_max,
            payload_bytes_max=agreed.payload_bytes_max,
            transactions_max=agreed.transactions_max,
            reports_max=agreed.reports_max,
        ),
        span=EpochSpan(starts_at_ms=record.starts_at_ms, closes_at_ms=record.closes_at_ms),
        previous=record.previous,
    )


def _key(epoch: Epoch) -> bytes:
    return _EPOCH + epoch.to_bytes(8, "big")
