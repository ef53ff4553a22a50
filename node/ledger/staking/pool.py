"""The arithmetic of one pool: grains against shares, always rounded in favour of the pool.

A deposit buys `grains * S // T` shares and shares leave with `shares * T // S` grains, so neither
takes anything from those who stay: T / S never falls but by a slash. All shares leave with all
grains, so a pool without shares is empty. Source: Sui `staking_pool.move`.
"""

import msgspec

from node.ledger.staking.records import Standing, Validator
from node.ledger.wire import INT63_MAX
from primitives.ids import Grain


def shares_bought(pool: Validator, grains: int) -> int:
    """Return the shares for a deposit; 0 if the pool takes none.

    A closed or tombstoned pool takes none. Nor does one that was slashed to nothing while it has
    owners, who would share what comes in, nor one whose shares would no longer fit 63 bits.
    """
    if pool.standing is Standing.TOMBSTONED or pool.closed_epoch is not None:
        return 0
    if pool.shares == 0:
        return grains
    if pool.tokens == 0:
        return 0
    shares = grains * pool.shares // pool.tokens
    return shares if pool.shares + shares <= INT63_MAX else 0


def grains_redeemed(pool: Validator, shares: int) -> Grain:
    """Return what the shares are worth, rounded down."""
    return Grain(shares * pool.tokens // pool.shares) if pool.shares else Grain(0)


def shares_redeemed(pool: Validator, grains: int) -> int:
    """Return the least number of shares that are worth this much; the pool is not empty."""
    return -(-grains * pool.shares // pool.tokens)


def deposit(pool: Validator, *, grains: int, shares: int) -> Validator:
    """Return the pool with grains and the shares that they bought."""
    return msgspec.structs.replace(
        pool, tokens=Grain(pool.tokens + grains), shares=pool.shares + shares
    )


def redeem(pool: Validator, *, grains: int, shares: int) -> Validator:
    """Return the pool without shares and the grains that they were worth."""
    return msgspec.structs.replace(
        pool, tokens=Grain(pool.tokens - grains), shares=pool.shares - shares
    )


def grow(pool: Validator, grains: int) -> Validator:
    """Return the pool with a reward: every share is worth more."""
    return msgspec.structs.replace(pool, tokens=Grain(pool.tokens + grains))


def shrink(pool: Validator, grains: int) -> Validator:
    """Return the pool after a slash: every share is worth less."""
    return msgspec.structs.replace(pool, tokens=Grain(pool.tokens - grains))
