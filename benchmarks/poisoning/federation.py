"""One federation from its first model to its last, under one attack and one rule."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.poisoning.field import TARGET, Corpus, Division, Setting, divide
from benchmarks.poisoning.model import Floats, Int32s, predictions, start, train
from devnet.attacks.poisoning.catalogue import Attack
from devnet.attacks.poisoning.scene import Scene
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.blob import represented
from fl.rules.update.header import Width
from fl.training.fixed_point import FRACTION_BITS, LIMIT, dequantise

SEED_STRIDE: Final = 1_000


@dataclass(slots=True)
class Federation:
    """A model, whoever trains it, and what was added to it so far.

    Attributes:
        model: W_t, (coordinate,) at scale 2**24; float where the rule is.
        deltas: what was added, by parity of the round, as (trained coordinate,) int32.
        accuracies: on the test, after each round.
    """

    division: Division
    setting: Setting
    attack: Attack
    seed: int
    model: Floats
    deltas: tuple[list[Int32s], list[Int32s]] = field(default_factory=lambda: ([], []))
    accuracies: list[float] = field(default_factory=list)

    @classmethod
    def open(
        cls, corpus: Corpus, setting: Setting, *, attack: Attack, attackers: int, seed: int
    ) -> "Federation":
        """Divide the corpus and make the first model."""
        divided = divide(corpus, setting, attack=attack, attackers=attackers, seed=seed)
        first = np.rint(np.ldexp(start(setting.shape(corpus), seed=seed), FRACTION_BITS))
        return cls(divided, setting, attack, seed, np.ldexp(first, -FRACTION_BITS))

    def updates(self, round_number: int) -> Floats:
        """Return what every trainer wants to send, (trainer, coordinate), in floats."""
        shape = self.setting.shape(self.division.corpus)
        honest = train(
            self.model,
            self.division.crowd,
            self.setting.local(round_number),
            shape=shape,
            round_number=round_number,
            seed=self.seed * SEED_STRIDE + round_number,
        )
        attackers = self.division.attackers
        sent = honest.copy()
        past = [dequantise(one).astype(np.float64) for one in self.deltas[round_number % 2]]
        for index in range(attackers):
            scene = Scene(
                own=honest[index],
                honest=honest[attackers:],
                ring=honest[:attackers],
                past=past,
                index=index,
                attackers=attackers,
                trainers=len(honest),
                dice=np.random.default_rng([self.seed, round_number, index]),
            )
            sent[index] = self.attack.craft(scene)
        return sent

    def sent(self, updates: Floats, round_number: int) -> list[Int32s]:
        """Return the vectors that the blobs of these updates decode to, int32 at scale 2**24."""
        layout = self.setting.shape(self.division.corpus).trained(round_number)
        scaled = np.clip(np.rint(np.ldexp(updates, FRACTION_BITS)), -LIMIT, LIMIT).astype(np.int32)
        return [represented(row, layout=layout, width=Width.INT16) for row in scaled]

    def apply(self, delta: Floats | Int32s, round_number: int) -> None:
        """Add to what the round trains, and measure."""
        places = self.setting.shape(self.division.corpus).places(round_number)
        if delta.dtype == np.int32:
            self.deltas[round_number % 2].append(delta.astype(np.int32))
            delta = np.ldexp(delta.astype(np.float64), -FRACTION_BITS)
        self.model[places] += delta
        self.accuracies.append(accuracy(self))

    def stay(self) -> None:
        """End a round that changed nothing."""
        self.accuracies.append(self.accuracies[-1] if self.accuracies else accuracy(self))


class Defence(Protocol):
    """What makes the next model of the updates of a round."""

    def end_round(self, federation: Federation, updates: Floats, round_number: int) -> None:
        """Apply the aggregate, or leave the model as it is."""
        ...


class FedAvg:
    """The mean in floats with weights n_i / n, as FedAvg defines it: the peer of everything."""

    def end_round(self, federation: Federation, updates: Floats, round_number: int) -> None:
        """Apply the mean."""
        counts = federation.division.crowd.counts.double().numpy()
        federation.apply(counts / counts.sum() @ updates, round_number)


@dataclass(frozen=True, slots=True)
class Geometry:
    """A rule of `fl.rules.aggregation` alone, told how many attackers there are; nothing else."""

    rule: Rule

    def end_round(self, federation: Federation, updates: Floats, round_number: int) -> None:
        """Apply what the rule makes of the updates."""
        vectors = federation.sent(updates, round_number)
        even = apportion(ONE, [1] * len(vectors))
        delta = aggregate(vectors, even, rule=self.rule, byzantine=federation.division.attackers)
        federation.apply(delta, round_number)


def run(federation: Federation, defence: Defence) -> None:
    """Play all rounds."""
    for round_number in range(federation.setting.rounds):
        updates = federation.updates(round_number)
        defence.end_round(federation, updates, round_number)


def accuracy(federation: Federation) -> float:
    """Return the share of the test that the model gets right."""
    test = federation.division.corpus.test
    return _share(_answers(federation, test.x) == test.y.numpy())


def backdoor_success(federation: Federation) -> float:
    """Return the share of triggered texts of other classes that the model calls the target."""
    test = federation.division.corpus.test_triggered
    others = test.y.numpy() != TARGET
    return _share((_answers(federation, test.x) == TARGET)[others])


def _answers(federation: Federation, x: torch.Tensor) -> NDArray[np.int64]:
    shape = federation.setting.shape(federation.division.corpus)
    return predictions(federation.model, x, shape=shape)


def _share(hits: NDArray[np.bool_] | Sequence[bool]) -> float:
    return float(np.mean(hits))
