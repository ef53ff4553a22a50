"""On a GPU, training learns, repeats bit for bit, and comes close to what a CPU does."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from fl.jobs.local_terms import Checkpointing
from fl.jobs.subject import ModelKind
from fl.training.adapters import AdapterSpec, attach, detach
from fl.training.local import LocalResult, train_local
from fl.training.models import LoadedModel, Precision, load_model
from fl.training.settings import LocalTraining, Steps
from tests.training.sample_texts import LABELLED, PLAIN

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"),
]

TRAINING = LocalTraining(length=Steps(12), batch_size=4, max_length=32, learning_rate=0.03)


def train(loaded: LoadedModel, training: LocalTraining = TRAINING) -> LocalResult:
    adapter = attach(loaded, AdapterSpec(rank=4), seed=1)
    examples = LABELLED if loaded.labels else PLAIN
    result = train_local(adapter, examples, training, round_number=0)
    detach(adapter)
    return result


@pytest.fixture(name="folders")
def _folders(llama_folder: Path, bert_folder: Path) -> dict[ModelKind, Path]:
    return {ModelKind.CAUSAL_LM: llama_folder, ModelKind.CLASSIFICATION: bert_folder}


def load(
    folders: dict[ModelKind, Path],
    kind: ModelKind,
    *,
    device: str = "cuda",
    precision: Precision = Precision.FLOAT32,
) -> LoadedModel:
    return load_model(str(folders[kind]), kind=kind, labels=3, device=device, precision=precision)


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("kind", list(ModelKind))
def test_a_seed_gives_the_same_bytes_again(
    folders: dict[ModelKind, Path], kind: ModelKind, precision: Precision
) -> None:
    loaded = load(folders, kind, precision=precision)
    first, second = train(loaded), train(loaded)
    assert first.loss_after < first.loss_before
    assert first.delta.tobytes() == second.delta.tobytes()


@pytest.mark.parametrize("kind", list(ModelKind))
def test_one_step_is_that_of_a_cpu(folders: dict[ModelKind, Path], kind: ModelKind) -> None:
    brief = dataclasses.replace(TRAINING, length=Steps(1))
    results = [train(load(folders, kind, device=device), brief) for device in ("cpu", "cuda")]
    losses = [result.loss_before for result in results]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    # Adam's first step is the sign of a gradient; where that is nearly zero, signs may differ.
    same = np.abs(results[0].delta - results[1].delta) < 2**24 * 1e-3
    assert same.mean() > 0.98


def test_checkpointing_works_in_bfloat16(folders: dict[ModelKind, Path]) -> None:
    loaded = load(folders, ModelKind.CAUSAL_LM, precision=Precision.BFLOAT16)
    frugal = dataclasses.replace(TRAINING, checkpointing=Checkpointing.ON)
    assert train(loaded, frugal).delta.tobytes() == train(loaded).delta.tobytes()
