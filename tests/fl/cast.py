"""Who plays in the tests: addresses, terms, secrets and scorecards that everybody can rebuild."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fl.rules import scorecard
from fl.rules.scorecard import VALID, Facts, Place, Record
from node.execution.local_chain import key_named
from primitives.hashing import sha256
from primitives.ids import Address

SALT = b"s" * 32
OK_REPORT = (-10, 0)
BAD_REPORT = (50, 0)


def account(name: str) -> str:
    """Return the account of a local chain that a name is; "validator0" operates a validator."""
    return name.replace("validator", "validator-")


def address(name: str) -> Address:
    return Address(key_named(account(name)).public.raw)


def root_of(name: str) -> bytes:
    return sha256(b"blob of " + name.encode())


def aggregate_of(weights: Sequence[int]) -> bytes:
    return sha256(b"model of " + repr(tuple(weights)).encode())


@dataclass(frozen=True, slots=True)
class Offer:
    """The terms of a task, ready to be sent."""

    reward: int = 1_000_000_000
    bond: int = 1_000_000
    slots: int = 100
    ready: int = 0
    epsilon: int = 10
    band_min: int = 20
    harm: int = 100
    clip: int = 3_000
    clip_min: int = 300
    windows: tuple[int, ...] = (10_000,) * 7
    guard_bounds: tuple[int, ...] = (0, 5)
    identity_percent: int = 15

    @property
    def args(self) -> tuple[object, ...]:
        return (
            sha256(b"document"),
            sha256(b"first model"),
            self.reward,
            self.bond,
            self.slots,
            self.ready,
            self.epsilon,
            self.band_min,
            self.harm,
            self.clip,
            self.clip_min,
            self.windows,
            self.guard_bounds,
            self.identity_percent,
        )


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a validator says of one update; facts None means those of an honest one."""

    alone: int = 100
    left_out: int = 50
    verdict: int = VALID
    original: int | None = None
    cluster: int | None = None
    norm: int = 2_000


def card(opinions: Sequence[Opinion]) -> bytes:
    return b"".join(
        scorecard.write_record(
            Record(
                alone=one.alone,
                left_out=one.left_out,
                facts=Facts(
                    verdict=one.verdict,
                    original=index if one.original is None else one.original,
                    cluster=index if one.cluster is None else one.cluster,
                    norm=one.norm,
                ),
            )
        )
        for index, one in enumerate(opinions)
    )


def update_commitment(place: Place, *, root: bytes) -> bytes:
    return scorecard.commit_update(place, root=root, salt=SALT)


def score_commitment(place: Place, *, scores: bytes) -> bytes:
    return scorecard.commit_scores(place, card=scores, salt=SALT)


def names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}{index}" for index in range(number)]


Opinions = Mapping[str, Opinion]
