"""What delegators do: put stake in, take it out, move it on, and claim what is theirs.

Theory of operation. Nothing here touches the price of a pool. Deposits, exits and moves of one
epoch are added up in the validator's record and priced together at the end of the epoch; the
delegation keeps a claim. `settle` turns claims that became due into shares or money, and runs
before every action on the delegation, so that a delegation holds few of them.

Mature money is claimed by its owner (`withdraw`, or any other action on the same delegation)
instead of paid out by the boundary: the boundary then costs the same however many delegators there
are, and nobody's money waits behind a queue that others can fill.

Stake that moved to another validator stays there until no slash of the first can reach it: what
could move on or out at once would leave the slash behind.
"""

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.errors import (
    DelegationSizeError,
    EntryLimitError,
    ImmatureRedelegationError,
    InsufficientStakeError,
    NothingToWithdrawError,
    PoolClosedError,
    SameValidatorError,
    TargetLimitError,
)
from node.ledger.staking.pool import grains_redeemed, shares_bought, shares_redeemed
from node.ledger.staking.records import Delegation, Departure, ExitClaim, MoveClaim, Validator
from node.ledger.staking.settlement import settle
from node.ledger.staking.tables import (
    read_delegation,
    read_validator,
    write_delegation,
    write_validator,
)
from node.ledger.staking.term import Term
from node.ledger.staking.vault import lock
from primitives.ids import Address, Grain


def delegate(
    overlay: Overlay, *, term: Term, delegator: Address, validator: Address, amount: Grain
) -> None:
    """Lock money as stake of the validator, from the next epoch on.

    Raises:
        StakingError: no such validator, too small an amount, or a closed pool.
        InsufficientBalanceError: the account does not hold the amount.
    """
    pool = read_validator(overlay, validator)
    least = term.parameters.delegation_min
    if amount < least:
        raise DelegationSizeError(actual=amount, least=least)
    _check_price(pool, amount=amount, incoming=pool.incoming)
    delegation = settle(overlay, term=term, delegator=delegator, validator=validator)
    lock(overlay, owner=delegator, amount=amount)
    write_delegation(
        overlay,
        validator,
        delegator,
        msgspec.structs.replace(
            delegation,
            deposited=Grain(delegation.deposited + amount),
            deposit_epoch=term.epoch,
        ),
    )
    incoming = Grain(pool.incoming + amount)
    write_validator(overlay, msgspec.structs.replace(pool, incoming=incoming))


def undelegate(
    overlay: Overlay, *, term: Term, delegator: Address, validator: Address, amount: Grain
) -> Grain:
    """Take stake out of the pool at the end of the epoch; it is free after the unbonding period.

    Until the end of the epoch it still earns. All of the delegation leaves if less than the least
    deposit would stay. Returns what leaves at the rate of now.

    Raises:
        StakingError: no such validator, or the delegation has less that is free to leave.
    """
    pool = read_validator(overlay, validator)
    delegation = settle(overlay, term=term, delegator=delegator, validator=validator)
    shares = _free_shares(pool, delegation, amount=amount, term=term)
    exits = delegation.exits
    if exits and exits[-1].epoch == term.epoch:
        claim = ExitClaim(term.epoch, exits[-1].shares + shares)
        exits = (*exits[:-1], claim)
    else:
        _check_entries(len(exits), term)
        exits = (*exits, ExitClaim(term.epoch, shares))
    left = msgspec.structs.replace(delegation, shares=delegation.shares - shares, exits=exits)
    write_delegation(overlay, validator, delegator, left)
    write_validator(overlay, msgspec.structs.replace(pool, outgoing=pool.outgoing + shares))
    return grains_redeemed(pool, shares)


def redelegate(
    overlay: Overlay,
    *,
    term: Term,
    delegator: Address,
    source: Address,
    destination: Address,
    amount: Grain,
) -> Grain:
    """Move stake to another validator at the end of the epoch, without a day off.

    A slash of the source for an epoch that the stake backed follows it for as long as it would be
    unbonding; until then it cannot leave the destination. Returns what leaves at the rate of now.

    Raises:
        StakingError: no such validator, one validator twice, a closed destination, too many
            entries, or the delegation has less that is free to leave.
    """
    if source == destination:
        raise SameValidatorError(validator=source)
    least = term.parameters.delegation_min
    if amount < least:
        raise DelegationSizeError(actual=amount, least=least)
    pool = read_validator(overlay, source)
    _check_price(read_validator(overlay, destination), amount=amount, incoming=0)
    delegation = settle(overlay, term=term, delegator=delegator, validator=source)
    shares = _free_shares(pool, delegation, amount=amount, term=term)
    departures = _add_departure(pool, Departure(destination, shares), amount=amount, term=term)
    arrived = settle(overlay, term=term, delegator=delegator, validator=destination)
    moves = _add_claim(arrived, source, shares, term=term)
    left = msgspec.structs.replace(delegation, shares=delegation.shares - shares)
    write_delegation(overlay, source, delegator, left)
    write_delegation(overlay, destination, delegator, msgspec.structs.replace(arrived, moves=moves))
    write_validator(overlay, msgspec.structs.replace(pool, departures=departures))
    return grains_redeemed(pool, shares)


def withdraw(overlay: Overlay, *, term: Term, delegator: Address, validator: Address) -> None:
    """Pay out what is mature and turn what arrived into free shares.

    It works whatever became of the validator.

    Raises:
        NothingToWithdrawError: nothing is due.
    """
    before = read_delegation(overlay, validator, delegator)
    after = settle(overlay, term=term, delegator=delegator, validator=validator)
    if after == before:
        raise NothingToWithdrawError(validator=validator)
    write_delegation(overlay, validator, delegator, after)


def _check_price(pool: Validator, *, amount: Grain, incoming: int) -> None:
    """Check that the pool sells a share for the amount, beside what is coming in already."""
    if shares_bought(pool, incoming + amount):
        return
    if shares_bought(pool, pool.tokens):
        raise DelegationSizeError(actual=amount, least=Grain(-(-pool.tokens // pool.shares)))
    raise PoolClosedError(validator=pool.operator)


def _free_shares(pool: Validator, delegation: Delegation, *, amount: Grain, term: Term) -> int:
    """Return the shares to take for an amount: enough of them, and all if little would stay."""
    if amount < 1:
        raise DelegationSizeError(actual=amount, least=Grain(1))
    free = grains_redeemed(pool, delegation.shares)
    if free == 0 and delegation.shares:
        # Less than a grain, or of a pool that lost everything: it may be cleared away.
        return delegation.shares
    if amount > free:
        if delegation.moves:
            matures = term.release_of(delegation.moves[0].epoch)
            raise ImmatureRedelegationError(free=free, needed=amount, matures=matures)
        raise InsufficientStakeError(actual=free, needed=amount)
    if free - amount < term.parameters.delegation_min:
        return delegation.shares
    return shares_redeemed(pool, amount)


def _check_entries(count: int, term: Term) -> None:
    limit = term.parameters.unbonding_entries_max
    if count >= limit:
        raise EntryLimitError(limit=limit)


def _add_departure(
    pool: Validator, added: Departure, *, amount: Grain, term: Term
) -> tuple[Departure, ...]:
    """Return the departures of the pool with one more, or one that grew.

    Each further destination takes a move of twice the size to open: who would block moves of a size
    has to move about as much itself, in every epoch, and moved stake is bound where it arrives.
    """
    departures = pool.departures
    for place, departure in enumerate(departures):
        if departure.destination == added.destination:
            grown = Departure(added.destination, departure.shares + added.shares)
            return (*departures[:place], grown, *departures[place + 1 :])
    limit = term.parameters.redelegation_targets_max
    if len(departures) >= limit:
        raise TargetLimitError(limit=limit)
    least = Grain(term.parameters.delegation_min << len(departures))
    if amount < least:
        raise DelegationSizeError(actual=amount, least=least)
    return (*departures, added)


def _add_claim(
    delegation: Delegation, source: Address, shares: int, *, term: Term
) -> tuple[MoveClaim, ...]:
    """Return the moves of the delegation with one more, or one that grew."""
    moves = delegation.moves
    for place, claim in enumerate(moves):
        if claim.source == source and claim.epoch == term.epoch:
            grown = MoveClaim(source, term.epoch, claim.shares + shares)
            return (*moves[:place], grown, *moves[place + 1 :])
    _check_entries(len(moves), term)
    return (*moves, MoveClaim(source, term.epoch, shares))
