"""For each module: a folder with a small model, a workshop, and what it prepared there."""

from pathlib import Path

import pytest

from fl.jobs.results import PrepareResult
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop
from tests.worker.places import prepare_job, quiet_desk, write_examples, write_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, examples and room for blobs."""
    folder = tmp_path_factory.mktemp("place")
    write_model(folder / "model")
    write_examples(folder / "examples")
    return folder


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(Machine(device="cpu", threads=1))


@pytest.fixture(scope="module")
def prepared(place: Path, workshop: Workshop) -> PrepareResult:
    result = workshop.perform(prepare_job(place), quiet_desk())
    assert isinstance(result, PrepareResult)
    return result
