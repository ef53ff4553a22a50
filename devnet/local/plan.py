"""Who does what in a local network: from a few numbers to a role for each node.

The first nodes are validators, the last ones trainers, and a node may be both. The attackers are
the last of the trainers, the lying validators the last of the validators; so in a network where
everybody is both, one organisation may cheat twice. Pure: the same wish gives the same plan.
"""

import enum
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from devnet.attacks.poisoning.catalogue import ATTACKS
from devnet.attacks.poisoning.validators import Kind
from devnet.local.errors import PlanError
from devnet.local.latency import Latency
from devnet.local.study import Study

NODES_MAX: Final = 64
ROUNDS_MAX: Final = 1_000
_COUNT_DIGITS_MAX: Final = 9
_OTHER_NAMES: Final = {"freerider": "zero"}
"""What the literature calls an attack, where the catalogue has another word."""
_KNOWN_ATTACKS: Final = tuple(name for name in ATTACKS if name != "none")


@enum.unique
class Part(enum.Enum):
    """What a node takes part in."""

    VALIDATOR = "validator"
    TRAINER = "trainer"


class Share(msgspec.Struct, frozen=True):
    """So many of one kind."""

    kind: str
    count: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for.

    Args:
        nodes: in all.
        validators: the first ones; None: all.
        trainers: the last ones; None: all, or none without rounds.
        attackers: of the trainers, the last ones.
        liars: of the validators, the last ones.
        rounds: of training; 0: no task is offered.
        epoch_ms: length of an epoch.
        at_once: workers that compute at one time, so that memory and cores suffice.
        threads: of each worker.
        seed: of everything that is drawn.
        latency: of the links between nodes.
    """

    nodes: int
    validators: int | None = None
    trainers: int | None = None
    attackers: tuple[Share, ...] = ()
    liars: tuple[Share, ...] = ()
    rounds: int = 2
    epoch_ms: int = 3_600_000
    at_once: int = 2
    threads: int = 1
    seed: int = 1
    study: Study = Study()
    latency: Latency = Latency()


class NodePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One node.

    Args:
        attack: on its updates, a name of the attack catalogue; empty: it is honest.
        lie: about scores, a kind of `devnet.attacks.poisoning.validators`; empty: it is honest.
    """

    number: int
    parts: tuple[Part, ...]
    attack: str = ""
    lie: str = ""

    @property
    def name(self) -> str:
        """Return what people call the node, and its folder."""
        return f"node-{self.number}"

    @property
    def is_honest(self) -> bool:
        """Tell whether it does what it should."""
        return not self.attack and not self.lie

    def is_a(self, part: Part) -> bool:
        """Tell whether it takes part as that."""
        return part in self.parts


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole network."""

    nodes: tuple[NodePlan, ...]
    rounds: int
    epoch_ms: int
    at_once: int
    threads: int
    seed: int
    study: Study
    latency: Latency = Latency()

    def of(self, part: Part) -> tuple[NodePlan, ...]:
        """Return the nodes that take part as that."""
        return tuple(node for node in self.nodes if node.is_a(part))


def make_plan(wish: Wish) -> Plan:
    """Return who does what.

    Raises:
        PlanError: the wish cannot be fulfilled; the message says what to change.
    """
    validators = wish.nodes if wish.validators is None else wish.validators
    # Without rounds nobody needs examples, unless trainers are asked for.
    everybody = wish.nodes if wish.rounds else 0
    trainers = everybody if wish.trainers is None else wish.trainers
    _check_counts(wish, validators=validators, trainers=trainers)
    attacks = _named(wish.attackers, known=_KNOWN_ATTACKS, what="attack", option="--attackers")
    lies = _named(
        wish.liars, known=tuple(kind.value for kind in Kind), what="lie", option="--liars"
    )
    _check_room(attacks, among=trainers, what="trainers", option="--attackers")
    _check_room(lies, among=validators, what="validators", option="--liars")
    attack_of = dict(zip(range(wish.nodes - len(attacks), wish.nodes), attacks, strict=True))
    lie_of = dict(zip(range(validators - len(lies), validators), lies, strict=True))
    nodes = tuple(
        NodePlan(
            number=number,
            parts=_parts(number, wish.nodes, validators=validators, trainers=trainers),
            attack=attack_of.get(number, ""),
            lie=lie_of.get(number, ""),
        )
        for number in range(wish.nodes)
    )
    return Plan(
        nodes=nodes,
        rounds=wish.rounds,
        epoch_ms=wish.epoch_ms,
        at_once=wish.at_once,
        threads=wish.threads,
        seed=wish.seed,
        study=wish.study,
        latency=wish.latency,
    )


def parse_shares(text: str) -> tuple[Share, ...]:
    """Return what "signflip:2,freerider:1" says.

    Raises:
        PlanError: it is not of that form.
    """
    shares = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        kind, colon, count = word.partition(":")
        if not colon or not count.isascii() or not count.isdigit() or not count.strip("0"):
            raise PlanError(f"{word!r} is not KIND:COUNT, as in signflip:2")
        # By its length first: int() refuses very long ones with an error of its own.
        if len(count) > _COUNT_DIGITS_MAX or int(count) > NODES_MAX:
            raise PlanError(f"{kind.strip()!r} counts too many: a network has {NODES_MAX} nodes")
        shares.append(Share(kind.strip(), int(count)))
    return tuple(shares)


def quorum_survives(plan: Plan) -> bool:
    """Tell whether the liars hold less than a third of the stake, all of which is alike."""
    validators = plan.of(Part.VALIDATOR)
    return 3 * sum(bool(node.lie) for node in validators) < len(validators)


def _check_counts(wish: Wish, *, validators: int, trainers: int) -> None:
    for holds, message in (
        (1 <= wish.nodes <= NODES_MAX, f"--nodes is 1 to {NODES_MAX}, not {wish.nodes}"),
        (
            1 <= validators <= wish.nodes,
            f"--validators is 1 to the {wish.nodes} nodes, not {validators}",
        ),
        (
            0 <= trainers <= wish.nodes,
            f"--trainers is 0 to the {wish.nodes} nodes, not {trainers}",
        ),
        (0 <= wish.rounds <= ROUNDS_MAX, f"--rounds is 0 to {ROUNDS_MAX}, not {wish.rounds}"),
        (
            not wish.rounds or trainers > 0,
            "rounds need trainers: ask for --trainers, or for --rounds 0",
        ),
        (wish.epoch_ms >= 1_000, f"an epoch lasts a second at least, not {wish.epoch_ms} ms"),
        (wish.at_once >= 1, f"at least one worker computes at a time, not {wish.at_once}"),
        (wish.threads >= 1, f"a worker has a thread at least, not {wish.threads}"),
    ):
        if not holds:
            raise PlanError(message)


def _named(shares: Sequence[Share], *, known: Collection[str], what: str, option: str) -> list[str]:
    found = []
    for share in shares:
        kind = _OTHER_NAMES.get(share.kind, share.kind)
        if kind not in known:
            there_are = ", ".join((*known, *(_OTHER_NAMES if what == "attack" else ())))
            raise PlanError(f"{option}: there is no {what} {share.kind!r}; there are {there_are}")
        found += [kind] * share.count
    return found


def _check_room(chosen: Sequence[str], *, among: int, what: str, option: str) -> None:
    if len(chosen) > among:
        raise PlanError(f"{option} asks for {len(chosen)} of {among} {what}")


def _parts(number: int, nodes: int, *, validators: int, trainers: int) -> tuple[Part, ...]:
    parts = []
    if number < validators:
        parts.append(Part.VALIDATOR)
    if number >= nodes - trainers:
        parts.append(Part.TRAINER)
    return tuple(parts)
