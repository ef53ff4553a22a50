"""Tiny models on disk, made once; one thread, so that results are the same bytes everywhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fl.jobs.subject import ModelKind
from fl.training.models import LoadedModel, load_model
from tests.training.tiny_models import write_bert, write_gpt2, write_llama


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gpt2(tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def llama(llama_folder: Path) -> LoadedModel:
    return load_model(str(llama_folder), kind=ModelKind.CAUSAL_LM)


@pytest.fixture
def gpt2(gpt2_folder: Path) -> LoadedModel:
    return load_model(str(gpt2_folder), kind=ModelKind.CAUSAL_LM)


@pytest.fixture
def bert(bert_folder: Path) -> LoadedModel:
    return load_model(str(bert_folder), kind=ModelKind.CLASSIFICATION, labels=3)
