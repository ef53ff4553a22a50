"""What staking stores: one record type per table, each with its codec.

    validators    by operator           the pool, the keys, the standing
    delegations   by validator and delegator
    deposits      by validator, epoch   what came in at the end of that epoch
    exits         by validator, epoch   what left at the end of that epoch, until it is claimed
    moves         by source, epoch, destination
    committees    by epoch

Nothing here grows with the number of delegators. Everybody who leaves a validator in one epoch
shares one exit record, as everybody who bonds shares the pool, so a slash changes one number for
all of them; a delegation holds claims on such records, which are priced when they are claimed.
A claim takes its part of what is left, so the last one takes the last grain and no dust stays.
"""

import enum
from typing import Final

import msgspec

from node.ledger.wire import AddressField, AmountField, Counter, EpochField, KeyField, PowerField
from primitives.codec import Codec
from primitives.ids import Epoch, Grain

_VALIDATOR_BYTES_MAX: Final = 4_096
_DELEGATION_BYTES_MAX: Final = 8_192
_RECORD_BYTES_MAX: Final = 128
_ROSTER_BYTES_MAX: Final = 65_536
_COMMITTEE_BYTES_MAX: Final = 262_144
_ATTENDANCE_BYTES_MAX: Final = 16_384


@enum.unique
class Standing(enum.IntEnum):
    """Whether a validator may sit in a committee."""

    GOOD = 0
    JAILED = 1
    """Until it asks to come back, not before its sentence is over."""

    TOMBSTONED = 2
    """For ever."""


@enum.unique
class Offence(enum.IntEnum):
    """What costs a validator its stake and its place for ever, in ascending gravity."""

    EQUIVOCATION = 1
    """Two blocks in one slot; an honest validator that restored a backup may do it."""

    CONFLICTING_VOTES = 2
    """Two checkpoints or commits for one index: the attack on light clients, never an accident."""


class Keys(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a validator signs blocks with, and who it is in the p2p network."""

    consensus_key: KeyField
    node_key: KeyField


class Departure(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Shares that move to another validator at the end of the epoch."""

    destination: AddressField
    shares: Counter


class Validator(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One validator and its pool.

    Args:
        operator: the account that registered it.
        commission_bp: what it keeps of the rewards of its pool, in basis points.
        tokens: grains in the pool; rewards raise it and slashing lowers it.
        shares: what the delegators own of the pool together; only deposits and exits change it.
        incoming: grains that enter the pool at the end of the epoch.
        outgoing: shares that leave for the unbonding period at the end of the epoch.
        departures: shares that leave for other validators at the end of the epoch.
        release_epoch: when the sentence of a jailed validator is over.
        offences: what it was tombstoned for.
        penalty_bp: part of the stake that it lost for the gravest of them.
        absences: epochs in a row in which it had a seat and was absent.
        weak_epochs: epochs in a row in which it had a seat and too little stake.
        next_keys: its keys from the next epoch on, None if they stay.
        closed_epoch: the epoch at whose end everybody left the pool for good, None while it is
            open. The record stays for ever: old shares must not count in a new pool.
    """

    operator: AddressField
    keys: Keys
    commission_bp: Counter
    tokens: AmountField = Grain(0)
    shares: Counter = 0
    incoming: AmountField = Grain(0)
    outgoing: Counter = 0
    departures: tuple[Departure, ...] = ()
    standing: Standing = Standing.GOOD
    release_epoch: EpochField = Epoch(0)
    offences: tuple[Offence, ...] = ()
    penalty_bp: Counter = 0
    absences: Counter = 0
    weak_epochs: Counter = 0
    next_keys: Keys | None = None
    closed_epoch: EpochField | None = None


class ExitClaim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of what left the validator at the end of an epoch, in shares of its pool then."""

    epoch: EpochField
    shares: Counter


class MoveClaim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of what came from another validator, in shares of the pool it left."""

    source: AddressField
    epoch: EpochField
    shares: Counter


class Delegation(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What one account has at one validator.

    Args:
        shares: of the pool, free to leave.
        deposited: grains that enter or entered the pool at the end of `deposit_epoch`.
        exits: what left, oldest first.
        moves: what came from other validators and is still liable for them, oldest first.
    """

    shares: Counter = 0
    deposited: AmountField = Grain(0)
    deposit_epoch: EpochField = Epoch(0)
    exits: tuple[ExitClaim, ...] = ()
    moves: tuple[MoveClaim, ...] = ()


class Deposits(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What entered a pool at the end of one epoch: its rate there, as claims are left on it.

    Args:
        claims: grains that delegators put in and have not turned into shares yet.
        shares: what the claims are worth; 0 if the pool was closed by then.
        refund: grains that go back to the delegators because the pool was closed.
    """

    claims: AmountField
    shares: Counter
    refund: AmountField


class Exits(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What left a pool at the end of one epoch.

    Args:
        claims: shares of the pool that left and are not paid out yet.
        tokens: grains that are still there.
    """

    claims: Counter
    tokens: AmountField


class Moves(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What left one pool for another at the end of one epoch.

    Args:
        claims: shares of the source's pool that left and did not become free shares yet.
        shares: of the destination's pool.
        tokens: grains that wait like an exit instead, since the destination's pool was closed.
    """

    claims: Counter
    shares: Counter
    tokens: AmountField


class Member(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One member of a committee; its place in the committee is its authority index.

    Args:
        stake: tokens of its pool when the epoch began: what an offence in it puts at risk.
        weight: the stake that its power was computed from; a large change takes effect in steps.
    """

    operator: AddressField
    keys: Keys
    stake: AmountField
    weight: AmountField
    power: PowerField


Roster = tuple[AddressField, ...]
Members = tuple[Member, ...]
Rounds = tuple[Counter, ...]

VALIDATOR_CODEC: Codec[Validator] = Codec(Validator, size_bytes_max=_VALIDATOR_BYTES_MAX)
DELEGATION_CODEC: Codec[Delegation] = Codec(Delegation, size_bytes_max=_DELEGATION_BYTES_MAX)
DEPOSITS_CODEC: Codec[Deposits] = Codec(Deposits, size_bytes_max=_RECORD_BYTES_MAX)
EXITS_CODEC: Codec[Exits] = Codec(Exits, size_bytes_max=_RECORD_BYTES_MAX)
MOVES_CODEC: Codec[Moves] = Codec(Moves, size_bytes_max=_RECORD_BYTES_MAX)
ADDRESSES_CODEC: Codec[Roster] = Codec(Roster, size_bytes_max=_ROSTER_BYTES_MAX)
MEMBERS_CODEC: Codec[Members] = Codec(Members, size_bytes_max=_COMMITTEE_BYTES_MAX)
ROUNDS_CODEC: Codec[Rounds] = Codec(Rounds, size_bytes_max=_ATTENDANCE_BYTES_MAX)
