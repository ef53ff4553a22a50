"""Where the staking records stand in the state, and how they are read and written.

The state cannot be scanned. Whatever has to be walked is listed by a record of its own: the roster
lists the validators, `targets` the destinations of one validator's moves in one epoch.
"""

import enum
from typing import Final

from node.ledger.keyspace import Room
from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.errors import UnknownValidatorError
from node.ledger.staking.records import (
    ADDRESSES_CODEC,
    DELEGATION_CODEC,
    DEPOSITS_CODEC,
    EXITS_CODEC,
    MEMBERS_CODEC,
    MOVES_CODEC,
    ROUNDS_CODEC,
    VALIDATOR_CODEC,
    Delegation,
    Deposits,
    Exits,
    Members,
    Moves,
    Roster,
    Rounds,
    Validator,
)
from primitives.ids import Address, Epoch

_EPOCH_SIZE_BYTES: Final = 8
EMPTY_DELEGATION: Final = Delegation()


@enum.unique
class Table(bytes, enum.Enum):
    """The second byte of every key in the room of staking."""

    ROSTER = Room.STAKING + b"\x01"
    ATTENDANCE = Room.STAKING + b"\x02"
    VALIDATOR = Room.STAKING + b"\x03"
    DELEGATION = Room.STAKING + b"\x04"
    DEPOSITS = Room.STAKING + b"\x05"
    EXITS = Room.STAKING + b"\x06"
    MOVES = Room.STAKING + b"\x07"
    TARGETS = Room.STAKING + b"\x08"
    CONSENSUS_KEY = Room.STAKING + b"\x09"


_ROSTER_KEY: Final = bytes(Table.ROSTER)
_ATTENDANCE_KEY: Final = bytes(Table.ATTENDANCE)


def read_roster(state: StateReader) -> Roster:
    """Return the operators of all validators, in the order of their registration."""
    raw = state.get(_ROSTER_KEY)
    return () if raw is None else ADDRESSES_CODEC.decode(raw)


def write_roster(overlay: Overlay, roster: Roster) -> None:
    """Store the operators of all validators."""
    overlay.put(_ROSTER_KEY, ADDRESSES_CODEC.encode(roster))


def find_validator(state: StateReader, operator: Address) -> Validator | None:
    """Return the validator of the account, None if it has none."""
    raw = state.get(Table.VALIDATOR + operator)
    return None if raw is None else VALIDATOR_CODEC.decode(raw)


def read_validator(state: StateReader, operator: Address) -> Validator:
    """Return the validator of the account.

    Raises:
        UnknownValidatorError: it has none.
    """
    validator = find_validator(state, operator)
    if validator is None:
        raise UnknownValidatorError(validator=operator)
    return validator


def write_validator(overlay: Overlay, validator: Validator) -> None:
    """Store the validator."""
    overlay.put(Table.VALIDATOR + validator.operator, VALIDATOR_CODEC.encode(validator))


def read_delegation(state: StateReader, validator: Address, delegator: Address) -> Delegation:
    """Return what the account has at the validator, perhaps nothing."""
    raw = state.get(Table.DELEGATION + validator + delegator)
    return EMPTY_DELEGATION if raw is None else DELEGATION_CODEC.decode(raw)


def write_delegation(
    overlay: Overlay, validator: Address, delegator: Address, delegation: Delegation
) -> None:
    """Store what the account has at the validator; nothing leaves the state."""
    key = Table.DELEGATION + validator + delegator
    if delegation == EMPTY_DELEGATION:
        overlay.delete(key)
    else:
        overlay.put(key, DELEGATION_CODEC.encode(delegation))


def find_deposits(state: StateReader, validator: Address, epoch: Epoch) -> Deposits | None:
    """Return what entered the pool at the end of the epoch, None if no claim on it is left."""
    raw = state.get(Table.DEPOSITS + validator + _epoch_bytes(epoch))
    return None if raw is None else DEPOSITS_CODEC.decode(raw)


def read_deposits(state: StateReader, validator: Address, epoch: Epoch) -> Deposits:
    """Return what entered the pool at the end of the epoch; somebody must have a claim on it."""
    deposits = find_deposits(state, validator, epoch)
    assert deposits is not None, "a claim on deposits that are not there"
    return deposits


def write_deposits(overlay: Overlay, validator: Address, epoch: Epoch, deposits: Deposits) -> None:
    """Store what entered the pool at the end of the epoch; without claims it leaves the state."""
    key = Table.DEPOSITS + validator + _epoch_bytes(epoch)
    if deposits.claims == 0:
        overlay.delete(key)
    else:
        overlay.put(key, DEPOSITS_CODEC.encode(deposits))


def find_exits(state: StateReader, validator: Address, epoch: Epoch) -> Exits | None:
    """Return what left the pool at the end of the epoch, None if nothing waits there."""
    raw = state.get(Table.EXITS + validator + _epoch_bytes(epoch))
    return None if raw is None else EXITS_CODEC.decode(raw)


def write_exits(overlay: Overlay, validator: Address, epoch: Epoch, exits: Exits) -> None:
    """Store what left the pool at the end of the epoch; without claims it leaves the state."""
    key = Table.EXITS + validator + _epoch_bytes(epoch)
    if exits.claims == 0:
        overlay.delete(key)
    else:
        overlay.put(key, EXITS_CODEC.encode(exits))


def find_moves(
    state: StateReader, source: Address, epoch: Epoch, destination: Address
) -> Moves | None:
    """Return what left the source for the destination, None if no claim on it is left."""
    raw = state.get(Table.MOVES + source + _epoch_bytes(epoch) + destination)
    return None if raw is None else MOVES_CODEC.decode(raw)


def write_moves(
    overlay: Overlay, source: Address, epoch: Epoch, destination: Address, moves: Moves
) -> None:
    """Store what left the source for the destination; without claims it leaves the state."""
    key = Table.MOVES + source + _epoch_bytes(epoch) + destination
    if moves.claims == 0:
        overlay.delete(key)
    else:
        overlay.put(key, MOVES_CODEC.encode(moves))


def read_targets(state: StateReader, source: Address, epoch: Epoch) -> tuple[Address, ...]:
    """Return where stake went from the source at the end of the epoch."""
    raw = state.get(Table.TARGETS + source + _epoch_bytes(epoch))
    return () if raw is None else ADDRESSES_CODEC.decode(raw)


def write_targets(
    overlay: Overlay, source: Address, epoch: Epoch, targets: tuple[Address, ...]
) -> None:
    """Store where stake went from the source at the end of the epoch."""
    overlay.put(Table.TARGETS + source + _epoch_bytes(epoch), ADDRESSES_CODEC.encode(targets))


def delete_targets(overlay: Overlay, source: Address, epoch: Epoch) -> None:
    """Forget where stake went; no slash follows it any more."""
    overlay.delete(Table.TARGETS + source + _epoch_bytes(epoch))


def find_committee(state: StateReader, epoch: Epoch) -> Members | None:
    """Return the committee of the epoch, None if it is forgotten or not elected yet."""
    raw = state.get(Room.COMMITTEE + _epoch_bytes(epoch))
    return None if raw is None else MEMBERS_CODEC.decode(raw)


def read_committee(state: StateReader, epoch: Epoch) -> Members:
    """Return the committee of an epoch that is running or ended within the evidence window."""
    members = find_committee(state, epoch)
    assert members is not None, f"epoch {epoch} has no committee"
    return members


def write_committee(overlay: Overlay, epoch: Epoch, members: Members) -> None:
    """Store the committee of the epoch."""
    overlay.put(Room.COMMITTEE + _epoch_bytes(epoch), MEMBERS_CODEC.encode(members))


def delete_committee(overlay: Overlay, epoch: Epoch) -> None:
    """Forget the committee of the epoch; evidence about it counts no more."""
    overlay.delete(Room.COMMITTEE + _epoch_bytes(epoch))


def read_rounds(state: StateReader) -> Rounds:
    """Return in how many rounds of this epoch each seat had a committed block."""
    raw = state.get(_ATTENDANCE_KEY)
    assert raw is not None, "no epoch was begun"
    return ROUNDS_CODEC.decode(raw)


def write_rounds(overlay: Overlay, rounds: Rounds) -> None:
    """Store in how many rounds of this epoch each seat had a committed block."""
    overlay.put(_ATTENDANCE_KEY, ROUNDS_CODEC.encode(rounds))


def _epoch_bytes(epoch: Epoch) -> bytes:
    return epoch.to_bytes(_EPOCH_SIZE_BYTES, "big")
