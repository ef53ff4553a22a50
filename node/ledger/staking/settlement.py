"""Turn the claims of one delegation into shares and money, once they are due.

Each claim takes its part of what is left on the record that it points to, rounded down, so that the
last claim takes all the rest and the record is gone: no dust, and no record without an owner.
"""

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.records import (
    Delegation,
    Deposits,
    ExitClaim,
    Exits,
    MoveClaim,
    Moves,
)
from node.ledger.staking.tables import (
    EMPTY_DELEGATION,
    find_exits,
    find_moves,
    find_validator,
    read_delegation,
    read_deposits,
    write_deposits,
    write_exits,
    write_moves,
)
from node.ledger.staking.term import Term
from node.ledger.staking.vault import release
from primitives.ids import Address, Epoch, Grain


def settle(overlay: Overlay, *, term: Term, delegator: Address, validator: Address) -> Delegation:
    """Return the delegation with everything settled that is due; the caller stores it.

    Mature exits and refused deposits are paid out. Deposits of earlier epochs and mature moves
    become shares. What is left in a pool that was closed becomes an exit of that moment.
    """
    delegation = read_delegation(overlay, validator, delegator)
    if delegation == EMPTY_DELEGATION:
        return delegation
    delegation, refund = settle_deposit(overlay, delegation, term=term, validator=validator)
    paid: int = refund
    # Claims are in the order of their epochs, so what is mature stands first.
    while delegation.moves and term.is_mature(delegation.moves[0].epoch):
        shares, grains = _claim_move(overlay, validator, delegation.moves[0])
        paid += grains
        delegation = msgspec.structs.replace(
            delegation, shares=delegation.shares + shares, moves=delegation.moves[1:]
        )
    delegation = _follow_closing(overlay, validator, delegation)
    while delegation.exits and term.is_mature(delegation.exits[0].epoch):
        paid += _claim_exit(overlay, validator, delegation.exits[0])
        delegation = msgspec.structs.replace(delegation, exits=delegation.exits[1:])
    release(overlay, owner=delegator, amount=Grain(paid))
    return delegation


def settle_deposit(
    overlay: Overlay, delegation: Delegation, *, term: Term, validator: Address
) -> tuple[Delegation, Grain]:
    """Return the delegation with the shares of an earlier deposit, and what was refused of it."""
    if not delegation.deposited or delegation.deposit_epoch >= term.epoch:
        return delegation, Grain(0)
    shares, refund = _claim_deposit(overlay, validator, delegation)
    settled = msgspec.structs.replace(
        delegation,
        shares=delegation.shares + shares,
        deposited=Grain(0),
        deposit_epoch=Epoch(0),
    )
    return settled, refund


def _claim_deposit(
    overlay: Overlay, validator: Address, delegation: Delegation
) -> tuple[int, Grain]:
    """Return the shares that a deposit bought, and the money that came back instead."""
    epoch, claim = delegation.deposit_epoch, delegation.deposited
    record = read_deposits(overlay, validator, epoch)
    shares = record.shares * claim // record.claims
    refund = Grain(record.refund * claim // record.claims)
    left = Deposits(
        Grain(record.claims - claim), record.shares - shares, Grain(record.refund - refund)
    )
    write_deposits(overlay, validator, epoch, left)
    return shares, refund


def _claim_move(overlay: Overlay, validator: Address, claim: MoveClaim) -> tuple[int, Grain]:
    """Return the shares that a move brought, and the money that found no pool."""
    record = find_moves(overlay, claim.source, claim.epoch, validator)
    assert record is not None, "a claim on moves that are not there"
    shares = record.shares * claim.shares // record.claims
    grains = Grain(record.tokens * claim.shares // record.claims)
    left = Moves(
        record.claims - claim.shares,
        record.shares - shares,
        Grain(record.tokens - grains),
    )
    write_moves(overlay, claim.source, claim.epoch, validator, left)
    return shares, grains


def _claim_exit(overlay: Overlay, validator: Address, claim: ExitClaim) -> Grain:
    record = find_exits(overlay, validator, claim.epoch)
    assert record is not None, "a claim on exits that are not there"
    grains = Grain(record.tokens * claim.shares // record.claims)
    left = Exits(record.claims - claim.shares, Grain(record.tokens - grains))
    write_exits(overlay, validator, claim.epoch, left)
    return grains


def _follow_closing(overlay: Overlay, validator: Address, delegation: Delegation) -> Delegation:
    """Return the delegation with its shares of a closed pool as the exit that they became."""
    pool = find_validator(overlay, validator)
    if pool is None or pool.closed_epoch is None or delegation.shares == 0:
        return delegation
    exits, shares = delegation.exits, delegation.shares
    if exits and exits[-1].epoch == pool.closed_epoch:
        shares += exits[-1].shares
        exits = exits[:-1]
    claim = ExitClaim(pool.closed_epoch, shares)
    return msgspec.structs.replace(delegation, shares=0, exits=(*exits, claim))
