"""Votes and guard reports in the worker's studio, with a tiny classifier on the CPU."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fl.jobs.bounds import StoredBlob
from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import EvaluateResult, PrepareResult, ScoreResult, TrainResult
from fl.jobs.subject import ExampleSource, Half, LoraLayout, PanelSource
from fl.jobs.work import EvaluateJob, ScoreJob
from fl.rules.aggregation.rule import Rule
from fl.rules.aggregation.stacked import projected
from fl.rules.update.blob import encode_model, encode_update
from fl.rules.update.header import BlobKind, Expectation, Width
from fl.rules.update.layout import TensorLayout
from fl.rules.update.rows import Int32s
from fl.training.scoring.limits import MEMORY_SIZE_BYTES, Limits
from fl.worker.blobs import read_vector, write_blob
from fl.worker.desk import Desk
from fl.worker.errors import WrongJobError
from fl.worker.machine import Machine, MachineClock
from fl.worker.scoring import MEMORY_SIZE_BYTES_MIN, within_memory
from fl.worker.workshop import Workshop
from primitives.ids import Digest
from tests.worker.places import (
    TERMS,
    language_subject_of,
    prepare_job,
    quiet_desk,
    subject_of,
    train_job,
    write_examples,
    write_language_model,
)

replace = msgspec.structs.replace
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def update(place: Path, workshop: Workshop, prepared: PrepareResult) -> Int32s:
    """Return what an honest trainer sends in round 0."""
    terms = replace(TERMS, length=60, learning_rate_nano=30_000_000)
    result = workshop.perform(train_job(place, terms=terms), quiet_desk())
    assert isinstance(result, TrainResult)
    assert result.losses_micronats[1] < result.losses_micronats[0]
    return read_vector(result.update, expected=_update(prepared))


def _expected(prepared: PrepareResult, kind: BlobKind, layout: TensorLayout) -> Expectation:
    return Expectation(
        kind=kind,
        base_model=Digest(prepared.model),
        tokenizer=Digest(prepared.tokenizer),
        layout=layout,
    )


def _update(prepared: PrepareResult) -> Expectation:
    return _expected(prepared, BlobKind.UPDATE, prepared.layouts[0])


def _store(place: Path, prepared: PrepareResult, *vectors: Int32s) -> tuple[StoredBlob, ...]:
    expected = _update(prepared)
    return tuple(
        write_blob(
            encode_update(vector, expected=expected, width=Width.INT32), folder=place / "blobs"
        )
        for vector in vectors
    )


def _panel(place: Path) -> PanelSource:
    source = ExampleSource(spec=str(place / "examples"), half=Half.TEST, label_names=("0", "1"))
    return PanelSource(examples=source, probes=(replace(source, chosen=(0, 1, 2)),), tokens_max=16)


def _score_job(place: Path, *updates: StoredBlob) -> ScoreJob:
    return ScoreJob(
        subject=subject_of(place / "model"),
        round=0,
        updates=updates,
        panel=_panel(place),
        clip=1 << 40,
    )


def _evaluate_job(place: Path, prepared: PrepareResult, update: Int32s) -> EvaluateJob:
    """Return a job about the first model with an update of round 0 added."""
    expected = _expected(prepared, BlobKind.MODEL, prepared.layout)
    model = read_vector(prepared.weights, expected=expected).copy()
    spans, offset = expected.layout.spans, 0
    for tensor in prepared.layouts[0].tensors:
        model[spans[tensor.name]] += update[offset : offset + tensor.size]
        offset += tensor.size
    candidate = write_blob(encode_model(model, expected=expected), folder=place / "blobs")
    return EvaluateJob(
        subject=subject_of(place / "model"), candidate=candidate, panel=_panel(place)
    )


def test_honest_update_scores_above_none_and_its_opposite_below(
    place: Path, workshop: Workshop, prepared: PrepareResult, update: Int32s
) -> None:
    blobs = _store(place, prepared, update, np.zeros_like(update), -update)
    heard: list[Progress] = []
    result = workshop.perform(_score_job(place, *blobs), quiet_desk(heard))
    assert isinstance(result, ScoreResult)
    honest, nothing, opposite = result.votes
    assert honest.quality > 0 == nothing.quality > opposite.quality
    assert honest.rises.loss < 0 == nothing.rises.loss
    assert [len(honest.rises.classes), len(honest.rises.probes)] == [2, 1]
    assert heard[-1].stage is Stage.SCORING
    assert heard[-1].done == heard[-1].total > 0


def test_guard_reports_the_candidate_against_the_present_model(
    place: Path, workshop: Workshop, prepared: PrepareResult, update: Int32s
) -> None:
    job = _evaluate_job(place, prepared, update)
    result = workshop.perform(job, quiet_desk())
    assert isinstance(result, EvaluateResult)
    assert result.rises.loss < 0
    same = workshop.perform(replace(job, candidate=prepared.weights), quiet_desk())
    assert isinstance(same, EvaluateResult)
    assert {same.rises.loss, *same.rises.classes, *same.rises.probes} == {0}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_votes_and_reports_of_the_accelerator_are_those_of_the_cpu(
    place: Path, prepared: PrepareResult, update: Int32s
) -> None:
    blobs = _store(place, prepared, update, -update)
    scored, judged = _score_job(place, *blobs), _evaluate_job(place, prepared, update)
    found = []
    for device in ("cpu", "cuda"):
        workshop = Workshop(Machine(device=device, threads=1))
        result = workshop.perform(scored, quiet_desk())
        report = workshop.perform(judged, quiet_desk())
        assert isinstance(result, ScoreResult)
        assert isinstance(report, EvaluateResult)
        assert workshop.perform(judged, quiet_desk()) == report
        assert workshop.perform(scored, quiet_desk()) == result
        found.append([*(one.quality for one in result.votes), report.rises.loss])
    assert found[1] == pytest.approx(found[0], abs=2)


def test_update_of_another_round_is_named(
    place: Path, workshop: Workshop, prepared: PrepareResult, update: Int32s
) -> None:
    (blob,) = _store(place, prepared, update)
    with pytest.raises(WrongJobError, match="blob layout"):
        workshop.perform(replace(_score_job(place, blob), round=1), quiet_desk())


def test_update_of_a_stack_is_worth_what_the_aggregate_takes_of_it(
    place: Path, workshop: Workshop
) -> None:
    plain = subject_of(place / "model")
    subject = replace(plain, adapter=replace(plain.adapter, layout=LoraLayout.STACK))
    ready = workshop.perform(replace(prepare_job(place), subject=subject), quiet_desk())
    assert isinstance(ready, PrepareResult)
    terms = replace(TERMS, length=30, learning_rate_nano=100_000_000)
    train = replace(train_job(place, terms=terms), subject=subject)
    trained = workshop.perform(train, quiet_desk())
    assert isinstance(trained, TrainResult)
    whole = _expected(ready, BlobKind.MODEL, ready.layout)
    start = read_vector(ready.weights, expected=whole)
    update = read_vector(trained.update, expected=_update(ready))
    step = projected(update, model=start, layout=ready.layout)
    (taken,) = _store(place, ready, step)
    other = _store(place, ready, np.zeros_like(update))[0]
    votes = []
    for blob in (trained.update, taken):
        job = replace(_score_job(place, blob, other), subject=subject, rule=Rule.MEAN)
        result = workshop.perform(job, quiet_desk())
        assert isinstance(result, ScoreResult)
        votes.append(result.votes)
    assert (step != update).any()
    assert votes[0][0].quality != 0
    assert votes[0] == votes[1]


def test_language_model_is_trained_and_scored_on_texts_that_ask_for_a_token(
    tmp_path: Path, workshop: Workshop
) -> None:
    write_language_model(tmp_path / "model")
    write_examples(tmp_path / "examples", count=8)
    subject = language_subject_of(tmp_path / "model")
    texts = ExampleSource(spec=str(tmp_path / "examples"))
    train = replace(train_job(tmp_path), subject=subject, examples=texts)
    trained = workshop.perform(train, quiet_desk())
    assert isinstance(trained, TrainResult)
    short = PanelSource(examples=texts, tokens_max=2)
    job = replace(_score_job(tmp_path, trained.update), subject=subject, panel=short)
    result = workshop.perform(job, quiet_desk())
    assert isinstance(result, ScoreResult)
    assert result.votes[0].quality != 0
    assert result.votes[0].rises.classes == ()


def test_cancelled_scoring_fails_as_cancelled(
    place: Path, workshop: Workshop, prepared: PrepareResult, update: Int32s
) -> None:
    def stop_when_scoring(progress: Progress) -> None:
        if progress.stage is Stage.SCORING:
            desk.stop()

    desk = Desk(stop_when_scoring, clock=MachineClock())
    with pytest.raises(JobFailedError) as failure:
        workshop.perform(_score_job(place, *_store(place, prepared, update)), desk)
    assert failure.value.reason is FailureCode.CANCELLED


def test_scoring_that_does_not_fit_is_tried_with_less_memory_and_says_so() -> None:
    tried: list[int] = []

    def attempt(limits: Limits) -> str:
        tried.append(limits.memory_bytes)
        if limits.memory_bytes > MEMORY_SIZE_BYTES // 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return "votes"

    heard: list[Progress] = []
    assert within_memory(attempt, quiet_desk(heard), device=CPU) == "votes"
    assert tried == [MEMORY_SIZE_BYTES, MEMORY_SIZE_BYTES // 2, MEMORY_SIZE_BYTES // 4]
    assert [one.note for one in heard] == [
        "memory was short: scoring with 192 MiB at a time",
        "memory was short: scoring with 96 MiB at a time",
    ]


def test_scoring_that_never_fits_fails_after_a_bounded_number_of_tries() -> None:
    tried: list[int] = []

    def attempt(limits: Limits) -> str:
        tried.append(limits.memory_bytes)
        raise MemoryError

    with pytest.raises(MemoryError):
        within_memory(attempt, quiet_desk(), device=CPU)
    assert tried[-1] <= MEMORY_SIZE_BYTES_MIN
    assert len(tried) < 10


def test_other_errors_of_scoring_are_not_tried_again() -> None:
    def attempt(_: Limits) -> str:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        within_memory(attempt, quiet_desk(), device=CPU)
