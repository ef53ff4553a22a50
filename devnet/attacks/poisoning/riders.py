"""Free riders: no work of their own, and a hand held out for the reward.

Source: Fraboni, Vidal and Lorenzi 2021, arXiv:2006.11901; Lin et al. 2019, arXiv:1911.12560.
"""

from typing import Final

import numpy as np

from devnet.attacks.poisoning.scene import Scene, Update

SYBIL_NOISE: Final = 1e-2


def zero(scene: Scene) -> Update:
    """Send nothing."""
    return np.zeros_like(scene.own)


def noise(scene: Scene) -> Update:
    """Send noise as long as an honest update, which no look at the norm gives away."""
    drawn = scene.dice.standard_normal(scene.own.shape)
    return drawn * (np.linalg.norm(scene.honest.mean(axis=0)) / np.linalg.norm(drawn))


def replay(scene: Scene) -> Update:
    """Send what the last round of this layout added to the model; nothing before there is one."""
    return scene.past[-1].copy() if scene.past else np.zeros_like(scene.own)


def copycat(scene: Scene) -> Update:
    """Send the very update of an honest trainer, each attacker that of another.

    Nobody can read an update before the commitments are in. So it is one of an earlier round, or
    somebody handed it over; then the copy is committed later than the original.
    """
    copied: Update = scene.honest[scene.index % len(scene.honest)].copy()
    return copied


def sybil(scene: Scene) -> Update:
    """Send the honest work of one under many names, with a little noise so that no two are equal.

    Source: Fung, Yoon and Beschastnikh 2018, arXiv:1808.04866.
    """
    shared: Update = scene.ring[0]
    drawn = scene.dice.standard_normal(shared.shape)
    return shared + SYBIL_NOISE * drawn * (np.linalg.norm(shared) / np.linalg.norm(drawn))
