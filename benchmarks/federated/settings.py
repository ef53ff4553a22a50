"""What a federated run is told, the arms that are compared, and what one arm leaves behind."""

import enum

import msgspec

from fl.jobs.local_terms import RateSchedule
from fl.jobs.subject import ModelKind
from fl.rules.aggregation.outer import OuterRule
from fl.rules.aggregation.rule import Rule
from primitives.hashing import sha256


@enum.unique
class Arm(enum.Enum):
    """A way to train on the same texts."""

    POOLED = "pooled"
    """Central training on the texts of all clients: what a federation gives up for privacy."""

    LOCAL = "local"
    """Every client for itself; figures are the mean over clients."""

    FEDAVG = "fedavg"
    """The mean of float updates with weights n_i / n, both as McMahan et al. 2017 define it."""

    ADJUSTED = "adjusted"
    """As FEDAVG, but clients train with the logit adjustment, as those of ours do."""

    FEDIT = "fedit"
    """As FEDAVG, but both factors are trained at once and averaged side by side."""

    OURS = "ours"
    """The way of the product: integers, clipping, scores of validators, quality weights."""


@enum.unique
class Division(enum.Enum):
    """How the texts are divided among the clients."""

    DIRICHLET = "dirichlet"
    """Each class, or each group where `group` names a column, by a Dirichlet draw."""

    GROUPS = "groups"
    """Whole groups."""

    IID = "iid"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the figures, but for the arm and the seed.

    Args:
        layers: how many of the last layers are adapted; 0 for all.
        local_steps: optimiser steps of a client in a round; 0 for one pass over its texts.
        schedule: of the learning rate, in every local run; pooled training is one.
        rate_kept_percent: of that rate, from each round to the next; pooled training is one.
        adjustment: tau of the logit adjustment, for OURS and ADJUSTED; 0: plain cross entropy.
        hold_out: texts that only validators see, taken from the training split before all else.
        byzantine_percent: of the updates that the rule reckons with, as tasks do by default.
        clip: of the first round, as `fl.rules.update.norms` measures.
        rate: of the outer optimiser, Q16.
    """

    model: str
    data: str
    task: ModelKind = ModelKind.CLASSIFICATION
    clients: int = 8
    alpha: float = 0.3
    division: Division = Division.DIRICHLET
    group: str = ""
    rounds: int = 10
    local_steps: int = 0
    batch_size: int = 4
    max_length: int = 64
    learning_rate: float = 4e-3
    schedule: RateSchedule = RateSchedule.LINEAR
    rate_kept_percent: int = 100
    adjustment: float = 0.75
    rank: int = 8
    layers: int = 0
    train_max: int = 0
    test_max: int = 0
    hold_out: int = 210
    validators: int = 7
    rule: Rule = Rule.TRIMMED_MEAN
    byzantine_percent: int = 25
    outer: OuterRule = OuterRule.PLAIN
    rate: int = 1 << 16
    clip: int = 1 << 20

    @property
    def key(self) -> str:
        """Return what tells records of other settings apart."""
        return sha256(msgspec.json.encode(self)).hex()[:16]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says about each text of the test split.

    Args:
        wanted: the class; empty for texts to write.
        chosen: the class that the model takes; empty for texts to write.
        asked: classes or tokens that were asked.
        hits: how many of these it would have taken itself.
        losses: their negative log likelihood, summed, in nats.
    """

    wanted: tuple[int, ...]
    chosen: tuple[int, ...]
    asked: tuple[int, ...]
    hits: tuple[int, ...]
    losses: tuple[float, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One arm with one seed, a line of the results file.

    Args:
        key: of the settings.
        samples: texts, or packed rows, that went through training, each pass counted.
        metrics: on the test split, by name.
        facts: what else an arm tells, by name.
        labels: the number of classes; 0 for texts to write.
        answers: None for LOCAL, where each client has its own.
    """

    key: str
    arm: Arm
    seed: int
    seconds: float
    samples: int
    tokens: int
    metrics: dict[str, float]
    facts: dict[str, float]
    labels: int
    answers: Answers | None
