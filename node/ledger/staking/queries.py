"""What others ask about stake: contracts, light clients, wallets."""

from dataclasses import dataclass

from node.ledger.committee import Seat, Seats
from node.ledger.overlay import StateReader
from node.ledger.staking.pool import grains_redeemed
from node.ledger.staking.records import Delegation, Members, Validator
from node.ledger.staking.tables import (
    find_exits,
    find_moves,
    find_validator,
    read_committee,
    read_delegation,
    read_deposits,
    read_validator,
)
from node.ledger.staking.term import Term
from primitives.ids import Address, Epoch, Grain, Power


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account has at one validator, in grains at the rate of now, each rounded down.

    Args:
        free: may leave or move on.
        entering: becomes stake at the end of the epoch.
        arrived: came from other validators and may not leave yet.
        leaving: unbonds or is mature, and waits for its owner.
    """

    free: Grain
    entering: Grain
    arrived: Grain
    leaving: Grain


def stake_of(state: StateReader, operator: Address) -> Grain:
    """Return the tokens in the pool of the account's validator, 0 if it has none."""
    validator = find_validator(state, operator)
    return Grain(0) if validator is None else validator.tokens


def power_of(state: StateReader, *, epoch: Epoch, operator: Address) -> Power:
    """Return the power of the account's validator in the epoch, 0 if it has no seat."""
    members = read_committee(state, epoch)
    return Power(sum(member.power for member in members if member.operator == operator))


def seats_of(members: Members) -> Seats:
    """Return the committee as consensus, certificates and light clients see it."""
    return tuple(Seat(member.power, member.keys.consensus_key) for member in members)


def holding_of(
    state: StateReader, *, term: Term, validator: Address, delegator: Address
) -> Holding:
    """Return what the account has at the validator.

    Raises:
        UnknownValidatorError: there is no such validator.
    """
    pool = read_validator(state, validator)
    delegation = read_delegation(state, validator, delegator)
    free, leaving = delegation.shares, _leaving(state, pool, delegation)
    entering = Grain(0)
    if delegation.deposited:
        if delegation.deposit_epoch == term.epoch:
            entering = delegation.deposited
        else:
            deposits = read_deposits(state, validator, delegation.deposit_epoch)
            free += deposits.shares * delegation.deposited // deposits.claims
            leaving += deposits.refund * delegation.deposited // deposits.claims
    arrived, waiting = _arrived(state, pool, delegation)
    return Holding(
        free=_worth(state, pool, free),
        entering=entering,
        arrived=arrived,
        leaving=Grain(leaving + waiting),
    )


def _leaving(state: StateReader, pool: Validator, delegation: Delegation) -> int:
    grains = 0
    for claim in delegation.exits:
        exits = find_exits(state, pool.operator, claim.epoch)
        if exits is None:
            # It leaves at the end of this epoch, at a rate that is not known yet.
            grains += grains_redeemed(pool, claim.shares)
        else:
            grains += exits.tokens * claim.shares // exits.claims
    return grains


def _arrived(state: StateReader, pool: Validator, delegation: Delegation) -> tuple[Grain, Grain]:
    """Return what is in the pool, and what waits since the pool was closed when it came."""
    arrived = waiting = 0
    for claim in delegation.moves:
        moves = find_moves(state, claim.source, claim.epoch, pool.operator)
        if moves is None:
            # It is still in the other pool.
            arrived += grains_redeemed(read_validator(state, claim.source), claim.shares)
            continue
        shares = moves.shares * claim.shares // moves.claims
        arrived += _worth(state, pool, shares)
        waiting += moves.tokens * claim.shares // moves.claims
    return Grain(arrived), Grain(waiting)


def _worth(state: StateReader, pool: Validator, shares: int) -> Grain:
    """Return what shares are worth, in the pool or in the exit that the pool became."""
    if pool.closed_epoch is None:
        return grains_redeemed(pool, shares)
    exits = find_exits(state, pool.operator, pool.closed_epoch)
    return Grain(0) if exits is None else Grain(exits.tokens * shares // exits.claims)
