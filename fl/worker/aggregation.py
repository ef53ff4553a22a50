"""Make the next model of a task, on integers alone: clip, aggregate, step, write.

With the layout STACK every update is projected onto the seeded rows before it is clipped.

The same job gives the same bytes on every machine, whatever its number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fl.jobs.progress import Stage
from fl.jobs.results import AggregateResult
from fl.jobs.subject import LoraLayout
from fl.jobs.work import AggregateJob, OuterTerms
from fl.rules.aggregation.outer import OuterOptimizer, OuterState, apply, read_state
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stacked import projected
from fl.rules.aggregation.stream import MeanStream
from fl.rules.limits import ONE
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Expectation, Width
from fl.rules.update.norms import clip, norm
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import Execution
from fl.worker.blobs import (
    BLOB_SIZE_BYTES_MAX,
    read_accepted,
    read_content,
    vectors_aside,
    write_blob,
)
from fl.worker.desk import Desk
from fl.worker.errors import WrongJobError
from fl.worker.layouts import check_shared
from primitives.ids import Digest


def make_next_model(job: AggregateJob, desk: Desk, *, threads: int) -> AggregateResult:
    """Write W_{t+1}, what was added, and the state of the outer optimiser.

    Raises:
        BlobFileError: a file is missing or damaged on this machine.
        BlobWriteError: one cannot be written.
        WrongJobError: an update or the model is not of this task, a layout is not canonical or not
            of this sharing, or the terms do not fit.
        JobFailedError: cancelled.
    """
    check_shared(job)
    trained = _places(job)
    optimizer = _optimizer(job.outer)
    updates = _Updates(job, desk, places=trained)
    delta = _aggregated(job, updates, threads=threads)
    desk.report(Stage.READING)
    model = read_accepted(job.model, expected=_expected(job, BlobKind.MODEL))
    state = _state(job, optimizer)
    step = optimizer.step(state.part(trained), delta)
    model[trained] = apply(model[trained], step.applied)
    state.put(trained, step.state)
    desk.report(Stage.WRITING)
    folder = Path(job.folder)
    sent = encode_update(step.applied, expected=_expected(job, BlobKind.UPDATE), width=Width.INT32)
    return AggregateResult(
        model=write_blob(
            encode_model(model, expected=_expected(job, BlobKind.MODEL)), folder=folder
        ),
        delta=write_blob(sent, folder=folder),
        state=write_blob(state.encode(), folder=folder),
        norm=norm(step.applied),
    )


def _aggregated(job: AggregateJob, updates: "_Updates", *, threads: int) -> Int32s:
    weights = [update.weight for update in job.updates]
    if sum(weights) != ONE:
        raise WrongJobError(f"the weights sum to {sum(weights)}, not to {ONE}")
    if job.byzantine >= len(weights):
        raise WrongJobError(f"{job.byzantine} of {len(weights)} updates cannot all be lies")
    if job.rule is Rule.MEAN:
        # The one rule that needs no two updates at a time, so that memory is that of one.
        stream = MeanStream(job.layout.size)
        for index, weight in enumerate(weights):
            stream.add(updates.clipped(index), weight=weight)
        return stream.finish()
    count = len(weights)
    with (
        vectors_aside(count, job.layout.size, folder=Path(job.folder)) as vectors,
        ThreadPoolExecutor(threads) as pool,
    ):
        for index in range(count):
            vectors[index] = updates.clipped(index)
        return aggregate(
            list(vectors),
            weights,
            rule=job.rule,
            byzantine=job.byzantine,
            radius=job.clip,
            execution=Execution(each=pool.map),
        )


class _Updates:
    """The updates of a job as they count."""

    def __init__(self, job: AggregateJob, desk: Desk, *, places: NDArray[np.int64]) -> None:
        self._job = job
        self._desk = desk
        self._expected = _expected(job, BlobKind.UPDATE)
        self._start: Int32s | None = None
        if job.sharing is LoraLayout.STACK:
            expected = _expected(job, BlobKind.MODEL)
            self._start = read_accepted(job.model, expected=expected)[places]

    def clipped(self, index: int) -> Int32s:
        self._desk.report(Stage.AGGREGATING, done=index, total=len(self._job.updates))
        update = read_accepted(self._job.updates[index].blob, expected=self._expected)
        if self._start is not None:
            update = projected(update, model=self._start, layout=self._job.layout)
        return clip(update, limit=self._job.clip)


def _expected(job: AggregateJob, kind: BlobKind) -> Expectation:
    return Expectation(
        kind=kind,
        base_model=Digest(job.pins.model),
        tokenizer=Digest(job.pins.tokenizer),
        layout=job.model_layout if kind is BlobKind.MODEL else job.layout,
    )


def _places(job: AggregateJob) -> NDArray[np.int64]:
    """Return where in the model each coordinate of an update is."""
    shapes = {tensor.name: tensor.shape for tensor in job.model_layout.tensors}
    for tensor in job.layout.tensors:
        if shapes.get(tensor.name) != tensor.shape:
            raise WrongJobError(f"the model has no tensor {tensor.name} of shape {tensor.shape}")
    return job.model_layout.places_of(job.layout)


def _optimizer(terms: OuterTerms) -> OuterOptimizer:
    try:
        return OuterOptimizer(
            rule=terms.rule,
            rate=terms.rate,
            momentum=terms.momentum,
            memory=terms.memory,
            floor=terms.floor,
        )
    except ValueError as error:
        raise WrongJobError(f"outer optimiser: {error}") from error


def _state(job: AggregateJob, optimizer: OuterOptimizer) -> OuterState:
    """Return the moments of the whole model; a round that trains half of it moves that half."""
    size = job.model_layout.size
    if job.state is None:
        return optimizer.start(size)
    raw = read_content(job.state, size_bytes_max=4 * BLOB_SIZE_BYTES_MAX)
    return read_state(raw, optimizer=optimizer, size=size)
