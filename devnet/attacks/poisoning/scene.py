"""What an attacker sees when it makes its update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Update = NDArray[np.float64]
"""(coordinate,), in the model's own unit, as an honest trainer has it before it is quantised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One round as one attacker sees it.

    Args:
        own: what honest training on its own examples gave it.
        honest: updates that it knows of honest trainers, (trainer, coordinate), at least one; in
            the lab all of them, in a network those of earlier rounds, or its own without any.
        ring: what honest training gave the attackers, (attacker, coordinate), its own among them.
        past: what earlier rounds of this layout added to the model, the oldest first.
        index: its number among the attackers, from 0.
        attackers: how many there are.
        trainers: how many take part in all.
        dice: its own; seeded.
    """

    own: Update
    honest: NDArray[np.float64]
    ring: NDArray[np.float64]
    past: Sequence[Update]
    index: int
    attackers: int
    trainers: int
    dice: np.random.Generator


DISGUISE: Final = 1e-3


def disguised(scene: Scene, update: Update) -> Update:
    """Return the update with a little noise of the attacker's own.

    Attackers who agree on one vector would else be found by its digest alone.
    """
    drawn = scene.dice.standard_normal(update.shape)
    sent: Update = update + DISGUISE * update.std() * drawn
    return sent


Craft = Callable[[Scene], Update]
"""Turns what an attacker sees into what it sends."""
