"""The end of an epoch: the one moment when pools, keys and the committee change.

The order is fixed: absence is judged, rewards are paid, exits leave, deposits enter, the next
committee is elected, pools without a future are closed. Every step walks the roster or the
committee, both bounded, and touches no delegation.

If nobody qualifies, since all left or were jailed, the ruling members that are not tombstoned go
on, with whatever stake they have; if all are tombstoned, all go on. Without a committee no
transaction could ever repair anything, so the chain rather runs with seats that have little to
lose, for one epoch at a time, until somebody bonds.
"""

from dataclasses import dataclass

import msgspec

from node.ledger.overlay import Overlay
from node.ledger.staking.attendance import judge_absence
from node.ledger.staking.election import Candidate, Wish, elect
from node.ledger.staking.flows import admit_deposits, admit_moves, close_pool, release_exits
from node.ledger.staking.records import Members, Standing, Validator
from node.ledger.staking.rewards import Payout, pay_rewards
from node.ledger.staking.tables import (
    delete_committee,
    delete_targets,
    read_committee,
    read_roster,
    read_rounds,
    read_targets,
    read_validator,
    write_committee,
    write_roster,
    write_rounds,
    write_validator,
)
from node.ledger.staking.term import Term
from primitives.ids import Address, Epoch


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """What the end of an epoch decided.

    Args:
        members: the committee of the next epoch.
        jailed: operators that were absent too long.
        closed: operators whose pools everybody left for good.
    """

    members: Members
    payout: Payout
    jailed: tuple[Address, ...]
    closed: tuple[Address, ...]


def end_epoch(overlay: Overlay, *, term: Term) -> EpochOutcome:
    """Close the running epoch and seat the committee of the next."""
    epoch = term.epoch
    ruling, rounds = read_committee(overlay, epoch), read_rounds(overlay)
    jailed = judge_absence(overlay, term=term, members=ruling, rounds=rounds)
    payout = pay_rewards(overlay, term=term, members=ruling, rounds=rounds)
    roster = read_roster(overlay)
    routes = [route for operator in roster for route in release_exits(overlay, operator, epoch)]
    for operator in roster:
        admit_deposits(overlay, operator, epoch)
    admit_moves(overlay, routes, epoch)
    for operator in roster:
        _turn_keys(overlay, operator)
    members = elect(ruling, _candidates(overlay, ruling, term=term), parameters=term.parameters)
    seat(overlay, term.next_epoch, members)
    closed = _close_pools(overlay, members, term=term)
    _forget(overlay, term=term)
    return EpochOutcome(members=members, payout=payout, jailed=jailed, closed=closed)


def seat(overlay: Overlay, epoch: Epoch, members: Members) -> None:
    """Store the committee of an epoch that begins, and count its rounds from zero."""
    write_committee(overlay, epoch, members)
    write_rounds(overlay, (0,) * len(members))


def _turn_keys(overlay: Overlay, operator: Address) -> None:
    validator = read_validator(overlay, operator)
    if validator.next_keys is not None:
        turned = msgspec.structs.replace(validator, keys=validator.next_keys, next_keys=None)
        write_validator(overlay, turned)


def _candidates(overlay: Overlay, ruling: Members, *, term: Term) -> list[Candidate]:
    seated = {member.operator for member in ruling}
    qualified = []
    for operator in read_roster(overlay):
        validator = read_validator(overlay, operator)
        wish = (
            _wish_of_seated(overlay, validator, term=term)
            if operator in seated
            else _wish_of_newcomer(validator, term=term)
        )
        if wish is not None:
            qualified.append(_candidate(validator, wish))
    return qualified or _last_resort(overlay, ruling)


def _wish_of_newcomer(validator: Validator, *, term: Term) -> Wish | None:
    good = validator.standing is Standing.GOOD
    return Wish.JOIN if good and validator.tokens >= term.parameters.stake_join_min else None


def _wish_of_seated(overlay: Overlay, validator: Validator, *, term: Term) -> Wish | None:
    """Return what becomes of a seat, None if it is lost at once; count its weak epochs."""
    parameters = term.parameters
    weak = validator.tokens < parameters.stake_leave_min
    weak_epochs = validator.weak_epochs + 1 if weak else 0
    if weak_epochs != validator.weak_epochs:
        write_validator(overlay, msgspec.structs.replace(validator, weak_epochs=weak_epochs))
    if validator.standing is not Standing.GOOD or validator.tokens < parameters.stake_drop_min:
        return None
    return Wish.LEAVE if weak_epochs > parameters.grace_epochs else Wish.STAY


def _last_resort(overlay: Overlay, ruling: Members) -> list[Candidate]:
    validators = [read_validator(overlay, member.operator) for member in ruling]
    spared = [other for other in validators if other.standing is not Standing.TOMBSTONED]
    return [_candidate(validator, Wish.STAY) for validator in spared or validators]


def _candidate(validator: Validator, wish: Wish) -> Candidate:
    return Candidate(
        operator=validator.operator, keys=validator.keys, stake=validator.tokens, wish=wish
    )


def _close_pools(overlay: Overlay, members: Members, *, term: Term) -> tuple[Address, ...]:
    """Close the pools of the tombstoned, and those that are too small and have no seat."""
    seated = {member.operator for member in members}
    closed = []
    for operator in read_roster(overlay):
        validator = read_validator(overlay, operator)
        if validator.closed_epoch is not None:
            continue
        small = validator.tokens < term.parameters.stake_pool_min and operator not in seated
        if small or validator.standing is Standing.TOMBSTONED:
            close_pool(overlay, operator, term.epoch)
            closed.append(operator)
    return tuple(closed)


def _forget(overlay: Overlay, *, term: Term) -> None:
    """Drop what only evidence needs that no longer counts in the next epoch."""
    expired = Epoch(term.epoch - term.parameters.evidence_window_epochs)
    if expired < 0:
        return
    delete_committee(overlay, expired)
    roster = read_roster(overlay)
    for operator in roster:
        if read_targets(overlay, operator, expired):
            delete_targets(overlay, operator, expired)
    remaining = tuple(
        operator for operator in roster if not _is_gone(overlay, operator, expired=expired)
    )
    if remaining != roster:
        write_roster(overlay, remaining)


def _is_gone(overlay: Overlay, operator: Address, *, expired: Epoch) -> bool:
    """Tell whether no evidence about the validator can count any more."""
    closed_epoch = read_validator(overlay, operator).closed_epoch
    return closed_epoch is not None and closed_epoch <= expired
