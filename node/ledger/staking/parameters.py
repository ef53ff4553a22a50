"""The numbers of proof of stake that every node of a chain agrees on; written into genesis.

Shares of something are in basis points, ten thousandths. Spans are in epochs, since the staking
records change at epoch boundaries alone.
"""

from typing import Final

import msgspec

from node.ledger.wire import AmountField, Counter, PowerField
from primitives.errors import ConfigurationError
from primitives.ids import Grain, Power

WHOLE_BP: Final = 10_000
"""All of something, in basis points."""

POWER_TOTAL: Final = Power(10_000)
"""The voting power of every committee; Sui's number."""

BYZANTINE_COMMITTEE_MIN: Final = 4
"""The least committee that tolerates a fault; the limit on change holds from here on."""

COMMITTEE_SIZE_LIMIT: Final = 1_000
"""No parameter lets a committee be larger: the consensus room takes no more."""

VALIDATORS_LIMIT: Final = 1_000
"""No parameter lets more validators register: the roster is one record, walked every epoch."""

UNBONDING_EPOCHS_LIMIT: Final = 10_000
"""No parameter lets unbonding last longer: a slash looks at one record for each of its epochs."""

ENTRIES_LIMIT: Final = 64
"""No parameter lets one delegation or one validator have more entries of a kind."""

_HANSE: Final = 1_000_000_000


class StakingParameters(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """How stake is bonded, weighed, rewarded and lost.

    Args:
        committee_size_max: seats; the candidates with the most stake get them.
        validators_max: registered validators, seated or not.
        stake_join_min: pool tokens that a candidate needs to win a seat.
        stake_leave_min: a seated validator below this leaves after the grace.
        stake_drop_min: a seated validator below this leaves at the next boundary: it would rule
            with nothing at stake.
        stake_pool_min: least first stake of a validator; a smaller pool without a seat is closed,
            so that places in the roster are not to be had for nothing.
        grace_epochs: epochs in a row that a seated validator may be below `stake_leave_min`.
        delegation_min: least single deposit, and least that may stay when some is taken out.
        unbonding_epochs: epochs from the request until the money is free.
        evidence_window_epochs: how old an offence may be; shorter than unbonding, so that no stake
            is free while evidence against it counts.
        slash_equivocation_bp: part of the stake lost for two blocks in one slot.
        slash_conflict_bp: part of the stake lost for two votes on one commit or checkpoint.
        slash_downtime_bp: part of the stake lost when jailed for absence.
        reporter_share_bp: part of what the offender's own stake lost that goes to whoever brought
            the evidence.
        commission_min_bp: least part of the reward that a validator may keep.
        commission_max_bp: greatest part of the reward that a validator may keep.
        jail_epochs: epochs before a jailed validator may ask to be a candidate again.
        attendance_min_bp: a validator with blocks in fewer of the rounds is absent.
        absences_max: epochs in a row that a validator may be absent; one more and it is jailed.
        rounds_judged_min: in an epoch with fewer committed rounds nobody is absent.
        power_cap: most power of one seat, unless the committee is too small to add up.
        power_change_max: most power that changes hands at a boundary by choice; below a third.
        emission_per_epoch: new money for the pot of each epoch.
        unbonding_entries_max: entries of one kind that one delegation may have waiting.
        redelegation_targets_max: validators to which stake may move from one validator per epoch;
            each one more takes a move of twice the size to open.
    """

    committee_size_max: Counter = 100
    validators_max: Counter = 300
    stake_join_min: AmountField = Grain(10_000 * _HANSE)
    stake_leave_min: AmountField = Grain(7_500 * _HANSE)
    stake_drop_min: AmountField = Grain(5_000 * _HANSE)
    stake_pool_min: AmountField = Grain(1_000 * _HANSE)
    grace_epochs: Counter = 7
    delegation_min: AmountField = Grain(_HANSE)
    unbonding_epochs: Counter = 504
    evidence_window_epochs: Counter = 480
    slash_equivocation_bp: Counter = 500
    slash_conflict_bp: Counter = WHOLE_BP
    slash_downtime_bp: Counter = 10
    reporter_share_bp: Counter = 500
    commission_min_bp: Counter = 0
    commission_max_bp: Counter = 5_000
    jail_epochs: Counter = 8
    attendance_min_bp: Counter = 5_000
    absences_max: Counter = 1
    rounds_judged_min: Counter = 100
    power_cap: PowerField = Power(1_000)
    power_change_max: PowerField = Power(3_333)
    emission_per_epoch: AmountField = Grain(100 * _HANSE)
    unbonding_entries_max: Counter = 16
    redelegation_targets_max: Counter = 16


def check_staking_parameters(parameters: StakingParameters) -> None:
    """Check what a chain with these parameters would trip over.

    Raises:
        ConfigurationError: one of them is out of its range; the message names it.
    """
    for complaint, holds in (*_size_rules(parameters), *_share_rules(parameters)):
        if not holds:
            raise ConfigurationError(f"staking.{complaint}")


def _size_rules(p: StakingParameters) -> tuple[tuple[str, bool], ...]:
    return (
        (
            f"committee_size_max must be 1 to {COMMITTEE_SIZE_LIMIT}",
            1 <= p.committee_size_max <= COMMITTEE_SIZE_LIMIT,
        ),
        (
            f"validators_max must be committee_size_max to {VALIDATORS_LIMIT}",
            p.committee_size_max <= p.validators_max <= VALIDATORS_LIMIT,
        ),
        (
            "delegation_min, stake_pool_min, stake_drop_min, stake_leave_min and stake_join_min "
            "must ascend from 1",
            1
            <= p.delegation_min
            <= p.stake_pool_min
            <= p.stake_drop_min
            <= p.stake_leave_min
            <= p.stake_join_min,
        ),
        (
            f"unbonding_epochs must be 2 to {UNBONDING_EPOCHS_LIMIT}",
            2 <= p.unbonding_epochs <= UNBONDING_EPOCHS_LIMIT,
        ),
        (
            "evidence_window_epochs must be 1 to below unbonding_epochs",
            1 <= p.evidence_window_epochs < p.unbonding_epochs,
        ),
        ("rounds_judged_min must be at least 1", p.rounds_judged_min >= 1),
        (
            f"unbonding_entries_max must be 1 to {ENTRIES_LIMIT}",
            1 <= p.unbonding_entries_max <= ENTRIES_LIMIT,
        ),
        (
            f"redelegation_targets_max must be 1 to {ENTRIES_LIMIT}",
            1 <= p.redelegation_targets_max <= ENTRIES_LIMIT,
        ),
    )


def _share_rules(p: StakingParameters) -> tuple[tuple[str, bool], ...]:
    return (
        (
            "slash_equivocation_bp must not be above slash_conflict_bp",
            p.slash_equivocation_bp <= p.slash_conflict_bp,
        ),
        (f"slash_conflict_bp must be at most {WHOLE_BP}", p.slash_conflict_bp <= WHOLE_BP),
        (f"slash_downtime_bp must be below {WHOLE_BP}", p.slash_downtime_bp < WHOLE_BP),
        (
            # Above a half, an offender would pay itself to be slashed.
            f"reporter_share_bp must be at most {WHOLE_BP // 2}",
            p.reporter_share_bp <= WHOLE_BP // 2,
        ),
        (
            f"commission_min_bp and commission_max_bp must ascend to at most {WHOLE_BP}",
            p.commission_min_bp <= p.commission_max_bp <= WHOLE_BP,
        ),
        (f"attendance_min_bp must be at most {WHOLE_BP}", p.attendance_min_bp <= WHOLE_BP),
        (f"power_cap must be 1 to {POWER_TOTAL}", 1 <= p.power_cap <= POWER_TOTAL),
        (
            "power_change_max must be below a third of the power",
            3 * p.power_change_max < POWER_TOTAL,
        ),
    )
