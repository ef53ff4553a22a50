"""Validators of our arm: each scores updates and guards models on texts that only it holds.

The votes are those of `fl.training.scoring.scores`, without a penalty for long updates.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.arms import Run
from fl.jobs.subject import ModelKind
from fl.rules.aggregation.outer import apply
from fl.rules.select import Consensus, agree
from fl.rules.update.layout import TensorLayout
from fl.training.examples.tokens import IGNORED, Encoded, encode_labelled, encode_plain
from fl.training.scoring.evaluation import Evaluation
from fl.training.scoring.left_out import Aggregate, by_rule, worths
from fl.training.scoring.scores import halfway
from fl.training.scoring.terms import bounded, evened, quantum
from fl.training.stream import Examples
from primitives.order import weighted_median

if TYPE_CHECKING:
    from fl.training.models import LoadedModel

Int32s = NDArray[np.int32]

BAND_MIN: Final = 10
"""A milli-nat: scores that differ by less agree."""


class Jury:
    """All validators, with equal stakes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rule, self._byzantine = run.settings.rule, run.settings.byzantine_percent
        self._shards = [_encoded(shard, run) for shard in run.field.shards]
        is_classified = run.settings.task is ModelKind.CLASSIFICATION
        self._weights = [
            evened(
                np.array([one.labels[0] if is_classified else 0 for one in shard]),
                tau=run.settings.adjustment,
            )
            for shard in self._shards
        ]
        # What the layers below the adapter gave is kept in there, so there is one for each layout.
        self._evaluations: dict[tuple[int, TensorLayout], Evaluation] = {}

    def scores(
        self, layout: TensorLayout, model: Int32s, updates: Sequence[Int32s], *, limit: int
    ) -> list[Consensus]:
        """Return the consensus on the quality of each update.

        Args:
            layout: of the vectors; the adapter holds what it lacks.
            model: where the round began.
            updates: as they were decoded.
            limit: to which they are clipped.
        """
        halves = [halfway(model, update, limit=limit) for update in updates]
        step = by_rule(updates, limit=limit, rule=self._rule, byzantine_percent=self._byzantine)
        votes = [
            self._votes(judge, layout, [model, *halves], step) for judge in range(len(self._shards))
        ]
        powers = [1] * len(votes)
        return [agree(given, powers, band_min=BAND_MIN) for given in zip(*votes, strict=True)]

    def _votes(
        self, judge: int, layout: TensorLayout, states: Sequence[Int32s], step: Aggregate
    ) -> list[int]:
        """Return what one validator says about each update; the first state is the present one."""
        weights = self._weights[judge]

        def losses(tried: Sequence[Int32s]) -> NDArray[np.float64]:
            each = bounded(self._evaluation(judge, layout).losses(tried, count=len(tried)))
            found: NDArray[np.float64] = each @ weights
            return found

        before, *alone = losses(states)

        def gains(sets: Sequence[Sequence[int]]) -> NDArray[np.float64]:
            found: NDArray[np.float64] = before - losses(
                [apply(states[0], step(one)) for one in sets]
            )
            return found

        count = len(alone)
        return [
            worth.quality(quantum(before - after), quantum(worth.beside(count)))
            for after, worth in zip(alone, worths(count, gains, seed=0), strict=True)
        ]

    def rise(self, layout: TensorLayout, model: Int32s, following: Int32s) -> int:
        """Return the median of the validators' changes of the loss from one model to the next."""
        votes = []
        for judge, weights in enumerate(self._weights):
            before, after = bounded(
                self._evaluation(judge, layout).losses([model, following], count=2)
            )
            votes.append(quantum(float((after - before) @ weights)))
        return weighted_median(votes, [1] * len(votes))

    def _evaluation(self, judge: int, layout: TensorLayout) -> Evaluation:
        if (judge, layout) not in self._evaluations:
            self._evaluations[judge, layout] = Evaluation(
                self._run.adapter,
                self._shards[judge],
                layout=layout,
                count=len(self._run.field.clients) + 1,
            )
        return self._evaluations[judge, layout]


def _encoded(shard: Examples, run: Run) -> list[Encoded]:
    """Return the texts as tokens; those that are cut before they ask for anything are left out."""
    loaded: LoadedModel = run.adapter.loaded
    length = run.settings.max_length
    if loaded.kind is ModelKind.CLASSIFICATION:
        labelled = list(enumerate(shard))
        return encode_labelled(labelled, loaded.tokenizer, tokens_max=length)  # type: ignore[arg-type]
    plain = encode_plain(list(enumerate(shard)), loaded.tokenizer)  # type: ignore[arg-type]
    cut = [Encoded(one.index, one.ids[:length], one.labels[:length]) for one in plain]
    return [one for one in cut if any(label != IGNORED for label in one.labels[1:])]
