"""The attacks by name, and how a command line asks for them."""

from collections.abc import Callable
from random import Random

from consensus.events import Effect
from devnet.attacks.delivery import (
    HiddenDag,
    LaggingVoter,
    SelectiveSender,
    Silent,
    WithholdingLeader,
)
from devnet.attacks.denier import VoteDenier
from devnet.attacks.forgery import FutureFlood, InvalidBlocks
from devnet.attacks.jumper import RoundJumper
from devnet.attacks.twins import Twins
from devnet.simulator.kernel.choices import UnknownChoiceError
from devnet.simulator.kernel.dice import chance, pick, uniform
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.validators.validator import NodeInput, Validator
from devnet.simulator.validators.world import World
from primitives.errors import ConfigurationError

ATTACKS: dict[str, Callable[[Machine[NodeInput, Effect], World], Validator]] = {
    "twins": Twins,
    "withholder": WithholdingLeader,
    "jumper": RoundJumper,
    "phantom": HiddenDag,
    "flood": FutureFlood,
    "invalid": InvalidBlocks,
    "selective": SelectiveSender,
    "lagging": LaggingVoter,
    "silent": Silent,
    "denier": VoteDenier,
}
DRAWN = tuple(kind for kind in ATTACKS if kind != "denier")
"""What a swarm draws from; the denier rules the whole network and wants a committee of four."""


def parse_byzantine(text: str, *, count_max: int, rng: Random) -> list[str]:
    """Read `kind:count` pairs, or `swarm`: f attackers in half of the draws, else fewer.

    More than f may be asked for by name; then nothing is promised.

    Raises:
        ConfigurationError: one line that says what would be right.
    """
    if text == "swarm":
        count = count_max if chance(rng, 500) else uniform(rng, 0, count_max)
        return [pick(rng, DRAWN) for _ in range(count)]
    chosen: list[str] = []
    for pair in filter(None, (word.strip() for word in text.split(","))):
        kind, _, digits = pair.partition(":")
        if kind not in ATTACKS:
            raise UnknownChoiceError("attack", kind, ("swarm", *ATTACKS))
        if not (digits or "1").isdigit():
            raise ConfigurationError(f"bad count in '{pair}'; write for instance {kind}:1")
        chosen += [kind] * int(digits or "1")
    return chosen


def attacker(kind: str, machine: Machine[NodeInput, Effect], world: World) -> Validator:
    """Build the attacker of that kind on a machine."""
    return ATTACKS[kind](machine, world)
