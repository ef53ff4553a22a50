"""Who holds which examples: trainers, validators, and the test that nobody trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.poisoning.model import Crowd, Examples, Local, Shape
from devnet.attacks.poisoning.catalogue import Attack, Poison
from fl.training.examples.partition import dirichlet
from fl.training.scoring.terms import evened

EXAMPLES_MIN: Final = 20
TARGET: Final = 0
"""The class that the back door opens to."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """One data set as activations.

    Attributes:
        train: for the trainers.
        held_out: for the validators to score on.
        test: that everybody is measured on.
        train_triggered: the texts of `train` with the attacker's trigger, and their true labels.
        held_out_probed: with triggers that validators try; the attacker's is not among them.
        test_triggered: as `train_triggered`.
    """

    train: Examples
    held_out: Examples
    test: Examples
    train_triggered: Examples
    held_out_probed: Examples
    test_triggered: Examples

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.train.y.max()) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cells of a table have in common.

    Attributes:
        alpha: of the Dirichlet division of classes.
        decay: by which the local rate falls from round to round.
        adjustment: tau of the logit adjustment that everybody trains with; 0: plain cross entropy.
        step: the part of an update that a validator tries when it scores it.
    """

    trainers: int = 20
    validators: int = 7
    rounds: int = 12
    rank: int = 8
    alpha: float = 1.0
    steps: int = 10
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.8
    adjustment: float = 0.75
    step: float = 0.5

    def local(self, round_number: int) -> Local:
        """Return how trainers train in a round."""
        rate = self.rate * self.decay**round_number
        return Local(self.steps, self.batch, rate, self.adjustment)

    def shape(self, corpus: Corpus) -> Shape:
        """Return the sizes of the model."""
        return Shape(corpus.train.x.shape[1], corpus.classes, self.rank)


class Bench:
    """What the validators keep for scoring: each its own part, plain and with probes.

    Attributes:
        plain: of all validators, one after the other.
        probed: the same texts with triggers that validators try.
        parts: where each validator's are.
        weights: of each example in a score, those of one part sum to one.
    """

    def __init__(self, corpus: Corpus, parts: Sequence[NDArray[np.int64]], *, tau: float) -> None:
        indices = np.concatenate(parts)
        self.plain = corpus.held_out.part(indices)
        self.probed = corpus.held_out_probed.part(indices)
        ends = np.cumsum([len(part) for part in parts]).tolist()
        self.parts = [slice(end - len(part), end) for end, part in zip(ends, parts, strict=True)]
        labels = self.plain.y.numpy()
        self.weights = np.concatenate([evened(labels[part], tau=tau) for part in self.parts])


@dataclass(frozen=True, slots=True)
class Division:
    """One division of a corpus; the first `attackers` trainers are the attackers."""

    corpus: Corpus
    crowd: Crowd
    bench: Bench
    attackers: int


def divide(
    corpus: Corpus, setting: Setting, *, attack: Attack, attackers: int, seed: int
) -> Division:
    """Divide a corpus, and let the attackers poison their part."""
    dice = np.random.default_rng([seed, 2])
    parts = dirichlet(
        corpus.train.y.numpy(),
        clients=setting.trainers,
        alpha=setting.alpha,
        seed=seed,
        examples_min=EXAMPLES_MIN,
    )
    clients = [
        _poisoned(corpus, part, attack) if index < attackers else corpus.train.part(part)
        for index, part in enumerate(parts)
    ]
    order = dice.permutation(len(corpus.held_out))
    bench = Bench(corpus, np.array_split(order, setting.validators), tau=setting.adjustment)
    return Division(corpus, Crowd(clients), bench, attackers)


def _poisoned(corpus: Corpus, indices: Sequence[int], attack: Attack) -> Examples:
    own = corpus.train.part(indices)
    match attack.poison:
        case Poison.LABELS:
            return Examples(own.x, corpus.classes - 1 - own.y)
        case Poison.TRIGGER:
            with_trigger = corpus.train_triggered.part(indices)
            return Examples.joined([own, Examples(with_trigger.x, torch.full_like(own.y, TARGET))])
        case _:
            return own
