"""What a validator says about the updates of a round, and later about the model made of them.

    alone     a = L(W) - L(W + clip(u) / 2) - rho |u|^2     how far one update helps by itself
    left out  m = L(W + Agg(S, u = 0)) - L(W + Agg(S))      what the aggregate loses without it
    quality   q = max(a, n m / 2 - rho |u|^2)               what the chain takes as its score;
                                                            a where updates are left out in groups
    classes   L_c(W + clip(u) / 2) - L_c(W)                 so damage to one class shows
    probes    the same on texts with a trigger and their true classes, so a backdoor shows

An update from few classes may do harm alone and yet be what the others lack: with 8 trainers at
Dirichlet 0.3 two of eight updates passed by a alone, and accuracy was 0.05 below FedAvg; by q it is
0.03 to 0.08 above (twitter_airline, `benchmarks.federated`). n m is, to first order, what the whole
update is worth beside the others, and half of it what a measures.

L is the mean over this validator's examples with the weights of `terms.evened`, which go with what
trainers lower; L_c is a plain mean. The guard looks at the same L as the scores: by another one it
would refuse what they chose. Changes of loss are positive where the model gets worse, gains where
it gets better. All numbers leave in quanta of 100 micro-nats.

With probes every gain above is the least of those on the examples and on each set of probes: what
helps on plain texts and opens a back door is worth what it does where the trigger stands.
Source: Xie et al. 2019, arXiv:1805.10032 (Zeno); Andreina et al. 2021, arXiv:2011.02167 (BaFFLe).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fl.rules.aggregation.outer import apply
from fl.rules.limits import ONE
from fl.rules.update.layout import TensorLayout
from fl.rules.update.norms import clip, norm_squared, scale
from fl.training.adapters import Adapter
from fl.training.examples.tokens import Encoded
from fl.training.scoring.errors import ScoringError
from fl.training.scoring.evaluation import Evaluation
from fl.training.scoring.left_out import Aggregate, Removals
from fl.training.scoring.limits import DEFAULT_LIMITS, Limits
from fl.training.scoring.terms import (
    Losses,
    ScoringTerms,
    bounded,
    evened,
    penalised,
    quantum,
    standard_error,
)

Int32s = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What one validator scores with.

    Attributes:
        examples: held out, never trained on; losses and classes are of these alone.
        probes: sets of texts with a trigger, labelled with their true classes.
        classes: how many; 0 for a language model.
        adjustment: tau of the logit adjustment with which trainers train.
    """

    examples: Sequence[Encoded]
    probes: Sequence[Sequence[Encoded]] = field(default=())
    classes: int = 0
    adjustment: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How much worse a model is than the present one, in quanta; the measures of a guard report.

    Attributes:
        loss: on all examples, with the weights of scores.
        classes: on those of each class; 0 where there are none.
        probes: on each set.
    """

    loss: int
    classes: tuple[int, ...]
    probes: tuple[int, ...]

    @property
    def measures(self) -> tuple[int, ...]:
        """Return the loss, the classes and the probes, the order of a guard report."""
        return (self.loss, *self.classes, *self.probes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The votes on one update, in quanta.

    Attributes:
        alone: a.
        left_out: m.
        quality: q.
        error: the standard error of the gain in a, from replicates.
        changes: of half the update alone.
    """

    alone: int
    left_out: int
    quality: int
    error: int
    changes: Changes


class Scorer:
    """One validator's panel, ready for the votes of one round.

    Args:
        adapter: in its model, in float32; its tensors outside the layout are those of W.
        panel: what to score with.
        layout: of what the round trains.
        updates: how many the round has, at most.
        limits: of memory and patience.

    Raises:
        ScoringError: an example or the model cannot be scored.
    """

    def __init__(
        self,
        adapter: Adapter,
        panel: Panel,
        *,
        layout: TensorLayout,
        updates: int,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._panel = panel
        self._weights = [_weights(part, panel) for part in (panel.examples, *panel.probes)]
        # What a mean would take for these is their weighted mean.
        self._scales = self._weights[0] * len(panel.examples)
        self._size = layout.size
        tests = len(Removals.of(updates, seed=0).groups)
        if not panel.examples:
            raise ScoringError("there are no examples to score with")
        self._evaluation = Evaluation(
            adapter,
            [*panel.examples, *chain.from_iterable(panel.probes)],
            layout=layout,
            count=2 + updates + tests,
            limits=limits,
        )

    def score(
        self,
        current: Int32s,
        updates: Sequence[Int32s],
        *,
        terms: ScoringTerms,
        aggregate: Aggregate,
    ) -> list[Score]:
        """Return the votes on each update; all of them in one pass.

        Args:
            current: W_t, (layout.size,) int32.
            updates: (layout.size,) int32 each.
            terms: of the task and the round.
            aggregate: the integer aggregation of some of the updates.

        Raises:
            ScoringError: a vector is of another size.
            ScoringStoppedError: the limits said so.
        """
        self._check([current, *updates])
        if not updates:
            return []
        removals = Removals.of(len(updates), seed=terms.seed)

        def states() -> Iterator[Int32s]:
            yield current
            for update in updates:
                yield halfway(current, update, limit=terms.clip)
            yield apply(current, aggregate(range(len(updates))))
            for test in range(len(removals.groups)):
                yield apply(current, aggregate(removals.kept(test)))

        count = 2 + len(updates) + len(removals.groups)
        losses = bounded(self._evaluation.losses(states(), count=count))
        before, alone = losses[0], losses[1 : 1 + len(updates)]
        gains = np.array([self._gain(before, after) for after in losses[1 + len(updates) :]])
        left_out = removals.credit(gains[0] - gains[1:])
        # What a group is worth says too little of one of its members to accept it for that.
        factor = len(updates) / 2 if removals.are_single else 0.0
        return [
            self._vote(before, after, update, terms=terms, left_out=float(rise), factor=factor)
            for after, update, rise in zip(alone, updates, left_out, strict=True)
        ]

    def measure(self, state: Int32s) -> Losses:
        """Return the losses of one state, (layout.size,) int32, as `compare` takes them.

        Each goes through the model by itself, so that its losses do not depend on which other
        state they are compared with and may be kept.
        """
        self._check([state])
        losses: Losses = bounded(self._evaluation.losses([state], count=1))[0]
        return losses

    def compare(self, before: Losses, after: Losses) -> Changes:
        """Return how each measure changes between two states that were measured."""
        rises = self._parts(after - before)
        own, means = rises[0], self._means(rises)
        labels = np.array([example.labels[0] for example in self._panel.examples])
        return Changes(
            loss=quantum(means[0]),
            classes=tuple(
                _mean_quantum(own[labels == label]) for label in range(self._panel.classes)
            ),
            probes=tuple(map(quantum, means[1:])),
        )

    def _parts(self, values: Losses) -> list[Losses]:
        """Return what belongs to the examples, and to each set of probes."""
        sizes = [len(self._panel.examples), *(len(probe) for probe in self._panel.probes)]
        return np.split(values, np.cumsum(sizes)[:-1])

    def _gain(self, before: Losses, after: Losses) -> float:
        """Return by how much the loss falls, where it falls least."""
        parts = self._parts(before - after)
        means = zip(parts, self._means(parts), strict=True)
        return min(mean for part, mean in means if len(part))

    def _means(self, parts: Sequence[Losses]) -> list[float]:
        pairs = zip(parts, self._weights, strict=True)
        return [float(part @ weights) for part, weights in pairs]

    def _vote(
        self,
        before: Losses,
        after: Losses,
        update: Int32s,
        *,
        terms: ScoringTerms,
        left_out: float,
        factor: float,
    ) -> Score:
        squared = norm_squared(update)
        alone, beside = (
            penalised(quantum(gain), norm_squared=squared, penalty=terms.penalty)
            for gain in (self._gain(before, after), left_out * factor)
        )
        return Score(
            alone=alone,
            left_out=quantum(left_out),
            quality=max(alone, beside) if factor else alone,
            error=standard_error(self._parts(before - after)[0] * self._scales),
            changes=self.compare(before, after),
        )

    def _check(self, vectors: Sequence[Int32s]) -> None:
        for number, vector in enumerate(vectors):
            if vector.shape != (self._size,) or vector.dtype != np.int32:
                name = "the current state" if number == 0 else f"update {number - 1}"
                raise ScoringError(
                    f"{name} is {vector.dtype}{vector.shape}, the layout says int32({self._size},)"
                )


def halfway(current: Int32s, update: Int32s, *, limit: int) -> Int32s:
    """Return W + clip(u) / 2: half a step shows the direction better than a whole one."""
    return apply(current, scale(clip(update, limit=limit), factor=ONE // 2))


def _weights(examples: Sequence[Encoded], panel: Panel) -> Losses:
    """Return the weight of each example in a score."""
    labels = [example.labels[0] if panel.classes else 0 for example in examples]
    return evened(np.array(labels, dtype=np.int64), tau=panel.adjustment)


def _mean_quantum(rises: Losses) -> int:
    return quantum(float(rises.mean())) if len(rises) else 0
