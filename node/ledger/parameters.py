"""What every node of a chain must agree on; written once, into genesis.

A threshold that is read from local configuration instead is a fork. The sections are flat structs;
one grows only at its end.
"""

from typing import Final

import msgspec

from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.parameters import StakingParameters, check_staking_parameters
from node.ledger.transaction import EVIDENCE_BYTES_MAX, TRANSACTION_BYTES_MAX
from node.ledger.wire import AmountField, Counter, GasField, SpanField
from primitives.codec import Codec
from primitives.errors import ConfigurationError
from primitives.ids import DurationMs, Gas, Grain

GC_DEPTH_MIN: Final = 3
"""A wave of consensus has so many rounds."""

_SEAT_EVIDENCE_BYTES: Final = 184
_EVIDENCE_BYTES: Final = 1_024
"""The proof of an equivocation has two headers, each with a link and a vote for each seat."""

EVIDENCE_GAS: Final = 800_000
"""A slash walks the records of every epoch that evidence may be old, 14 ms for 480 of them."""

JUDGE_GAS: Final = 2_600
"""For each seat of a committee that judges evidence: its key is read and checked."""

_TRANSACTION_GAS_ROOM: Final = 2_000_000
"""For the bytes of the longest transaction, and whatever else it costs before it does anything."""

_PARAMETERS_BYTES_MAX: Final = 1_024


class FeeParameters(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """How the price of gas follows the load.

    Args:
        fee_initial: base fee per gas of the first commit.
        fee_min: the base fee never falls below it.
        gas_target: gas of one commit at which the base fee stays as it is.
        change_denominator: one commit moves the base fee by at most this part of itself; Ethereum
            has 8 for a block every 12 s, and commits come several times a second.
    """

    fee_initial: AmountField = Grain(1_000)
    fee_min: AmountField = Grain(100)
    gas_target: GasField = Gas(10_000_000)
    change_denominator: Counter = 64


class LimitParameters(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """How large a transaction may be.

    Args:
        transaction_bytes_max: with its signature; no more than an item of a block may have.
        transaction_gas_max: the greatest gas limit of one transaction, about 20 ns a gas.
        commit_gas_max: the greatest sum of gas limits that one commit executes.
        validity_max_ms: how far ahead of the chain's time `valid_until` may lie.
    """

    transaction_bytes_max: Counter = 65_536
    transaction_gas_max: GasField = Gas(25_000_000)
    commit_gas_max: GasField = Gas(50_000_000)
    validity_max_ms: SpanField = DurationMs(3_600_000)


class ConsensusParameters(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What the consensus room is started with; this room only keeps it.

    The fields are those of `consensus.parameters.Parameters`, which this floor cannot see.
    """

    leaders_per_round: Counter = 1
    gc_depth: Counter = 100
    schedule_window: Counter = 300
    transaction_bytes_max: Counter = 65_536
    payload_bytes_max: Counter = 262_144
    transactions_max: Counter = 512
    reports_max: Counter = 4


class LedgerParameters(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """Everything agreed.

    Args:
        epoch_duration_ms: the first commit at least this long after the epoch began closes it.
        trusting_period_ms: for how long a light client may rely on a committee; no longer than
            evidence counts, or the committee could have left with its stake.
    """

    fees: FeeParameters = FeeParameters()
    limits: LimitParameters = LimitParameters()
    staking: StakingParameters = StakingParameters()
    consensus: ConsensusParameters = ConsensusParameters()
    epoch_duration_ms: SpanField = DurationMs(3_600_000)
    trusting_period_ms: SpanField = DurationMs(1_209_600_000)


PARAMETERS_CODEC: Codec[LedgerParameters] = Codec(
    LedgerParameters, size_bytes_max=_PARAMETERS_BYTES_MAX
)
_PARAMETERS_KEY: Final = Room.CHAIN + b"parameters"


def read_parameters(state: StateReader) -> LedgerParameters:
    """Return the parameters that genesis wrote."""
    raw = state.get(_PARAMETERS_KEY)
    assert raw is not None, "a state without parameters has no genesis"
    return PARAMETERS_CODEC.decode_own(raw)


def write_parameters(overlay: Overlay, parameters: LedgerParameters) -> None:
    """Store the parameters."""
    overlay.put(_PARAMETERS_KEY, PARAMETERS_CODEC.encode(parameters))


def check_parameters(parameters: LedgerParameters) -> None:
    """Check what a chain with these parameters would trip over.

    Raises:
        ConfigurationError: one of them is out of its range; the message names it.
    """
    check_staking_parameters(parameters.staking)
    for complaint, holds in (*_ledger_rules(parameters), *_consensus_rules(parameters)):
        if not holds:
            raise ConfigurationError(complaint)


def _ledger_rules(parameters: LedgerParameters) -> tuple[tuple[str, bool], ...]:
    fees, limits = parameters.fees, parameters.limits
    evidence_window_ms = parameters.staking.evidence_window_epochs * parameters.epoch_duration_ms
    return (
        ("fees.fee_min must be at least 1", fees.fee_min >= 1),
        ("fees.fee_initial must not be below fees.fee_min", fees.fee_initial >= fees.fee_min),
        ("fees.gas_target must be at least 1", fees.gas_target >= 1),
        ("fees.change_denominator must be at least 2", fees.change_denominator >= 2),
        (
            "limits.transaction_bytes_max must be 1 to consensus.transaction_bytes_max",
            1 <= limits.transaction_bytes_max <= parameters.consensus.transaction_bytes_max,
        ),
        (
            f"limits.transaction_bytes_max must be at most {TRANSACTION_BYTES_MAX}",
            limits.transaction_bytes_max <= TRANSACTION_BYTES_MAX,
        ),
        (
            "limits.transaction_gas_max must be 1 to limits.commit_gas_max",
            1 <= limits.transaction_gas_max <= limits.commit_gas_max,
        ),
        (
            "fees.gas_target must not be above limits.commit_gas_max",
            fees.gas_target <= limits.commit_gas_max,
        ),
        ("limits.validity_max_ms must be at least 1", limits.validity_max_ms >= 1),
        ("epoch_duration_ms must be at least 1", parameters.epoch_duration_ms >= 1),
        (
            "trusting_period_ms must be 1 to the evidence window of the staking parameters",
            1 <= parameters.trusting_period_ms <= evidence_window_ms,
        ),
    )


def _consensus_rules(parameters: LedgerParameters) -> tuple[tuple[str, bool], ...]:
    agreed, seats = parameters.consensus, parameters.staking.committee_size_max
    proof_bytes_max = min(parameters.limits.transaction_bytes_max, EVIDENCE_BYTES_MAX)
    return (
        (
            "consensus.leaders_per_round must be 1 to staking.committee_size_max",
            1 <= agreed.leaders_per_round <= seats,
        ),
        (
            f"consensus.gc_depth must be at least {GC_DEPTH_MIN}",
            agreed.gc_depth >= GC_DEPTH_MIN,
        ),
        ("consensus.schedule_window must be at least 1", agreed.schedule_window >= 1),
        (
            "consensus.transaction_bytes_max must be 1 to consensus.payload_bytes_max",
            1 <= agreed.transaction_bytes_max <= agreed.payload_bytes_max,
        ),
        ("consensus.transactions_max must be at least 1", agreed.transactions_max >= 1),
        (
            "staking.committee_size_max must leave room for evidence in a transaction",
            seats * _SEAT_EVIDENCE_BYTES + _EVIDENCE_BYTES <= proof_bytes_max,
        ),
        (
            "limits.transaction_gas_max must pay for evidence about the greatest committee",
            EVIDENCE_GAS + 2 * JUDGE_GAS * seats + _TRANSACTION_GAS_ROOM
            <= parameters.limits.transaction_gas_max,
        ),
    )
