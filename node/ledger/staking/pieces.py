"""Take shares out of a pool, and put stake back, also when the pool was closed meanwhile.

The shares of a closed pool are claims on the exit that it became. The others in the pool neither
lose nor win by what happens here, but for the grain that rounding leaves them.
"""

from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.pool import deposit, grains_redeemed, redeem, shares_bought
from node.ledger.staking.records import Exits
from node.ledger.staking.tables import find_exits, read_validator, write_exits, write_validator
from node.ledger.wire import INT63_MAX
from primitives.ids import Address, Grain

_NOTHING = Exits(0, Grain(0))


def worth_of(state: StateReader, operator: Address, shares: int) -> Grain:
    """Return what shares of a pool are worth, rounded down, be it open or closed."""
    pool = read_validator(state, operator)
    if pool.closed_epoch is None:
        return grains_redeemed(pool, shares)
    exits = find_exits(state, operator, pool.closed_epoch) or _NOTHING
    return Grain(exits.tokens * shares // exits.claims) if exits.claims else Grain(0)


def sell_shares(overlay: Overlay, operator: Address, shares: int) -> Grain:
    """Take shares out of a pool; return their worth, which the caller keeps account of."""
    grains = worth_of(overlay, operator, shares)
    pool = read_validator(overlay, operator)
    if pool.closed_epoch is None:
        write_validator(overlay, redeem(pool, grains=grains, shares=shares))
    elif shares:
        exits = find_exits(overlay, operator, pool.closed_epoch)
        assert exits is not None, "shares of a closed pool are claims on its exit"
        left = Exits(exits.claims - shares, Grain(exits.tokens - grains))
        write_exits(overlay, operator, pool.closed_epoch, left)
    return grains


def buy_shares(overlay: Overlay, operator: Address, grains: Grain) -> int:
    """Put grains that were sold back into a pool; return their shares, 0 if it takes none."""
    pool = read_validator(overlay, operator)
    if pool.closed_epoch is None:
        shares = shares_bought(pool, grains)
        if shares:
            write_validator(overlay, deposit(pool, grains=grains, shares=shares))
        return shares
    exits = find_exits(overlay, operator, pool.closed_epoch) or _NOTHING
    if exits.claims and not exits.tokens:
        return 0
    shares = grains * exits.claims // exits.tokens if exits.claims else int(grains)
    if not 0 < shares <= INT63_MAX - exits.claims:
        return 0
    grown = Exits(exits.claims + shares, Grain(exits.tokens + grains))
    write_exits(overlay, operator, pool.closed_epoch, grown)
    return shares


def sell_worth(
    overlay: Overlay, operator: Address, *, amount: int, shares_max: int
) -> tuple[int, Grain]:
    """Take shares that are worth at most the amount; return them and what they were worth."""
    worth = worth_of(overlay, operator, shares_max)
    if worth == 0:
        return 0, Grain(0)
    shares = shares_max if amount >= worth else amount * shares_max // worth
    return shares, sell_shares(overlay, operator, shares)
