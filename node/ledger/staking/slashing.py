"""Take stake for an offence: the fraction of the stake at the offence, never more.

The validator's own stake pays first, wherever it is: in the pool, unbonding, or with another
validator. What it cannot pay, everything shares that is liable, in proportion to what it holds now:
the pool, and what left it at the end of the epoch of the offence or later, until it is free, so
leaving is no way out. What left before is not liable, nor is what came in after the offence and
still stands in the record of its deposits. Amounts are rounded up to whole grains in sum, and what
one part cannot pay for want of a whole share, the next one pays.

Shares of the pool have no age. So three kinds of stake answer, like all others, for what the own
stake does not cover, although they came after the offence: a deposit whose owner has since then
acted on that delegation (added to it, left, moved on, withdrew), which made it shares; an exit or a
move of such shares; and what was redelegated in. In sum they never pay more than their part of what
is liable now, and nothing at all where the own stake covers what is due. Source of the liabilities:
Cosmos SDK `x/staking/keeper/slash.go`.
"""

from dataclasses import dataclass

from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.own_stake import slash_own_stake
from node.ledger.staking.parameters import WHOLE_BP
from node.ledger.staking.pieces import buy_shares, sell_shares, sell_worth, worth_of
from node.ledger.staking.pool import shrink
from node.ledger.staking.records import Deposits, Exits, Moves
from node.ledger.staking.tables import (
    find_deposits,
    find_exits,
    find_moves,
    read_targets,
    read_validator,
    write_deposits,
    write_exits,
    write_moves,
    write_validator,
)
from node.ledger.staking.term import Term
from primitives.ids import Address, Epoch, Grain


@dataclass(frozen=True, slots=True)
class Loss:
    """Who paid for an offence.

    Args:
        own: what the validator's own stake lost.
        shared: what all lost together, since its own stake did not cover it.
    """

    own: Grain
    shared: Grain

    @property
    def total(self) -> Grain:
        """All that was taken."""
        return Grain(self.own + self.shared)


def slash(
    overlay: Overlay,
    *,
    term: Term,
    operator: Address,
    offence_epoch: Epoch,
    stake: Grain,
    fraction_bp: int,
) -> Grain:
    """Take the fraction of the stake; return what was taken, which the caller pays out or burns.

    Args:
        overlay: the state.
        term: of the running epoch, not before the offence.
        operator: the offender.
        offence_epoch: within the evidence window, so that nothing it backed is free yet.
        stake: of the offender when that epoch began.
        fraction_bp: of the stake, in basis points.
    """
    due = -(-stake * fraction_bp // WHOLE_BP)
    return take_stake(
        overlay, term=term, operator=operator, offence_epoch=offence_epoch, due=due
    ).total


def take_stake(
    overlay: Overlay, *, term: Term, operator: Address, offence_epoch: Epoch, due: int
) -> Loss:
    """Take an amount from what answers for an offence, or all of that; return who paid."""
    own = slash_own_stake(overlay, term=term, operator=operator, oldest=offence_epoch, due=due)
    spared = _set_aside(overlay, term=term, operator=operator, offence_epoch=offence_epoch)
    shared = _share_out(
        overlay, term=term, operator=operator, offence_epoch=offence_epoch, due=due - own
    )
    for epoch, grains in spared:
        _put_back(overlay, operator, epoch, grains=grains)
    return Loss(own=Grain(own), shared=Grain(shared))


def at_stake(state: StateReader, *, term: Term, operator: Address, offence_epoch: Epoch) -> bool:
    """Tell whether anything is left that backed the validator in that epoch."""
    if read_validator(state, operator).tokens:
        return True
    for left in range(offence_epoch, term.epoch):
        epoch = Epoch(left)
        exits = find_exits(state, operator, epoch)
        if (exits is not None and exits.tokens) or read_targets(state, operator, epoch):
            return True
    return False


def _set_aside(
    overlay: Overlay, *, term: Term, operator: Address, offence_epoch: Epoch
) -> list[tuple[Epoch, Grain]]:
    """Take out of the pool what came in after the offence; return how much, by its epoch."""
    spared = []
    for entered in range(offence_epoch, term.epoch):
        epoch = Epoch(entered)
        record = find_deposits(overlay, operator, epoch)
        if record is None or record.shares == 0:
            continue
        grains = sell_shares(overlay, operator, record.shares)
        write_deposits(overlay, operator, epoch, Deposits(record.claims, 0, record.refund))
        spared.append((epoch, grains))
    return spared


def _put_back(overlay: Overlay, operator: Address, epoch: Epoch, *, grains: Grain) -> None:
    """Buy shares for what was set aside, or leave it to its owners if the pool sells none."""
    record = find_deposits(overlay, operator, epoch)
    assert record is not None, "it was written when its shares were set aside"
    shares = buy_shares(overlay, operator, grains)
    refund = record.refund if shares else Grain(record.refund + grains)
    write_deposits(overlay, operator, epoch, Deposits(record.claims, shares, refund))


def _share_out(
    overlay: Overlay, *, term: Term, operator: Address, offence_epoch: Epoch, due: int
) -> int:
    """Take an amount from the pool and what left it, each in proportion to what it holds."""
    places: list[tuple[Epoch, Address | None, int]] = []
    for left in range(offence_epoch, term.epoch):
        epoch = Epoch(left)
        exits = find_exits(overlay, operator, epoch)
        if exits is not None:
            places.append((epoch, None, exits.tokens))
        for target in read_targets(overlay, operator, epoch):
            moves = find_moves(overlay, operator, epoch, target)
            if moves is not None:
                worth = moves.tokens + worth_of(overlay, target, moves.shares)
                places.append((epoch, target, worth))
    pool = read_validator(overlay, operator)
    liable = pool.tokens + sum(worth for _, _, worth in places)
    due = min(due, liable)
    taken = 0
    for place, destination, worth in places:
        amount = (due - taken) * worth // liable if liable else 0
        liable -= worth
        if destination is None:
            taken += _slash_exits(overlay, operator, place, amount=amount)
        else:
            taken += _slash_moves(overlay, operator, place, destination, amount=amount)
    pool = read_validator(overlay, operator)
    rest = min(pool.tokens, due - taken)
    write_validator(overlay, shrink(pool, rest))
    return taken + rest


def _slash_exits(overlay: Overlay, operator: Address, epoch: Epoch, *, amount: int) -> int:
    exits = find_exits(overlay, operator, epoch)
    assert exits is not None, "it was weighed"
    lost = min(exits.tokens, amount)
    write_exits(overlay, operator, epoch, Exits(exits.claims, Grain(exits.tokens - lost)))
    return lost


def _slash_moves(
    overlay: Overlay, source: Address, epoch: Epoch, destination: Address, *, amount: int
) -> int:
    """Take an amount from stake that moved, wherever it is; return what it lost."""
    moves = find_moves(overlay, source, epoch, destination)
    assert moves is not None, "it was weighed"
    waiting = min(moves.tokens, amount)
    shares, grains = sell_worth(
        overlay, destination, amount=amount - waiting, shares_max=moves.shares
    )
    left = Moves(moves.claims, moves.shares - shares, Grain(moves.tokens - waiting))
    write_moves(overlay, source, epoch, destination, left)
    return waiting + grains
