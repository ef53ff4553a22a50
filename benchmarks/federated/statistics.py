"""Figures over seeds, and paired differences between arms with their intervals.

A difference is paired twice: both arms of a seed start from the same adapter, texts and division,
and both answer the same test texts. The bootstrap therefore draws seeds, and then texts that are
the same for all seeds and both arms, with replacement; the interval holds 95 % of its differences.
With three seeds the draw of seeds is coarse, so an interval is a guide, not a proof.
Source: Efron and Tibshirani 1993, chapters 13 and 16.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.settings import Answers, Arm, Record
from fl.training.replies import confusion, macro

DRAWS: Final = 2_000
BOOTSTRAP_SEED: Final = 12
POINTS: Final = 100.0
GOALS: Final = {Arm.FEDAVG: 0.3, Arm.POOLED: 1.0}
"""Points of accuracy that ours may be below the other arm."""

Times = NDArray[np.int64]
"""How often each text is taken; (texts,)."""

Measure = Callable[[Times], float]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over seeds; the deviation is that of a sample, 0 for one seed."""

    mean: float
    deviation: float
    seeds: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Ours less another arm, positive where ours is greater.

    Args:
        mean: over seeds.
        low, high: of the 95 % interval.
        goal: how far below the other arm ours may be; None for figures without a goal.
        met: whether the mean is within the goal.
        assured: whether the whole interval is.
    """

    figure: str
    unit: str
    other: Arm
    mean: float
    low: float
    high: float
    goal: float | None = None
    met: bool | None = None
    assured: bool | None = None


def spreads_of(records: Sequence[Record]) -> dict[str, Spread]:
    """Return the figures of one arm by name."""
    found = {}
    for name in records[0].metrics:
        values = [record.metrics[name] for record in records]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        found[name] = Spread(mean=float(np.mean(values)), deviation=deviation, seeds=len(values))
    return found


def differences_to(
    other: Arm, records: Mapping[Arm, Sequence[Record]], *, draws: int = DRAWS
) -> list[Difference]:
    """Compare ours with another arm over the seeds that both have.

    Args:
        other: the other arm.
        records: by arm; all answers are about the same texts in the same order.
        draws: of the bootstrap.
    """
    by_seed = {record.seed: record.answers for record in records.get(other, ())}
    pairs = [
        (record.answers, theirs)
        for record in records.get(Arm.OURS, ())
        if record.answers is not None and (theirs := by_seed.get(record.seed)) is not None
    ]
    if not pairs:
        return []
    texts, labels = len(pairs[0][0].asked), records[Arm.OURS][0].labels
    bootstrap = _Bootstrap(other, seeds=len(pairs), texts=texts, draws=draws)
    found = [bootstrap.compare("accuracy", "points", [_accuracies(*pair) for pair in pairs])]
    if labels:
        scores = [_scores(*pair, labels=labels) for pair in pairs]
        return [*found, bootstrap.compare("macro-F1", "points", scores)]
    perplexities = [_perplexities(*pair) for pair in pairs]
    return [*found, bootstrap.compare("perplexity", "%", perplexities)]


class _Bootstrap:
    """The draws, the same for every figure: how often each seed and each text is taken."""

    def __init__(self, other: Arm, *, seeds: int, texts: int, draws: int) -> None:
        dice = np.random.RandomState(BOOTSTRAP_SEED)
        self._other = other
        self._seeds = [
            np.bincount(dice.randint(seeds, size=seeds), minlength=seeds) for _ in range(draws)
        ]
        self._texts = [
            np.bincount(dice.randint(texts, size=texts), minlength=texts) for _ in range(draws)
        ]
        self._once = np.ones(texts, np.int64)

    def compare(self, figure: str, unit: str, measures: Sequence[Measure]) -> Difference:
        """Return a difference with its interval; one measure for each seed."""
        mean = float(np.mean([measure(self._once) for measure in measures]))
        drawn = [
            np.dot(seeds, [measure(texts) for measure in measures]) / len(measures)
            for seeds, texts in zip(self._seeds, self._texts, strict=True)
        ]
        low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5]))
        goal = GOALS.get(self._other) if figure == "accuracy" else None
        return Difference(
            figure=figure,
            unit=unit,
            other=self._other,
            mean=mean,
            low=low,
            high=high,
            goal=goal,
            met=None if goal is None else mean >= -goal,
            assured=None if goal is None else low >= -goal,
        )


def _accuracies(ours: Answers, theirs: Answers) -> Measure:
    gained, asked = np.array(ours.hits) - np.array(theirs.hits), np.array(ours.asked)
    return lambda times: POINTS * float(gained @ times) / float(asked @ times)


def _scores(ours: Answers, theirs: Answers, *, labels: int) -> Measure:
    wanted = np.array(ours.wanted)
    chosen, other = np.array(ours.chosen), np.array(theirs.chosen)

    def score(classes: Times, times: Times) -> float:
        return macro(confusion(wanted, classes, labels=labels, times=times))["f1"]

    return lambda times: POINTS * (score(chosen, times) - score(other, times))


def _perplexities(ours: Answers, theirs: Answers) -> Measure:
    """Return what tells by how many percent our perplexity is above theirs."""
    gap, asked = np.array(ours.losses) - np.array(theirs.losses), np.array(ours.asked)
    return lambda times: POINTS * float(np.expm1((gap @ times) / (asked @ times)))
