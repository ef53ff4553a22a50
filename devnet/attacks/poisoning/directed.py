"""Attacks that push the model away from where honest training takes it."""

from typing import Final

from devnet.attacks.poisoning.scene import Scene, Update, disguised

SCALING: Final = 10.0
IPM_FACTOR: Final = 2.0
NOISE_DEVIATIONS: Final = 10.0


def sign_flip(scene: Scene) -> Update:
    """Send the opposite of the own honest update.

    Source: Li et al. 2019, arXiv:1811.03761 (RSA); ByzFL's SignFlipping.
    """
    return -scene.own


def scaling(scene: Scene) -> Update:
    """Send the opposite of the own honest update, ten times as long, to outweigh everybody.

    A rule that bounds no norm is moved anywhere by one of these. In the right direction it would
    be an honest update again once it is clipped.
    Source: Blanchard et al. 2017, arXiv:1703.02757; Damaskinos et al. 2019 (reversed gradients).
    """
    return -SCALING * scene.own


def gaussian(scene: Scene) -> Update:
    """Send noise, ten times as wide as honest updates differ from each other.

    Source: Blanchard et al. 2017, arXiv:1703.02757.
    """
    spread = scene.honest.std(axis=0).mean() or abs(scene.own).mean()
    drawn = scene.dice.standard_normal(scene.own.shape)
    sent: Update = NOISE_DEVIATIONS * spread * drawn
    return sent


def inner_product(scene: Scene) -> Update:
    """Send minus twice the honest mean, so that the mean of all points uphill.

    Source: Xie, Koyejo and Gupta 2019, arXiv:1903.03936 (IPM), with ByzFL's factor.
    """
    mean: Update = scene.honest.mean(axis=0)
    return disguised(scene, -IPM_FACTOR * mean)
