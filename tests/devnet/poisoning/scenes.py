"""Rounds of a few numbers for attackers to look at."""

import numpy as np
from numpy.typing import NDArray

from devnet.attacks.poisoning.scene import Scene

COORDINATES = 50


def honest_updates(count: int = 12, *, seed: int = 1) -> NDArray[np.float64]:
    """Return updates that agree on a direction and differ by some noise."""
    dice = np.random.default_rng(seed)
    direction = dice.standard_normal(COORDINATES)
    return direction + 0.5 * dice.standard_normal((count, COORDINATES))


def scene_of(*, index: int = 0, attackers: int = 8, past: int = 0) -> Scene:
    ring = honest_updates(attackers, seed=2)
    return Scene(
        own=ring[index],
        honest=honest_updates(20 - attackers),
        ring=ring,
        past=tuple(honest_updates(past, seed=3)) if past else (),
        index=index,
        attackers=attackers,
        trainers=20,
        dice=np.random.default_rng([4, index]),
    )
