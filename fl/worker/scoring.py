"""Score the updates of a round, and compare a candidate model with the present one.

How many variants go through the model at once changes no vote but in its last digits, so when
memory is short there are fewer of them, down to one.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import torch

from fl.jobs.progress import Stage
from fl.jobs.results import EvaluateResult, Rises, ScoreResult, Vote
from fl.jobs.shortage import is_shortage
from fl.jobs.subject import AdaptedModel, LoraLayout, Precision
from fl.jobs.work import EvaluateJob, ScoreJob
from fl.rules.aggregation.stacked import projected
from fl.rules.update.header import BlobKind
from fl.training.scoring.left_out import by_rule
from fl.training.scoring.limits import MEMORY_SIZE_BYTES, Limits
from fl.training.scoring.scores import Changes, Panel, Score, Scorer
from fl.training.scoring.terms import ScoringTerms
from fl.worker.blobs import read_accepted
from fl.worker.desk import Desk
from fl.worker.examples import read_panel
from fl.worker.kept_losses import KeptLosses, ground_of
from fl.worker.shelf import ModelShelf, expectation_of

MEMORY_SIZE_BYTES_MIN = 4 << 20
"""One row under one variant goes through the model whatever it takes, so less is no help."""

_Found = TypeVar("_Found")


def score(job: ScoreJob, desk: Desk, *, shelf: ModelShelf) -> ScoreResult:
    """Vote on every update of a round."""
    with shelf.adapted(_in_full(job.subject), desk) as adapter:
        desk.report(Stage.READING, note=job.panel.examples.spec)
        panel = read_panel(job.panel, loaded=adapter.loaded)
        expected = expectation_of(adapter, BlobKind.UPDATE, round_number=job.round)
        updates = [read_accepted(blob, expected=expected) for blob in job.updates]
        current = adapter.read_fixed(expected.layout)
        if job.subject.adapter.layout is LoraLayout.STACK:
            # What the aggregate takes of an update is what it is worth, alone and beside others.
            updates = [projected(one, model=current, layout=expected.layout) for one in updates]
        rule = by_rule(
            updates, limit=job.clip, rule=job.rule, byzantine_percent=job.byzantine_percent
        )
        terms = ScoringTerms(clip=job.clip, penalty=job.penalty, seed=job.seed)

        def attempt(limits: Limits) -> list[Score]:
            scorer = Scorer(
                adapter, panel, layout=expected.layout, updates=len(updates), limits=limits
            )
            return scorer.score(current, updates, terms=terms, aggregate=rule)

        found = within_memory(attempt, desk, device=adapter.device)
    return ScoreResult(votes=tuple(map(_vote_of, found)))


def evaluate(
    job: EvaluateJob, desk: Desk, *, shelf: ModelShelf, kept: KeptLosses
) -> EvaluateResult:
    """Say how a candidate changes every measure of the guard.

    Where W_t was the candidate of the last round its losses are kept, and not measured again.
    """
    with shelf.adapted(_in_full(job.subject), desk) as adapter:
        desk.report(Stage.READING, note=job.panel.examples.spec)
        panel: Panel = read_panel(job.panel, loaded=adapter.loaded)
        expected = expectation_of(adapter, BlobKind.MODEL)
        candidate = read_accepted(job.candidate, expected=expected)
        current = adapter.read_fixed(expected.layout)

        def attempt(limits: Limits) -> Changes:
            scorer = Scorer(adapter, panel, layout=expected.layout, updates=0, limits=limits)
            ground = ground_of(
                adapter.loaded, job.subject.adapter, panel, memory_bytes=limits.memory_bytes
            )
            return scorer.compare(
                kept.of(current, ground=ground, measure=scorer.measure),
                kept.of(candidate, ground=ground, measure=scorer.measure),
            )

        found = within_memory(attempt, desk, device=adapter.device)
    return EvaluateResult(rises=_rises_of(found))


def within_memory(
    attempt: Callable[[Limits], _Found], desk: Desk, *, device: torch.device
) -> _Found:
    """Attempt with ever less memory, until it fits."""
    memory_bytes = memory_for(device)
    while True:
        try:
            return attempt(
                Limits(
                    memory_bytes=memory_bytes,
                    should_stop=desk.is_stopped,
                    progress=lambda done, total: desk.report(Stage.SCORING, done=done, total=total),
                )
            )
        except (RuntimeError, MemoryError) as error:
            if not is_shortage(error) or memory_bytes <= MEMORY_SIZE_BYTES_MIN:
                raise
        # Outside of the handler, for the traceback holds on to the tensors that were too many.
        memory_bytes //= 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
        note = f"memory was short: scoring with {memory_bytes >> 20} MiB at a time"
        desk.report(Stage.SCORING, note=note)


def memory_for(device: torch.device) -> int:
    """Return how much memory scoring may take at first: of an accelerator, half of what is free.

    A power of two: how rows are cut follows from it, and with that the last digits of losses, so
    losses that were kept are of use only while it stays.
    """
    if device.type != "cuda":
        return MEMORY_SIZE_BYTES
    free_bytes, _ = torch.cuda.mem_get_info(device)
    # The allocator of torch keeps what it once had, and hands it out again.
    idle_bytes = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    half_bytes = (free_bytes + idle_bytes) // 2
    return max(MEMORY_SIZE_BYTES, 1 << max(0, half_bytes.bit_length() - 1))


def _in_full(subject: AdaptedModel) -> AdaptedModel:
    """Return the model in float32: the differences between losses are smaller than bfloat16's."""
    return msgspec.structs.replace(subject, precision=Precision.FLOAT32)


def _vote_of(found: Score) -> Vote:
    return Vote(
        quality=found.quality,
        left_out=found.left_out,
        error=found.error,
        rises=_rises_of(found.changes),
    )


def _rises_of(found: Changes) -> Rises:
    return Rises(loss=found.loss, classes=found.classes, probes=found.probes)
