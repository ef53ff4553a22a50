"""Our arm: a round as nodes run it, from the trainer's float to the model that all agree on.

Each update is rounded once, encoded, decoded, measured and clipped; validators score it on texts of
their own; `fl.rules` turns scores into weights, aggregates and steps the model; the guard takes the
result, or the ladder tries a shorter step without the worst updates. Only the network is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.arms import Run
from benchmarks.federated.products import Averaging, relative_errors
from benchmarks.federated.votes import Jury
from fl.rules.aggregation.mean import weighted_mean
from fl.rules.aggregation.outer import OuterOptimizer, OuterState, apply
from fl.rules.aggregation.rule import aggregate
from fl.rules.limits import DROPS, HALVINGS, ONE
from fl.rules.reputation import INITIAL, after_quality, weight_effect
from fl.rules.scorecard import VALID
from fl.rules.select import (
    Candidate,
    level_of,
    median,
    next_clip,
    threshold_of,
    weigh,
    worst_first,
)
from fl.rules.update.blob import decode, encode_update
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.layout import TensorLayout
from fl.rules.update.norms import clip, norm
from fl.rules.update.root import blob_root, content_digest
from fl.rules.update.similarity import GLOBAL_DELTAS_MAX, find_facts
from fl.rules.update.similarity import Candidate as Arrival
from fl.training.fixed_point import dequantise
from fl.training.lineage import LineageStep, UsedUpdate
from primitives.hashing import sha256

Int32s = NDArray[np.int32]

EPSILON: Final = 0
"""The least threshold; what a round gains sets it higher."""

GUARD_BOUND: Final = 500
"""A model whose loss is more than 0.05 nats above the one before is not taken."""

CLIP_MIN: Final = 1 << 12
"""A sixteenth, as `fl.rules.update.norms` measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update as validators know it.

    Attributes:
        root: of its blob.
        exact: what the trainer had before it was encoded.
        vector: what the blob decodes to.
        clipped: that, within the clip of the round.
        norm: before clipping.
    """

    root: str
    exact: Int32s
    vector: Int32s
    clipped: Int32s
    norm: int


@dataclass(slots=True)
class Task:
    """What outlives a round.

    Attributes:
        model: fixed point, over all tensors.
        outer: moments of the outer optimiser, over all tensors.
        clip: of the next round.
        peak: the highest level of a round that changed the model.
        reputations: of the clients, Q16.
        deltas: what was added in the last rounds, by layout.
        lineage: of the model.
    """

    model: Int32s
    outer: OuterState
    clip: int
    reputations: list[int]
    peak: int = 0
    deltas: dict[TensorLayout, list[Int32s]] = field(default_factory=dict)
    lineage: list[LineageStep] = field(default_factory=list)


def train_ours(run: Run) -> tuple[LineageStep, ...]:
    """Train for all rounds, and return where the model comes from."""
    settings, layout = run.settings, run.adapter.tensor_layout()
    optimizer = OuterOptimizer(rule=settings.outer, rate=settings.rate)
    task = Task(
        model=run.adapter.read_fixed(layout),
        outer=optimizer.start(layout.size),
        clip=settings.clip,
        reputations=[INITIAL] * settings.clients,
    )
    jury = Jury(run)
    for number in range(settings.rounds):
        _Round(run, task, jury, number).play(optimizer)
        run.adapter.write(task.model, layout)
    return tuple(task.lineage)


class _Round:
    """One round of a task."""

    def __init__(self, run: Run, task: Task, jury: Jury, number: int) -> None:
        self._run, self._task, self._jury, self._number = run, task, jury, number
        self._layout = run.adapter.trainable_layout(number)
        self._places = run.adapter.tensor_layout().places_of(self._layout)
        self._before = task.model[self._places]

    def play(self, optimizer: OuterOptimizer) -> None:
        """Train, score, select, aggregate and guard; the task is moved on."""
        task, whole = self._task, self._run.adapter.tensor_layout()
        updates = []
        for client in range(len(self._run.field.clients)):
            self._run.adapter.write(task.model, whole)
            updates.append(self._sent(client))
        self._run.adapter.write(task.model, whole)
        found = self._jury.scores(
            self._layout, self._before, [one.vector for one in updates], limit=task.clip
        )
        scores = [one.score for one in found]
        clusters = self._clusters(updates)
        level = level_of([scores[index] for index in clusters])
        threshold = threshold_of(level, epsilon=EPSILON, peak=task.peak)
        accepted = [index for index in clusters if scores[index] > threshold]
        self._run.tally.note("accepted", len(accepted))
        middle = median([scores[index] for index in accepted]) if accepted else 0
        if self._climb(optimizer, updates, self._candidates(accepted, scores, clusters)):
            task.peak = max(task.peak, level)
        task.reputations = [
            after_quality(reputation, score=score, threshold=threshold, median=middle)
            for reputation, score in zip(task.reputations, scores, strict=True)
        ]

    def _sent(self, client: int) -> Update:
        run, number = self._run, self._number
        training = run.training(round_number=number, client=client)
        result = run.train(run.field.clients[client], training, round_number=number)
        expected = Expectation(
            kind=BlobKind.UPDATE,
            base_model=run.adapter.loaded.digest,
            tokenizer=run.adapter.loaded.tokenizer_digest,
            layout=self._layout,
        )
        raw = encode_update(result.delta, expected=expected)
        run.tally.note("blob_bytes", len(raw))
        vector = decode(raw, expected=expected).vector
        return Update(
            root=str(blob_root(raw)),
            exact=result.delta,
            vector=vector,
            clipped=clip(vector, limit=self._task.clip),
            norm=norm(vector),
        )

    def _clusters(self, updates: Sequence[Update]) -> dict[int, int]:
        """Return the cluster of each update that is neither a copy nor a replay."""
        facts = find_facts(
            [
                Arrival(vector=one.vector, content=content_digest(one.vector, layout=self._layout))
                for one in updates
            ],
            norms=[one.norm for one in updates],
            global_deltas=self._task.deltas.get(self._layout, []),
        )
        return {
            index: one.cluster
            for index, one in enumerate(facts)
            if one.verdict == VALID and one.original == index
        }

    def _candidates(
        self, accepted: Sequence[int], scores: Sequence[int], clusters: Mapping[int, int]
    ) -> dict[int, Candidate]:
        return {
            index: Candidate(
                score=scores[index],
                effect=weight_effect(self._task.reputations[index]),
                cluster=clusters[index],
            )
            for index in accepted
        }

    def _climb(
        self,
        optimizer: OuterOptimizer,
        updates: Sequence[Update],
        candidates: Mapping[int, Candidate],
    ) -> bool:
        """Take the first model that the guard lets pass; tell whether one did."""
        ranked = worst_first([(index, one.score) for index, one in candidates.items()])
        for rung, (dropped, halvings) in enumerate(zip(DROPS, HALVINGS, strict=True)):
            left = sorted(set(candidates) - set(ranked[:dropped]))
            if not left:
                break
            weights = weigh([candidates[index] for index in left])
            chosen = [updates[index] for index in left]
            shorter = replace(optimizer, rate=optimizer.rate >> halvings)
            if self._try(shorter, chosen, weights, left):
                norms = [one.norm for one in chosen]
                self._task.clip = next_clip(self._task.clip, norms, clip_min=CLIP_MIN)
                self._run.tally.note("rung", rung)
                self._run.tally.note("null_rounds", 0)
                self._note_errors(chosen, weights)
                return True
        self._run.tally.note("null_rounds", 1)
        return False

    def _try(
        self,
        optimizer: OuterOptimizer,
        chosen: Sequence[Update],
        weights: Sequence[int],
        clients: Sequence[int],
    ) -> bool:
        task, places = self._task, self._places
        vectors = [one.clipped for one in chosen]
        delta = aggregate(
            vectors,
            weights,
            rule=self._run.settings.rule,
            byzantine=len(chosen) * self._run.settings.byzantine_percent // 100,
            radius=task.clip,
        )
        step = optimizer.step(task.outer.part(places), delta)
        following = apply(self._before, step.applied)
        if self._jury.rise(self._layout, self._before, following) > GUARD_BOUND:
            return False
        task.model[places] = following
        task.outer.put(places, step.state)
        past = task.deltas.setdefault(self._layout, [])
        past.append(step.applied)
        del past[:-GLOBAL_DELTAS_MAX]
        uses = zip(clients, chosen, weights, strict=True)
        task.lineage.append(
            LineageStep(
                round=self._number,
                model=sha256(task.model.tobytes()).hex(),
                rule=self._run.settings.rule.value,
                updates=tuple(
                    UsedUpdate(trainer=f"client {client}", root=one.root, weight=weight)
                    for client, one, weight in uses
                ),
            )
        )
        return True

    def _note_errors(self, chosen: Sequence[Update], weights: Sequence[int]) -> None:
        """Hold the mean of what was decoded against the exact mean of what trainers had.

        Clipping and trimming are left out on both sides: they change the result on purpose.
        """
        layout = self._run.adapter.tensor_layout()
        start = dequantise(self._task.model).astype(np.float64)
        start[self._places] = self._real(self._before)

        def at(step: Int32s) -> NDArray[np.float64]:
            moved = start.copy()
            moved[self._places] += self._real(step)
            return moved

        mean = weighted_mean([one.vector for one in chosen], weights)
        shares = [weight / ONE for weight in weights]
        ends = [at(one.exact) for one in chosen]
        errors = relative_errors(Averaging(layout, start, ends, shares, at(mean)))
        for name, error in errors.items():
            self._run.tally.note(f"error_of_{name}", error)

    @staticmethod
    def _real(numbers: Int32s) -> NDArray[np.float64]:
        return np.ldexp(numbers.astype(np.float64), -24)
