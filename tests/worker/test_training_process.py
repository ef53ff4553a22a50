"""Whole training jobs through real worker processes: memory, devices, and death in the middle."""

import json
import os
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from fl.jobs.client import JobTerms, WorkerClient
from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import TrainResult
from fl.jobs.work import TrainJob
from tests.jobs.clients import REAL, client_of, private_bytes_of
from tests.worker.places import TERMS, prepare_job, train_job, write_examples, write_model

PATIENTLY = JobTerms(deadline_ms=600_000)
LONG_TERMS = msgspec.structs.replace(TERMS, length=1, batch_size=8, max_length=256)


@pytest.fixture(scope="module")
def wide_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model that needs hundreds of MiB for a batch."""
    folder = tmp_path_factory.mktemp("wide")
    write_model(folder / "model", width=8_192, positions=256)
    write_examples(folder / "examples", repeats=70)
    return folder


async def _trained(
    client: WorkerClient, job: TrainJob, heard: list[Progress] | None = None
) -> TrainResult:
    reports = heard if heard is not None else []
    return await client.run(job, terms=PATIENTLY, on_progress=reports.append)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _memory_bytes_of_small_job(place: Path) -> int:
    """Return the private memory of a worker that has torch and a small model loaded."""
    async with client_of(REAL, memory_bytes_max=16 << 30) as client:
        await _trained(client, train_job(place))
        assert client.pid is not None
        return private_bytes_of(client.pid)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_jobs_in_a_row_reuse_the_model_and_give_the_same_update(place: Path) -> None:
    heard: list[Progress] = []
    async with client_of(REAL) as client:
        first = await _trained(client, train_job(place))
        second = await _trained(client, train_job(place), heard)
    assert first == second
    assert Stage.LOADING not in [one.stage for one in heard]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_batch_that_does_not_fit_is_split_and_the_result_is_the_same(
    place: Path, wide_place: Path
) -> None:
    needed = await _memory_bytes_of_small_job(place)
    job = train_job(wide_place, terms=LONG_TERMS)
    heard: list[Progress] = []
    async with client_of(REAL, memory_bytes_max=16 << 30) as client:
        whole = await _trained(client, job)
    async with client_of(REAL, memory_bytes_max=needed + (130 << 20)) as client:
        split = await _trained(client, job, heard)
    assert whole.parts == 1 < split.parts
    assert whole.losses_micronats == pytest.approx(split.losses_micronats, abs=5)
    assert whole.norm == pytest.approx(split.norm, rel=1e-3)
    assert f"memory was short: batches went through the model in {split.parts} parts" in [
        one.note for one in heard
    ]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_row_that_does_not_fit_fails_the_job_and_the_worker_trains_on(
    place: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "model", width=65_536, positions=256)
    write_examples(tmp_path / "examples", repeats=70)
    needed = await _memory_bytes_of_small_job(place)
    async with client_of(REAL, memory_bytes_max=needed + (130 << 20)) as client:
        with pytest.raises(JobFailedError) as failure:
            await _trained(client, train_job(tmp_path, terms=LONG_TERMS))
        assert failure.value.reason is FailureCode.OUT_OF_MEMORY
        assert (await _trained(client, train_job(place))).parts == 1


@pytest.mark.slow
@pytest.mark.asyncio
async def test_kill_9_in_the_middle_of_training_leaves_no_file_and_a_retry_works(
    place: Path, tmp_path: Path
) -> None:
    job = msgspec.structs.replace(train_job(place), folder=str(tmp_path))
    long = msgspec.structs.replace(job, terms=msgspec.structs.replace(TERMS, length=100_000))
    async with client_of(REAL) as client:

        def kill(progress: Progress) -> None:
            if progress.done:
                assert client.pid is not None
                os.kill(client.pid, signal.SIGKILL)

        with pytest.raises(JobFailedError, match="SIGKILL") as failure:
            await client.run(long, terms=PATIENTLY, on_progress=kill)
        assert failure.value.may_retry
        assert _names(tmp_path) == []
        update = (await _trained(client, job)).update
    assert update.path == str(tmp_path / _names(tmp_path)[0])


def _write_rows(folder: Path, **columns: str) -> Path:
    folder.mkdir()
    for half in ("train", "test"):
        (folder / f"{half}.jsonl").write_text(json.dumps(columns) + "\n")
    return folder


def _without_numbers(folder: Path) -> str:
    """Write a model whose every loss is NaN; return its folder."""
    weights = write_model(folder / "ill") / "model.safetensors"
    tensors = load_file(weights)
    tensors["bert.embeddings.LayerNorm.weight"].fill(np.nan)
    save_file(tensors, weights, metadata={"format": "pt"})
    return str(weights.parent)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_examples_that_are_of_no_use_and_a_loss_that_is_no_number_are_bad_input(
    place: Path, tmp_path: Path
) -> None:
    job, replace = train_job(place), msgspec.structs.replace
    empty = tmp_path / "empty"
    empty.mkdir()
    other = _write_rows(tmp_path / "other", body="a film", topic="0")
    ill = replace(
        job.subject, frozen=replace(job.subject.frozen, source=_without_numbers(tmp_path))
    )
    unfit = [
        (replace(job, examples=replace(job.examples, spec=str(empty))), "examples", "is empty"),
        (replace(job, examples=replace(job.examples, spec=str(other))), "examples", "no text col"),
        (replace(job, subject=ill), "diverged", "the loss is nan by step 1: lower the learning"),
    ]
    async with client_of(REAL) as client:
        for one, cause, message in unfit:
            with pytest.raises(JobFailedError, match=message) as failure:
                await _trained(client, one)
            assert (failure.value.reason, failure.value.cause) == (FailureCode.BAD_INPUT, cause)
        assert (await _trained(client, job)).steps == TERMS.length


@pytest.mark.slow
@pytest.mark.asyncio
async def test_device_that_is_not_there_fails_the_job_in_a_line(place: Path) -> None:
    async with client_of(REAL, device="cuda:77") as client:
        with pytest.raises(JobFailedError, match="no device 'cuda:77'") as failure:
            await _trained(client, train_job(place))
    assert failure.value.reason is FailureCode.NO_DEVICE


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("device", ["cuda", "auto"])
@pytest.mark.asyncio
async def test_whole_job_on_the_accelerator(place: Path, device: str) -> None:
    heard: list[Progress] = []
    async with client_of(REAL, device=device) as client:
        prepared = await client.run(prepare_job(place), terms=PATIENTLY, on_progress=heard.append)
        first = await _trained(client, train_job(place))
        again = await _trained(client, train_job(place))
    assert first == again
    assert first.norm > 0
    assert prepared.layout.size > prepared.layouts[0].size
    assert "on cuda" in heard[0].note
