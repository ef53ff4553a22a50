"""Carry out at the end of an epoch what was asked for in it: exits first, then deposits.

All that leaves one pool leaves at one rate, after the rewards and slashes of the epoch; all that
enters enters at the rate that this left. The records written here are the history of those rates,
kept as long as somebody has a claim that needs one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.pool import deposit, grains_redeemed, redeem, shares_bought
from node.ledger.staking.records import Deposits, Exits, Moves, Validator
from node.ledger.staking.tables import (
    find_exits,
    find_moves,
    read_validator,
    write_deposits,
    write_exits,
    write_moves,
    write_targets,
    write_validator,
)
from primitives.ids import Address, Epoch, Grain


@dataclass(frozen=True, slots=True)
class Route:
    """Stake that left one pool for another at this boundary."""

    source: Address
    destination: Address


def release_exits(overlay: Overlay, operator: Address, epoch: Epoch) -> list[Route]:
    """Take out of one pool what leaves it; return where else it goes."""
    pool = read_validator(overlay, operator)
    if not pool.outgoing and not pool.departures:
        return []
    departures = pool.departures
    pool = _add_exits(overlay, pool, epoch, shares=pool.outgoing)
    for departure in departures:
        grains = grains_redeemed(pool, departure.shares)
        moves = Moves(departure.shares, 0, grains)
        write_moves(overlay, operator, epoch, departure.destination, moves)
        pool = redeem(pool, grains=grains, shares=departure.shares)
    if departures:
        targets = tuple(departure.destination for departure in departures)
        write_targets(overlay, operator, epoch, targets)
    write_validator(overlay, msgspec.structs.replace(pool, outgoing=0, departures=()))
    return [Route(operator, departure.destination) for departure in departures]


def admit_deposits(overlay: Overlay, operator: Address, epoch: Epoch) -> None:
    """Put into one pool what was deposited, or set it aside for its owners."""
    pool = read_validator(overlay, operator)
    if not pool.incoming:
        return
    incoming = pool.incoming
    shares = shares_bought(pool, incoming)
    if shares:
        pool = deposit(pool, grains=incoming, shares=shares)
    refund = Grain(0) if shares else incoming
    write_deposits(overlay, operator, epoch, Deposits(incoming, shares, refund))
    write_validator(overlay, msgspec.structs.replace(pool, incoming=Grain(0)))


def admit_moves(overlay: Overlay, routes: Sequence[Route], epoch: Epoch) -> None:
    """Put into pools what left others for them; it waits like an exit where a pool is closed."""
    for route in routes:
        moves = find_moves(overlay, route.source, epoch, route.destination)
        assert moves is not None, "the exits of this boundary wrote it"
        pool = read_validator(overlay, route.destination)
        shares = shares_bought(pool, moves.tokens)
        if shares:
            write_validator(overlay, deposit(pool, grains=moves.tokens, shares=shares))
            arrived = Moves(moves.claims, shares, Grain(0))
            write_moves(overlay, route.source, epoch, route.destination, arrived)


def close_pool(overlay: Overlay, operator: Address, epoch: Epoch) -> None:
    """Let everybody leave the pool for good, at the end of the epoch."""
    pool = read_validator(overlay, operator)
    pool = _add_exits(overlay, pool, epoch, shares=pool.shares)
    write_validator(overlay, msgspec.structs.replace(pool, closed_epoch=epoch))


def _add_exits(overlay: Overlay, pool: Validator, epoch: Epoch, *, shares: int) -> Validator:
    grains = grains_redeemed(pool, shares)
    before = find_exits(overlay, pool.operator, epoch) or Exits(0, Grain(0))
    exits = Exits(before.claims + shares, Grain(before.tokens + grains))
    write_exits(overlay, pool.operator, epoch, exits)
    return redeem(pool, grains=grains, shares=shares)
