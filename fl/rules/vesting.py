"""Rewards that have been earned and wait: each becomes its owner's seven scored rounds later.

Until then a proven fault burns a part. A task may never see seven more rounds, so each tranche also
has a time at which it vests anyway: no reward depends on somebody opening a round. Only rounds that
were scored count, since anybody can open empty ones.
"""

from dataclasses import dataclass, replace
from typing import Final

from fl.rules.limits import VESTING_ROUNDS
from primitives.ids import Grain, TimestampMs


@dataclass(frozen=True, slots=True)
class Tranche:
    """The reward of one round: the number of that scored round, and when it vests at the latest."""

    scored: int
    unlock_ms: TimestampMs
    amount: Grain


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a task has come: scored rounds so far, and the time."""

    scored: int
    now_ms: TimestampMs


@dataclass(frozen=True, slots=True)
class Vesting:
    """What one identity has earned in one task and not been paid.

    Args:
        vested: ready to be claimed, out of reach of any fault.
        tranches: at most `VESTING_ROUNDS`, oldest first.
    """

    vested: Grain
    tranches: tuple[Tranche, ...]

    @property
    def total(self) -> Grain:
        """Return all the money that is held for the identity."""
        return Grain(self.vested + sum(tranche.amount for tranche in self.tranches))


NOTHING: Final = Vesting(vested=Grain(0), tranches=())


def mature(vesting: Vesting, clock: Clock) -> Vesting:
    """Return the same money with every tranche that has vested moved out of reach."""
    waiting = tuple(tranche for tranche in vesting.tranches if not _has_vested(tranche, clock))
    moved = vesting.total - sum(tranche.amount for tranche in waiting)
    return Vesting(vested=Grain(moved), tranches=waiting)


def earn(vesting: Vesting, tranche: Tranche, clock: Clock) -> Vesting:
    """Return the money with one more tranche.

    Tranches are of different scored rounds, so those that are left after maturing are fewer than
    `VESTING_ROUNDS`: there is always room for one more.
    """
    matured = mature(vesting, clock)
    return replace(matured, tranches=(*matured.tranches, tranche))


def slash(vesting: Vesting, *, basis_points: int, clock: Clock) -> tuple[Vesting, Grain]:
    """Return the money that is left after a fault, and what is burned of the unvested part."""
    matured = mature(vesting, clock)
    left = tuple(
        replace(tranche, amount=Grain(tranche.amount - tranche.amount * basis_points // 10_000))
        for tranche in matured.tranches
    )
    slashed = replace(matured, tranches=left)
    return slashed, Grain(vesting.total - slashed.total)


def _has_vested(tranche: Tranche, clock: Clock) -> bool:
    return clock.scored - tranche.scored >= VESTING_ROUNDS or clock.now_ms >= tranche.unlock_ms
