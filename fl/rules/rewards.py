"""How the reward of a round is split; every division rounds down and the rest stays in the pot.

48 % go to trainers (by weight and by left-out gain), 48 % to validators (by power, agreement,
liveness and early support of good trainers), 4 % to those who hold the blobs. What an identity
would get beyond the cap is burned, not returned, so that no sponsor gains by crowding a round.
Source: Yuma's dividends and bonds, with the bonds as an average per pair of identities.
"""

from dataclasses import dataclass

from fl.rules.limits import (
    ONE,
    STORAGE_PERCENT,
    TRAINERS_PERCENT,
    VALIDATORS_PERCENT,
    WEIGHT_PERCENT,
)
from primitives.ids import Grain

SMOOTHING = 10
"""Averages move a tenth of the way at each step: 0.9 of the old and 0.1 of the new."""


@dataclass(frozen=True, slots=True)
class Pots:
    """The three parts of a round's reward."""

    trainers: Grain
    validators: Grain
    storage: Grain


@dataclass(frozen=True, slots=True)
class Merit:
    """What a reward is for: Q16 weight, left-out gain, and how many share the slot."""

    weight: int
    gain: int
    sharers: int


@dataclass(frozen=True, slots=True)
class Reward:
    """What a trainer earns, and what is burned above the cap."""

    earned: Grain
    burned: Grain


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What one validator brought to a round.

    Args:
        power: in the committee.
        trust: how much of all bands its scores kept, in Q16.
        duties_kept: of those that were due, which are as many for everybody.
        dividend: its support of the trainers, weighted by what they got, in Q16.
    """

    power: int
    trust: int
    duties_kept: int
    dividend: int


def split(reward: int) -> Pots:
    """Return the three pots."""
    return Pots(
        trainers=Grain(reward * TRAINERS_PERCENT // 100),
        validators=Grain(reward * VALIDATORS_PERCENT // 100),
        storage=Grain(reward * STORAGE_PERCENT // 100),
    )


def smooth(average: int, sample: int) -> int:
    """Return the average after one more sample; it stays within the range of its samples."""
    return average + (sample - average) // SMOOTHING


def trainer_reward(pot: int, merit: Merit, *, gain_total: int, percent_max: int) -> Reward:
    """Return the part of the trainers' pot that one update earns.

    Where nobody has a gain, weight decides alone. The cap is that of one identity, and the members
    of a cluster share it: capped one by one, seven sybils would earn more than an honest trainer.

    Args:
        pot: of all trainers.
        merit: of the update.
        gain_total: of all updates.
        percent_max: the cap, as a part of the pot.
    """
    by_weight = pot * WEIGHT_PERCENT // 100 if gain_total else pot
    due = by_weight * merit.weight // ONE
    if gain_total:
        due += (pot - by_weight) * merit.gain // gain_total
    earned = min(due, pot * percent_max // 100 // merit.sharers)
    return Reward(earned=Grain(earned), burned=Grain(due - earned))


def validator_share(conduct: Conduct) -> int:
    """Return the share of the validators' pot, to be divided by the sum of all shares.

    Early support is worth up to as much again as everything else.
    """
    return conduct.power * conduct.trust * conduct.duties_kept * (ONE + conduct.dividend)


def part(pot: int, *, share: int, share_total: int) -> Grain:
    """Return what a share of the pot is worth; nothing where nobody has a share."""
    return Grain(pot * share // share_total) if share_total else Grain(0)
