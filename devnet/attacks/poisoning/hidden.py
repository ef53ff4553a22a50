"""Attacks that stay where honest updates are, so that no distance gives them away."""

from statistics import NormalDist
from typing import Final

import numpy as np

from devnet.attacks.poisoning.scene import Scene, Update, disguised

ALIE_DEVIATIONS_MIN: Final = 1.5
BISECTIONS: Final = 24
GAMMA_MAX: Final = 64.0


def alie(scene: Scene) -> Update:
    """Send the honest mean moved by as many deviations as a majority still covers.

    With n trainers of which f attack, s = n // 2 + 1 - f honest ones have to be further out, so
    z is the quantile of (n - f - s) / (n - f); never under ByzFL's 1.5, which does more harm.
    Source: Baruch, Baruch and Goldberg 2019, arXiv:1902.06156, "A little is enough".
    """
    honest = max(1, scene.trainers - scene.attackers)
    needed = scene.trainers // 2 + 1 - scene.attackers
    share = min(max((honest - needed) / honest, 0.5), 1 - 1e-6)
    deviations = max(ALIE_DEVIATIONS_MIN, min(NormalDist().inv_cdf(share), 3.0))
    moved: Update = scene.honest.mean(axis=0) - deviations * scene.honest.std(axis=0)
    return disguised(scene, moved)


def min_max(scene: Scene) -> Update:
    """Move the honest mean against its spread until it is as far from somebody as two honest are.

    Source: Shejwalkar and Houmansadr 2021, "Manipulating the Byzantine" (Min-Max, with the
    deviation as direction).
    """
    mean, direction = scene.honest.mean(axis=0), -scene.honest.std(axis=0)
    reach = max(_distance_max(scene.honest, other) for other in scene.honest)
    low, high = 0.0, GAMMA_MAX
    for _ in range(BISECTIONS):
        gamma = (low + high) / 2
        if _distance_max(scene.honest, mean + gamma * direction) <= reach:
            low = gamma
        else:
            high = gamma
    return disguised(scene, mean + low * direction)


def mimic(scene: Scene) -> Update:
    """Send what one honest trainer sends, so that its examples count many times and others less.

    All attackers copy the one that is furthest along the direction in which honest updates differ
    most.
    Source: Karimireddy, He and Jaggi 2022, arXiv:2006.09365.
    """
    spread = scene.honest - scene.honest.mean(axis=0)
    _, _, axes = np.linalg.svd(spread, full_matrices=False)
    victim: Update = scene.honest[int(np.abs(spread @ axes[0]).argmax())]
    return disguised(scene, victim)


def _distance_max(honest: Update, point: Update) -> float:
    return float(np.linalg.norm(honest - point, axis=1).max())
