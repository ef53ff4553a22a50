"""Preparing and training in the worker's studio, with a tiny classifier on the CPU."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import PrepareResult, TrainResult
from fl.jobs.subject import ExampleSource, Half, ModelKind, Precision
from fl.jobs.work import TrainJob
from fl.rules.update.header import BlobKind, Expectation, Width
from fl.rules.update.layout import TensorLayout
from fl.rules.update.norms import norm
from fl.training import models
from fl.training.errors import WrongModelError
from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import PlainText
from fl.training.settings import FedAvg, FedProx, Steps
from fl.worker.blobs import read_vector
from fl.worker.desk import Desk
from fl.worker.examples import read_examples
from fl.worker.machine import Machine, MachineClock
from fl.worker.shelf import choose_device, precision_on
from fl.worker.training import MICRONATS_MAX, micronats_of, training_of
from fl.worker.workshop import Workshop
from primitives.errors import TrainingError
from primitives.ids import Digest
from tests.worker.places import (
    TERMS,
    prepare_job,
    quiet_desk,
    train_job,
)

replace = msgspec.structs.replace


def _trained(workshop: Workshop, job: TrainJob, heard: list[Progress] | None = None) -> TrainResult:
    result = workshop.perform(job, quiet_desk(heard))
    assert isinstance(result, TrainResult)
    return result


def _expected(prepared: PrepareResult, kind: BlobKind, layout: TensorLayout) -> Expectation:
    return Expectation(
        kind=kind,
        base_model=Digest(prepared.model),
        tokenizer=Digest(prepared.tokenizer),
        layout=layout,
    )


def test_preparing_twice_gives_one_start(
    place: Path, workshop: Workshop, prepared: PrepareResult
) -> None:
    assert workshop.perform(prepare_job(place), quiet_desk()) == prepared


def test_update_holds_what_the_round_trains_and_measures_as_told(
    place: Path, workshop: Workshop, prepared: PrepareResult
) -> None:
    for round_number in (0, 1):
        result = _trained(workshop, train_job(place, round_number=round_number))
        layout = prepared.layouts[round_number]
        vector = read_vector(result.update, expected=_expected(prepared, BlobKind.UPDATE, layout))
        assert norm(vector) == result.norm > 0
        assert (result.steps, result.samples, result.parts) == (12, 96, 1)


def test_training_from_the_seed_and_from_its_blob_is_the_same(
    place: Path, workshop: Workshop, prepared: PrepareResult
) -> None:
    job = train_job(place)
    pinned = replace(job.subject.frozen, digest=prepared.model, tokenizer=prepared.tokenizer)
    from_blob = replace(job, subject=replace(job.subject, frozen=pinned, weights=prepared.weights))
    assert _trained(workshop, from_blob) == _trained(workshop, job)


def test_base_model_is_loaded_for_the_first_job_alone(place: Path) -> None:
    workshop = Workshop(Machine(device="cpu", threads=1))
    heard: list[list[Progress]] = [[], []]
    results = [_trained(workshop, train_job(place), one) for one in heard]
    stages = [[report.stage for report in one] for one in heard]
    assert stages[0].count(Stage.LOADING) == 1
    assert Stage.LOADING not in stages[1]
    assert results[0] == results[1]
    assert stages[0][-1] is Stage.WRITING
    losses = [one.loss_micronats for one in heard[1] if one.done]
    assert all(isinstance(loss, int) for loss in losses)


def test_narrower_numbers_make_a_smaller_update(place: Path, workshop: Workshop) -> None:
    updates = [
        _trained(workshop, train_job(place, terms=replace(TERMS, width=width))).update
        for width in (Width.INT8, Width.INT16, Width.INT32)
    ]
    sizes = [Path(update.path).stat().st_size for update in updates]
    assert sizes[0] < sizes[1] < sizes[2]


def test_training_in_parts_gives_the_same_update_up_to_rounding(
    place: Path, workshop: Workshop, prepared: PrepareResult
) -> None:
    terms = replace(TERMS, width=Width.INT32)
    expected = _expected(prepared, BlobKind.UPDATE, prepared.layouts[0])
    vectors = [
        read_vector(
            _trained(workshop, train_job(place, terms=replace(terms, parts=parts))).update,
            expected=expected,
        )
        for parts in (1, 4)
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-3, atol=64)


def test_cancelled_training_fails_and_the_next_job_is_not_disturbed(
    place: Path, workshop: Workshop
) -> None:
    before = _trained(workshop, train_job(place))

    def stop_when_training(progress: Progress) -> None:
        if progress.done:
            desk.stop()

    desk = Desk(stop_when_training, clock=MachineClock())
    terms = replace(TERMS, length=10_000)
    with pytest.raises(JobFailedError) as failure:
        workshop.perform(train_job(place, terms=terms), desk)
    assert failure.value.reason is FailureCode.CANCELLED
    assert _trained(workshop, train_job(place)) == before


def test_wrong_base_model_is_refused(place: Path, workshop: Workshop) -> None:
    job = train_job(place)
    frozen = replace(job.subject.frozen, digest=b"\7" * 32)
    with pytest.raises(WrongModelError, match="the task pins 0707"):
        workshop.perform(replace(job, subject=replace(job.subject, frozen=frozen)), quiet_desk())


def test_loss_that_is_not_finite_fails_the_job(place: Path, workshop: Workshop) -> None:
    terms = replace(TERMS, learning_rate_nano=2**62)
    with pytest.raises(TrainingError, match="lower the learning rate"):
        workshop.perform(train_job(place, terms=terms), quiet_desk())


def test_chosen_examples_are_read_in_their_order(place: Path) -> None:
    source = ExampleSource(spec=str(place / "examples"), half=Half.TEST, chosen=(2, 0))
    texts = [
        example.text.strip() for example in read_examples(source, kind=ModelKind.CLASSIFICATION)
    ]
    assert texts == ["a very poor film", "a very bad film"]


def test_example_that_is_not_there_is_named(place: Path) -> None:
    source = ExampleSource(spec=str(place / "examples"), chosen=(1_000,))
    with pytest.raises(ExamplesError, match="example 1000 was chosen, but there are 32"):
        read_examples(source, kind=ModelKind.CLASSIFICATION)


def test_language_model_reads_plain_texts(tmp_path: Path) -> None:
    for half in ("train", "test"):
        (tmp_path / f"{half}.jsonl").write_text('{"text": "once upon a time"}\n' * 4)
    examples = read_examples(ExampleSource(spec=str(tmp_path)), kind=ModelKind.CAUSAL_LM)
    assert isinstance(examples[0], PlainText)


def test_terms_become_settings() -> None:
    settings_of_plain = training_of(TERMS, round_number=0)
    assert settings_of_plain.length == Steps(12)
    assert settings_of_plain.objective == FedAvg()
    near = training_of(replace(TERMS, prox_nano=10_000_000), round_number=0)
    assert near.objective == FedProx(0.01)
    skewed = training_of(replace(TERMS, adjustment_percent=50), round_number=0)
    assert (settings_of_plain.adjustment, skewed.adjustment) == (0.0, 0.5)


def test_each_round_keeps_its_part_of_the_rate() -> None:
    terms = replace(TERMS, learning_rate_nano=8_000_000, rate_kept_percent=50)
    rates = [training_of(terms, round_number=number).learning_rate for number in (0, 1, 3)]
    assert rates == pytest.approx([0.008, 0.004, 0.001])
    # However late, a rate that training takes.
    training_of(terms, round_number=10**6).check()


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "gpu"])
def test_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(JobFailedError, match=f"no device '{name}'") as failure:
        choose_device(name)
    assert failure.value.reason is FailureCode.NO_DEVICE


def test_cpu_multiplies_in_float32_unless_it_is_told_otherwise() -> None:
    cpu = torch.device("cpu")
    assert precision_on(cpu, Precision.AUTO) is models.Precision.FLOAT32
    assert precision_on(cpu, Precision.BFLOAT16) is models.Precision.BFLOAT16
    assert choose_device("cpu") == cpu


def test_loss_beyond_all_messages_is_the_greatest_of_them() -> None:
    assert micronats_of(0.25) == 250_000
    assert micronats_of(3e38) == MICRONATS_MAX == 2**63 - 1
