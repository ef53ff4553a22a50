"""Who rules the next epoch: the candidates with the most stake, but not too many new ones at once.

Guards: at a boundary at most `power_change_max`, less than a third of the power, changes hands by
anyone's choice, so that whoever trusts a committee knows that two thirds of the next were in it.
What nobody chose is not limited: seats that were jailed, tombstoned or left without stake go at
once, since power without stake is worse. Jailing has its own limit (`absence.py`). A committee of
less than four tolerates no fault anyway and may change at will, or one seat could never become two.

Theory of operation. The change is the power that seats gain. Three kinds of choice make it, and
each is taken only as far as the limit allows, in this order: stake that moved between the seats
(in eighths of the way), seats that leave for weakness, newcomers by stake. What does not fit waits
for the next boundary. Nobody overtakes a newcomer with more stake.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.ledger.staking.parameters import (
    BYZANTINE_COMMITTEE_MIN,
    POWER_TOTAL,
    StakingParameters,
)
from node.ledger.staking.power import powers_of
from node.ledger.staking.records import Keys, Member, Members
from primitives.ids import Address, Grain, Power

_STEPS: Final = 8


@enum.unique
class Wish(enum.Enum):
    """What the rules want of a candidate, if the limit on change allows."""

    JOIN = enum.auto()
    STAY = enum.auto()
    LEAVE = enum.auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A validator that may sit in the next committee; all but JOIN have a seat now."""

    operator: Address
    keys: Keys
    stake: Grain
    wish: Wish


def elect(
    ruling: Members, candidates: Sequence[Candidate], *, parameters: StakingParameters
) -> Members:
    """Return the next committee, the greatest weight first.

    Args:
        ruling: the committee of the epoch that ends; empty before the first.
        candidates: at least one; a ruling member that is not among them loses its seat at once.
        parameters: of the chain.
    """
    ballot = _Ballot(ruling, parameters)
    ordered = sorted(candidates, key=lambda candidate: (-candidate.stake, candidate.operator))
    seated = [candidate for candidate in ordered if candidate.wish is not Wish.JOIN]
    weights = ballot.ease(seated)
    for candidate in reversed(seated):
        rest = _without(weights, candidate.operator)
        if candidate.wish is Wish.LEAVE and rest and ballot.allows(rest):
            weights = rest
    for candidate in ordered:
        if candidate.wish is not Wish.JOIN:
            continue
        grown = _with(weights, candidate, size_max=parameters.committee_size_max)
        if grown is None or not ballot.allows(grown):
            break
        weights = grown
    return _members(weights, ordered, power_cap=parameters.power_cap)


def power_change(ruling: Mapping[Address, Power], elected: Mapping[Address, Power]) -> int:
    """Return the power that seats gain from one committee to the next."""
    return sum(max(0, power - ruling.get(operator, 0)) for operator, power in elected.items())


class _Ballot:
    """The committee that ends, and how much the next may differ from it."""

    def __init__(self, ruling: Members, parameters: StakingParameters) -> None:
        self._powers = {member.operator: member.power for member in ruling}
        self._weights = {member.operator: member.weight for member in ruling}
        self._power_cap = parameters.power_cap
        self._limit: int = parameters.power_change_max
        if len(ruling) < BYZANTINE_COMMITTEE_MIN:
            self._limit = POWER_TOTAL

    def ease(self, seated: Sequence[Candidate]) -> dict[Address, int]:
        """Return weights of the seats as near to their stake as the limit allows."""
        if not seated:
            self._limit = POWER_TOTAL
            return {}
        # Power that seats left behind goes to somebody; that much is nobody's choice.
        self._limit = max(self._limit, self._change(self._weights_at(seated, step=0)))
        eased = (self._weights_at(seated, step=step) for step in range(_STEPS, -1, -1))
        return next(weights for weights in eased if self.allows(weights))

    def allows(self, weights: Mapping[Address, int]) -> bool:
        """Tell whether a committee with these weights is near enough to the one that ends."""
        return self._change(weights) <= self._limit

    def _change(self, weights: Mapping[Address, int]) -> int:
        return power_change(self._powers, _powers(weights, power_cap=self._power_cap))

    def _weights_at(self, seated: Sequence[Candidate], *, step: int) -> dict[Address, int]:
        weights = {}
        for candidate in seated:
            before = self._weights[candidate.operator]
            weight = before + (candidate.stake - before) * step // _STEPS
            weights[candidate.operator] = max(1, weight)
        return weights


def _without(weights: Mapping[Address, int], operator: Address) -> dict[Address, int]:
    return {other: weight for other, weight in weights.items() if other != operator}


def _with(
    weights: Mapping[Address, int], newcomer: Candidate, *, size_max: int
) -> dict[Address, int] | None:
    """Return the weights with the newcomer, for whom the least seat may have to go."""
    if len(weights) < size_max:
        return {**weights, newcomer.operator: newcomer.stake}
    least = _ranked(weights)[-1]
    if weights[least] >= newcomer.stake:
        return None
    return {**_without(weights, least), newcomer.operator: newcomer.stake}


def _ranked(weights: Mapping[Address, int]) -> list[Address]:
    # Ties go to the lower address.
    return sorted(weights, key=lambda operator: (-weights[operator], operator))


def _powers(weights: Mapping[Address, int], *, power_cap: int) -> dict[Address, Power]:
    ranked = _ranked(weights)
    powers = powers_of([weights[operator] for operator in ranked], power_cap=power_cap)
    return dict(zip(ranked, powers, strict=True))


def _members(
    weights: Mapping[Address, int], candidates: Sequence[Candidate], *, power_cap: int
) -> Members:
    known = {candidate.operator: candidate for candidate in candidates}
    return tuple(
        Member(
            operator=operator,
            keys=known[operator].keys,
            stake=known[operator].stake,
            weight=Grain(weights[operator]),
            power=power,
        )
        for operator, power in _powers(weights, power_cap=power_cap).items()
    )
