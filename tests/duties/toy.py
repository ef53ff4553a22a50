"""A worker whose model is a place and whose examples are where it should be: no torch, real blobs.

The loss of a model is its squared distance from the target of whoever measures it. Training takes a
part of the way there. Aggregates and facts are made by the code of the real worker.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fl.jobs.bounds import StoredBlob
from fl.jobs.client import JobTerms
from fl.jobs.errors import JobFailedError
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import (
    AnyResult,
    EvaluateResult,
    PrepareResult,
    Rises,
    ScoreResult,
    TrainResult,
    Vote,
    WarmResult,
)
from fl.jobs.work import (
    AggregateJob,
    AnyJob,
    EvaluateJob,
    InspectJob,
    Job,
    PrepareJob,
    ScoreJob,
    TrainJob,
    WarmJob,
)
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.norms import clip, norm
from fl.worker.aggregation import make_next_model
from fl.worker.blobs import read_vector, write_blob
from fl.worker.desk import Desk
from fl.worker.inspection import inspect
from fl.worker.machine import MachineClock
from node.duties.ports import Result
from primitives.hashing import sha256
from primitives.ids import Digest

A, B = TensorSpec("layer.lora_A", (4, 16)), TensorSpec("layer.lora_B", (16, 4))
MODEL = TensorLayout.of([A, B])
LAYOUTS = (TensorLayout.of([B]), TensorLayout.of([A]))
BASE, TOKENIZER = sha256(b"toy model"), sha256(b"toy tokenizer")
SCALE = 1 << 20
TARGET_SIZE = 1 << 18

Int32s = NDArray[np.int32]


def target_of(dice: int, *, spread: float = 0.1) -> NDArray[np.float64]:
    """Return where a model should be, in the eyes of one organisation; all are near each other."""
    everybody = np.random.default_rng(1).normal(size=MODEL.size)
    own = np.random.default_rng([2, dice]).normal(size=MODEL.size)
    return (everybody + spread * own) * TARGET_SIZE


@dataclass
class ToyWorker:
    """Does jobs in this process.

    Attributes:
        target: of the examples of this organisation.
        jobs: that were begun, in order.
        adjustments: that jobs asked for, in percent, by the name of the job.
        pause_s: that a training takes.
        failing: raised in place of doing a job, by the type of the job; each costs one attempt.
        twist: of the update, for attackers.
        dread: added to the rise of the loss in every report to the guard.
    """

    target: NDArray[np.float64]
    jobs: list[str] = field(default_factory=list)
    adjustments: set[tuple[str, int]] = field(default_factory=set)
    pause_s: float = 0.0
    failing: dict[type, list[Exception]] = field(default_factory=dict)
    twist: float = 1.0
    dread: int = 0

    async def run(
        self,
        job: Job[Result],
        *,
        terms: JobTerms,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Result:
        assert terms.deadline_ms > 0
        if isinstance(job, WarmJob):
            return cast(Result, WarmResult())
        self.jobs.append(type(job).__name__)
        self._fail(job, terms)
        if isinstance(job, TrainJob):
            self.adjustments.add(("TrainJob", job.terms.adjustment_percent))
        if isinstance(job, ScoreJob | EvaluateJob):
            self.adjustments.add((type(job).__name__, job.panel.adjustment_percent))
        on_progress(Progress(stage=Stage.READING))
        if isinstance(job, TrainJob):
            await asyncio.sleep(self.pause_s)
        assert isinstance(job, AnyJob)
        return cast(Result, await asyncio.to_thread(self._perform, job))

    def _fail(self, job: Job[Result], terms: JobTerms) -> None:
        failing = self.failing.get(type(job), [])
        for attempt in range(1, terms.attempts + 1):
            if not failing:
                return
            error = failing.pop(0)
            may_retry = isinstance(error, JobFailedError) and error.may_retry
            if attempt == terms.attempts or not may_retry:
                raise error

    def _perform(self, job: AnyJob) -> AnyResult:
        desk = Desk(lambda _: None, clock=MachineClock())
        match job:
            case PrepareJob():
                return _prepared(Path(job.folder))
            case TrainJob():
                return self._trained(job)
            case InspectJob():
                return inspect(job, desk, threads=1)
            case AggregateJob():
                return make_next_model(job, desk, threads=1)
            case ScoreJob():
                return self._scored(job)
            case EvaluateJob():
                return self._evaluated(job)
            case WarmJob():
                raise AssertionError("nothing is loaded here")

    def _trained(self, job: TrainJob) -> TrainResult:
        layout = LAYOUTS[job.round % 2]
        places = MODEL.places_of(layout)
        way = (self.target - _vector(job.subject.weights))[places]
        update = np.clip(np.rint(way * 0.3 * self.twist), -SCALE, SCALE).astype(np.int32)
        blob = write_blob(
            encode_update(update, expected=_expected(BlobKind.UPDATE, layout)),
            folder=Path(job.folder),
        )
        sent = read_vector(blob, expected=_expected(BlobKind.UPDATE, layout))
        return TrainResult(
            update=blob,
            norm=norm(sent),
            losses_micronats=(2_000_000, 1_000_000),
            steps=1,
            tokens=1,
            samples=1,
            parts=1,
        )

    def _scored(self, job: ScoreJob) -> ScoreResult:
        layout = LAYOUTS[job.round % 2]
        model = _vector(job.subject.weights)
        votes = []
        for blob in job.updates:
            update = clip(_update(blob, layout), limit=job.clip)
            moved = model.copy()
            moved[MODEL.places_of(layout)] += update // 2
            gain = self._loss(model) - self._loss(moved)
            rises = Rises(loss=-gain, classes=(), probes=())
            votes.append(Vote(quality=gain, left_out=gain // 2, error=1, rises=rises))
        return ScoreResult(votes=tuple(votes))

    def _evaluated(self, job: EvaluateJob) -> EvaluateResult:
        rise = self._loss(_vector(job.candidate)) - self._loss(_vector(job.subject.weights))
        return EvaluateResult(rises=Rises(loss=rise + self.dread, classes=(rise, rise), probes=()))

    def _loss(self, model: Int32s) -> int:
        distance = float(np.sum((model - self.target) ** 2)) / float(TARGET_SIZE) ** 2
        return round(100 * distance)


def _prepared(folder: Path) -> PrepareResult:
    content = encode_model(
        np.zeros(MODEL.size, dtype=np.int32), expected=_expected(BlobKind.MODEL, MODEL)
    )
    return PrepareResult(
        model=BASE,
        tokenizer=TOKENIZER,
        layout=MODEL,
        layouts=LAYOUTS,
        weights=write_blob(content, folder=folder),
    )


def _expected(kind: BlobKind, layout: TensorLayout) -> Expectation:
    return Expectation(
        kind=kind, base_model=Digest(BASE), tokenizer=Digest(TOKENIZER), layout=layout
    )


def _vector(blob: StoredBlob | None) -> Int32s:
    assert blob is not None
    return read_vector(blob, expected=_expected(BlobKind.MODEL, MODEL))


def _update(blob: StoredBlob, layout: TensorLayout) -> Int32s:
    return read_vector(blob, expected=_expected(BlobKind.UPDATE, layout))
