"""What a validator has at stake itself: it pays for an offence before anybody else does.

Its own stake is its delegation at its own pool, what unbonds from there, and what it moved from
there to other validators. Without this rule who offends could let others in afterwards, take its
own stake out, and leave them the bill.
"""

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.pieces import sell_worth, worth_of
from node.ledger.staking.pool import grains_redeemed, redeem
from node.ledger.staking.records import Departure, ExitClaim, Exits, MoveClaim, Moves, Validator
from node.ledger.staking.settlement import settle_deposit
from node.ledger.staking.tables import (
    find_exits,
    find_moves,
    read_delegation,
    read_targets,
    read_validator,
    write_delegation,
    write_exits,
    write_moves,
    write_validator,
)
from node.ledger.staking.term import Term
from node.ledger.staking.vault import release
from primitives.ids import Address, Epoch, Grain


def slash_own_stake(
    overlay: Overlay, *, term: Term, operator: Address, oldest: Epoch, due: int
) -> int:
    """Take up to an amount: first from the pool, then from what left it since; return how much.

    Args:
        overlay: the state.
        term: of the running epoch.
        operator: the offender.
        oldest: the first epoch at whose end stake may have left that is still liable.
        due: the amount.
    """
    if due == 0:
        return 0
    own, refund = settle_deposit(
        overlay,
        read_delegation(overlay, operator, operator),
        term=term,
        validator=operator,
    )
    release(overlay, owner=operator, amount=refund)
    shares, taken = sell_worth(overlay, operator, amount=due, shares_max=own.shares)
    own = msgspec.structs.replace(own, shares=own.shares - shares)
    paid: int = taken
    exits = []
    for claim in own.exits:
        left, grains = claim, 0
        if claim.epoch >= oldest:
            left, grains = _slash_exit(overlay, operator, claim, due=due - paid, now=term.epoch)
        paid += grains
        exits.append(left)
    kept = tuple(claim for claim in exits if claim.shares)
    write_delegation(overlay, operator, operator, msgspec.structs.replace(own, exits=kept))
    for left_epoch in range(oldest, term.epoch):
        epoch = Epoch(left_epoch)
        for destination in read_targets(overlay, operator, epoch):
            paid += _slash_move(overlay, operator, epoch, destination, due=due - paid)
    for departure in read_validator(overlay, operator).departures:
        paid += _slash_departure(
            overlay, operator, departure.destination, due=due - paid, now=term.epoch
        )
    return paid


def _slash_exit(
    overlay: Overlay, operator: Address, claim: ExitClaim, *, due: int, now: Epoch
) -> tuple[ExitClaim, int]:
    exits = find_exits(overlay, operator, claim.epoch)
    pool = read_validator(overlay, operator)
    if exits is None:
        assert claim.epoch == now, "what left in an earlier epoch has its record"
        shares, grains = _part(claim.shares, worth=grains_redeemed(pool, claim.shares), due=due)
        smaller = redeem(pool, grains=grains, shares=shares)
        smaller = msgspec.structs.replace(smaller, outgoing=pool.outgoing - shares)
        write_validator(overlay, smaller)
    else:
        worth = exits.tokens * claim.shares // exits.claims
        shares, grains = _part(claim.shares, worth=worth, due=due)
        left = Exits(exits.claims - shares, Grain(exits.tokens - grains))
        write_exits(overlay, operator, claim.epoch, left)
    return ExitClaim(claim.epoch, claim.shares - shares), grains


def _slash_move(
    overlay: Overlay, operator: Address, epoch: Epoch, destination: Address, *, due: int
) -> int:
    """Take from what the validator itself moved to another at the end of an epoch."""
    claim = _claim_at(overlay, operator, epoch, destination)
    moves = find_moves(overlay, operator, epoch, destination)
    if claim is None or moves is None or due == 0:
        return 0
    waiting = moves.tokens * claim.shares // moves.claims
    arrived = moves.shares * claim.shares // moves.claims
    worth = waiting + worth_of(overlay, destination, arrived)
    shares, grains = _part(claim.shares, worth=worth, due=due)
    # What waits and what arrived never both exist: a move finds a pool, or none.
    tokens = min(waiting, grains)
    sold, worth_sold = sell_worth(overlay, destination, amount=grains - tokens, shares_max=arrived)
    if shares < claim.shares and arrived:
        shares = sold * moves.claims // moves.shares
    left = Moves(moves.claims - shares, moves.shares - sold, Grain(moves.tokens - tokens))
    write_moves(overlay, operator, epoch, destination, left)
    _shrink_claim(overlay, operator, destination, claim, shares=shares)
    return tokens + worth_sold


def _slash_departure(
    overlay: Overlay, operator: Address, destination: Address, *, due: int, now: Epoch
) -> int:
    """Take from what the validator itself moves to another at the end of this epoch."""
    claim = _claim_at(overlay, operator, now, destination)
    if claim is None or due == 0:
        return 0
    pool = read_validator(overlay, operator)
    shares, grains = _part(claim.shares, worth=grains_redeemed(pool, claim.shares), due=due)
    smaller = redeem(pool, grains=grains, shares=shares)
    departures = _shrink_departure(pool, destination, shares=shares)
    write_validator(overlay, msgspec.structs.replace(smaller, departures=departures))
    _shrink_claim(overlay, operator, destination, claim, shares=shares)
    return grains


def _part(shares: int, *, worth: int, due: int) -> tuple[int, int]:
    """Return the shares to take for what is due, rounded down, and what they are worth."""
    if due >= worth:
        return (shares, worth) if worth else (0, 0)
    part = due * shares // worth
    return part, worth * part // shares


def _claim_at(
    overlay: Overlay, operator: Address, epoch: Epoch, destination: Address
) -> MoveClaim | None:
    for claim in read_delegation(overlay, destination, operator).moves:
        if (claim.source, claim.epoch) == (operator, epoch):
            return claim
    return None


def _shrink_claim(
    overlay: Overlay, operator: Address, destination: Address, claim: MoveClaim, *, shares: int
) -> None:
    delegation = read_delegation(overlay, destination, operator)
    smaller = MoveClaim(claim.source, claim.epoch, claim.shares - shares)
    moves = (smaller if other == claim else other for other in delegation.moves)
    kept = tuple(other for other in moves if other.shares)
    write_delegation(
        overlay, destination, operator, msgspec.structs.replace(delegation, moves=kept)
    )


def _shrink_departure(
    pool: Validator, destination: Address, *, shares: int
) -> tuple[Departure, ...]:
    departures = (
        Departure(other.destination, other.shares - shares)
        if other.destination == destination
        else other
        for other in pool.departures
    )
    return tuple(other for other in departures if other.shares)
