"""Validators of our arm: each scores updates and guards models on texts that only it holds.

The votes are those of `fl.training.scoring.scores`, without a penalty for long updates.
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.arms import Run
from fl.jobs.subject import ModelKind
from fl.rules.aggregation.outer import apply
from fl.rules.select import Consensus, agree
from fl.rules.update.layout import TensorLayout
from fl.training.examples.tokens import IGNORED, Encoded, encode_labelled, encode_plain
from fl.training.scoring.errors import ScoringError
from fl.training.scoring.evaluation import Evaluation
from fl.training.scoring.left_out import by_rule
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
    """All validators, with equal stakes; a text is evaluated once for all states of a round.

    Who holds no text that asks for anything does not vote.

    Raises:
        ScoringError: that is so of all of them.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rule, self._byzantine = run.settings.rule, run.settings.byzantine_percent
        shards = [kept for shard in run.field.shards if (kept := _encoded(shard, run))]
        if not shards:
            raise ScoringError(
                "no held-out text asks for a token: raise --max-length or --hold-out"
            )
        self._texts = list(chain.from_iterable(shards))
        is_classified = run.settings.task is ModelKind.CLASSIFICATION
        self._weights = [
            evened(
                np.array([one.labels[0] if is_classified else 0 for one in shard]),
                tau=run.settings.adjustment,
            )
            for shard in shards
        ]
        ends = np.cumsum([0, *map(len, shards)])
        self._spans = [slice(start, end) for start, end in pairwise(ends.tolist())]
        # What the layers below the adapter gave is kept in there, so there is one for each layout.
        self._evaluations: dict[TensorLayout, Evaluation] = {}

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
        everybody = range(len(updates))
        rest = [[one for one in everybody if one != left] for left in everybody]
        wholes = [apply(model, step(kept)) for kept in (everybody, *rest)]
        alone = self._changes(layout, [model, *halves])
        left_out = self._changes(layout, wholes)
        powers = [1] * len(self._spans)
        return [
            # A rise of the loss is the opposite of a gain.
            agree(
                [max(-one, rise * len(updates) // 2) for one, rise in zip(*both, strict=True)],
                powers,
                band_min=BAND_MIN,
            )
            for both in zip(alone, left_out, strict=True)
        ]

    def rise(self, layout: TensorLayout, model: Int32s, following: Int32s) -> int:
        """Return the median of the validators' changes of the loss from one model to the next."""
        (votes,) = self._changes(layout, [model, following])
        return weighted_median(votes, [1] * len(votes))

    def _changes(self, layout: TensorLayout, states: Sequence[Int32s]) -> list[list[int]]:
        """Return for each state after the first what each validator says, in quanta."""
        losses = bounded(self._evaluation(layout).losses(states, count=len(states)))
        return [
            [
                quantum(float(rises[span] @ own))
                for span, own in zip(self._spans, self._weights, strict=True)
            ]
            for rises in losses[1:] - losses[0]
        ]

    def _evaluation(self, layout: TensorLayout) -> Evaluation:
        if layout not in self._evaluations:
            self._evaluations[layout] = Evaluation(
                self._run.adapter,
                self._texts,
                layout=layout,
                count=len(self._run.field.clients) + 1,
            )
        return self._evaluations[layout]


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
