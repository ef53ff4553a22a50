"""The attacks by name, as command lines ask for them."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devnet.attacks.poisoning.directed import gaussian, inner_product, scaling, sign_flip
from devnet.attacks.poisoning.hidden import alie, mimic, min_max
from devnet.attacks.poisoning.riders import copycat, noise, replay, sybil, zero
from devnet.attacks.poisoning.scene import Craft, Scene, Update
from devnet.simulator.kernel.choices import UnknownChoiceError


class Poison(enum.Enum):
    """What an attacker does to its examples before it trains on them."""

    NONE = "none"
    LABELS = "labels"
    TRIGGER = "trigger"


def honest(scene: Scene) -> Update:
    """Send the own update as it is."""
    return scene.own


def replacement(scene: Scene) -> Update:
    """Send the own update so long that a mean of all takes it over as a whole.

    Source: Bagdasaryan et al. 2020, arXiv:1807.00459 (model replacement).
    """
    return scene.own * (scene.trainers / max(1, scene.attackers))


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done to the examples, and then to the update."""

    craft: Craft
    poison: Poison = Poison.NONE


ATTACKS: Final[Mapping[str, Attack]] = {
    "none": Attack(honest),
    "signflip": Attack(sign_flip),
    "scaling": Attack(scaling),
    "gaussian": Attack(gaussian),
    "labelflip": Attack(honest, Poison.LABELS),
    "ipm": Attack(inner_product),
    "alie": Attack(alie),
    "minmax": Attack(min_max),
    "mimic": Attack(mimic),
    "backdoor": Attack(replacement, Poison.TRIGGER),
    "zero": Attack(zero),
    "noise": Attack(noise),
    "replay": Attack(replay),
    "copycat": Attack(copycat),
    "sybil": Attack(sybil),
}


def attack_named(name: str) -> Attack:
    """Return the attack of that name.

    Raises:
        UnknownChoiceError: there is none.
    """
    if name not in ATTACKS:
        raise UnknownChoiceError("attack", name, tuple(ATTACKS))
    return ATTACKS[name]
