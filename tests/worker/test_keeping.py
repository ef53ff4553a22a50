"""What a worker keeps between jobs changes no number of any of them."""

from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from fl.jobs.bounds import StoredBlob
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import EvaluateResult, PrepareResult, TrainResult, WarmResult
from fl.jobs.subject import AdaptedModel, AdapterShape, ExampleSource, Half, PanelSource
from fl.jobs.work import EvaluateJob, WarmJob
from fl.rules.update.blob import encode_model
from fl.rules.update.header import BlobKind, Expectation
from fl.training.scoring.terms import Losses
from fl.worker.blobs import read_vector, write_blob
from fl.worker.kept_losses import KEPT_MAX, Ground, Int32s, KeptLosses
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop
from primitives.ids import Digest
from tests.worker.places import quiet_desk, subject_of, train_job

replace = msgspec.structs.replace
GROUND = Ground(
    model=b"model", tokenizer=b"", labels=2, adapter=AdapterShape(), panel=b"", memory_bytes=1
)


def fresh() -> Workshop:
    return Workshop(Machine(device="cpu", threads=1))


def walk(place: Path, prepared: PrepareResult, *, steps: int) -> list[StoredBlob]:
    """Return W_0 and models that follow it, each a random step from the last."""
    expected = Expectation(
        kind=BlobKind.MODEL,
        base_model=Digest(prepared.model),
        tokenizer=Digest(prepared.tokenizer),
        layout=prepared.layout,
    )
    model, dice = read_vector(prepared.weights, expected=expected), np.random.default_rng(3)
    found = [prepared.weights]
    for _ in range(steps):
        model = model + dice.integers(-4_000, 4_000, model.size, dtype=np.int32)
        blob = encode_model(model, expected=expected)
        found.append(write_blob(blob, folder=place / "blobs"))
    return found


def evaluate_job(place: Path, subject: AdaptedModel, candidate: StoredBlob) -> EvaluateJob:
    source = ExampleSource(spec=str(place / "examples"), half=Half.TEST, label_names=("0", "1"))
    return EvaluateJob(
        subject=subject, candidate=candidate, panel=PanelSource(examples=source, tokens_max=16)
    )


def test_guard_that_keeps_the_losses_of_the_last_candidate_reports_what_a_fresh_one_does(
    place: Path, prepared: PrepareResult
) -> None:
    keeping, plain = fresh(), subject_of(place / "model")
    models = walk(place, prepared, steps=2)
    for present, candidate in pairwise(models):
        job = evaluate_job(place, replace(plain, weights=present), candidate)
        kept, anew = (one.perform(job, quiet_desk()) for one in (keeping, fresh()))
        assert isinstance(kept, EvaluateResult)
        assert kept.rises.loss != 0
        assert kept == anew


def test_training_in_an_adapter_of_another_job_gives_what_a_fresh_one_gives(
    place: Path, prepared: PrepareResult
) -> None:
    used, plain = fresh(), subject_of(place / "model")
    first, second = walk(place, prepared, steps=1)
    used.perform(train_job(place), quiet_desk())
    used.perform(replace(train_job(place), subject=replace(plain, weights=first)), quiet_desk())
    used.perform(evaluate_job(place, replace(plain, weights=first), prepared.weights), quiet_desk())
    job = replace(train_job(place), subject=replace(plain, weights=second))
    again, anew = (one.perform(job, quiet_desk()) for one in (used, fresh()))
    assert isinstance(again, TrainResult)
    assert again == anew


def test_what_is_kept_is_measured_once_for_each_ground_and_forgotten_in_the_end() -> None:
    asked: list[int] = []

    def measure(state: Int32s) -> Losses:
        asked.append(int(state[0]))
        return state.astype(np.float64)

    kept = KeptLosses()
    for number in (1, 1, 2, 1):
        found = kept.of(np.array([number], np.int32), ground=GROUND, measure=measure)
        assert found.tolist() == [number]
    other = Ground(
        model=b"other", tokenizer=b"", labels=2, adapter=AdapterShape(), panel=b"", memory_bytes=1
    )
    kept.of(np.array([1], np.int32), ground=other, measure=measure)
    assert asked == [1, 2, 1]
    for number in range(10, 10 + KEPT_MAX):
        kept.of(np.array([number], np.int32), ground=GROUND, measure=measure)
    kept.of(np.array([1], np.int32), ground=GROUND, measure=measure)
    assert asked[-1] == 1


def test_worker_is_warmed_before_it_has_a_job() -> None:
    heard: list[Progress] = []
    assert fresh().perform(WarmJob(), quiet_desk(heard)) == WarmResult()
    assert [one.stage for one in heard] == [Stage.LOADING]
