"""How an identity's reputation moves, and what each fault costs it.

A reputation is a Q16 fraction. Quality moves it by a sixteenth of the way to a target; only faults
that anybody can prove by replay cut it or ask for stake. Low quality never does: an organisation
whose data differ from everybody else's is no offender.
Source: the table of faults of the design; the weights of the Templar ramp are in `select.py`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from fl.rules.limits import HARM_ROUNDS, HARM_WINDOW, ONE

INITIAL: Final = 6_554
"""A tenth: what an identity has that nobody has met."""

EFFECT_MIN: Final = ONE // 4
STEP: Final = 16


@enum.unique
class Fault(enum.Enum):
    """What is punished."""

    WITHHELD_UPDATE = "committed an update and did not reveal it"
    MALFORMED = "revealed a malformed or oversized blob"
    COPY = "copied or replayed an update"
    HARM = "harmed the model again and again"
    WITHHELD_SCORES = "committed scores and did not reveal them"
    WRONG_AGGREGATE = "voted for another aggregate than two thirds"


@enum.unique
class BondFate(enum.Enum):
    """What becomes of the bond of the update that shows the fault."""

    RETURNED = "returned"
    BURNED = "burned"


@dataclass(frozen=True, slots=True)
class Penalty:
    """What a fault costs: a part of the stake, the bond, and eighths of the reputation."""

    stake_basis_points: int
    bond: BondFate
    eighths_cut: int


PENALTIES: Final[Mapping[Fault, Penalty]] = MappingProxyType(
    {
        Fault.WITHHELD_UPDATE: Penalty(0, BondFate.BURNED, 1),
        Fault.MALFORMED: Penalty(0, BondFate.BURNED, 1),
        Fault.COPY: Penalty(100, BondFate.BURNED, 4),
        Fault.HARM: Penalty(200, BondFate.RETURNED, 4),
        Fault.WITHHELD_SCORES: Penalty(50, BondFate.RETURNED, 1),
        # Its jail is the disputes contract's to order; a validator's weight is its stake alone.
        Fault.WRONG_AGGREGATE: Penalty(3_000, BondFate.RETURNED, 0),
    }
)


def cut(reputation: int, fault: Fault) -> int:
    """Return the reputation after a fault."""
    return reputation - reputation * PENALTIES[fault].eighths_cut // 8


def after_quality(reputation: int, *, score: int, threshold: int, median: int) -> int:
    """Return the reputation after a judged update.

    Args:
        reputation: before, in Q16.
        score: the consensus score of the update.
        threshold: at most this is worth nothing.
        median: of the accepted scores; at least this is worth one, less a half.
    """
    if score <= threshold:
        target = 0
    elif score < median:
        target = ONE // 2
    else:
        target = ONE
    return reputation + (target - reputation) // STEP


def weight_effect(reputation: int) -> int:
    """Return the Q16 factor of the weight: the reputation, but at least a quarter."""
    return max(EFFECT_MIN, reputation)


def is_harm(score: int, *, band: int, harm: int) -> bool:
    """Tell whether a score is harm beyond doubt: all of its band lies below minus `harm`.

    The band is at least three times the median deviation of the validators' scores, so such a score
    is more than three deviations away from harmless.

    Args:
        score: the consensus score of the update.
        band: its half-width.
        harm: of the task's terms or its peak, whichever is more. Who holds a rare class alone may
            well cost the young model as much as others give; an offender costs it more than that.
    """
    return score + band < -harm


def remember_harm(history: int, *, happened: int) -> int:
    """Return the history of the last rounds with one more, as bits; the newest is the lowest."""
    return (history << 1 | happened) & ((1 << HARM_WINDOW) - 1)


def is_persistent(history: int) -> bool:
    """Tell whether the remembered rounds hold enough harm for a fault."""
    return history.bit_count() >= HARM_ROUNDS
