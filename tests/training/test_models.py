"""A base model is loaded frozen, without dropout, and only when it is the one that is pinned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fl.jobs.subject import ModelKind
from fl.training.errors import MalformedModelError, UnsafeModelError, WrongModelError
from fl.training.examples.batches import BatchPlan, classification_batches
from fl.training.examples.example import LabelledText
from fl.training.model_digest import model_digest
from fl.training.models import LoadedModel, Pins, Precision, load_model
from tests.training.tiny_models import write_gpt2, write_llama

OTHER = bytes(32)


@pytest.fixture(name="copy")
def _copy(tmp_path: Path, bert_folder: Path) -> Path:
    return Path(shutil.copytree(bert_folder, tmp_path / "copy"))


def load(folder: Path, labels: int | None = 3) -> LoadedModel:
    return load_model(str(folder), kind=ModelKind.CLASSIFICATION, labels=labels)


def test_nothing_of_a_base_model_is_trained(bert: LoadedModel) -> None:
    assert not any(tensor.requires_grad for tensor in bert.model.parameters())


def test_dropout_is_off_though_the_file_asks_for_it(bert: LoadedModel) -> None:
    rates = {part.p for part in bert.model.modules() if isinstance(part, torch.nn.Dropout)}
    assert rates == {0.0}
    assert bert.model.config.attention_probs_dropout_prob == 0.0


def test_loading_says_nothing_on_the_terminal(
    bert_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load(bert_folder)
    assert capfd.readouterr() == ("", "")


def test_the_pinned_model_loads(llama: LoadedModel, llama_folder: Path) -> None:
    pins = Pins(model=llama.digest, tokenizer=llama.tokenizer_digest)
    again = load_model(str(llama_folder), kind=ModelKind.CAUSAL_LM, pins=pins)
    assert (again.digest, again.tokenizer_digest) == (llama.digest, llama.tokenizer_digest)


@pytest.mark.parametrize(
    ("pins", "field"),
    [(Pins(model=OTHER), "base model"), (Pins(tokenizer=OTHER), "tokenizer")],
)
def test_another_model_than_the_pinned_one_is_refused(
    llama_folder: Path, pins: Pins, field: str
) -> None:
    with pytest.raises(WrongModelError, match=f"the {field} in .* the task pins 0000") as refusal:
        load_model(str(llama_folder), kind=ModelKind.CAUSAL_LM, pins=pins)
    assert (refusal.value.field, refusal.value.expected) == (field, OTHER)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(copy: Path, file: str) -> None:
    plain = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps({**plain, "auto_map": {"AutoModel": "evil.Model"}}))
    (copy / "evil.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match="auto_map"):
        load(copy)


def test_weights_that_are_missing_are_named(copy: Path) -> None:
    path = copy / "model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(MalformedModelError, match=r"lack bert\.encoder\.layer\.1\.output\.dense"):
        load(copy)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "intermediate_size": 48}))
    with pytest.raises(MalformedModelError, match="copy: "):
        load(copy)


@pytest.mark.parametrize("changed", [{"model_type": "no-such-type"}, {"hidden_size": "x"}])
def test_a_configuration_that_means_nothing_is_refused(copy: Path, changed: dict[str, str]) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(MalformedModelError) as refusal:
        load(copy)
    assert "\n" not in str(refusal.value)


def test_a_damaged_tokenizer_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(MalformedModelError):
        load(copy)


@pytest.mark.parametrize("labels", [None, 0, 1])
def test_a_classifier_needs_two_labels(bert_folder: Path, labels: int | None) -> None:
    with pytest.raises(MalformedModelError, match="at least 2 labels"):
        load(bert_folder, labels)


@pytest.mark.parametrize("write", [write_llama, write_gpt2])
@pytest.mark.parametrize("pad", [None, ord("e") - ord("!")])
def test_classes_are_read_at_the_last_token_of_a_text_whatever_fills_its_row(
    tmp_path: Path, write: Callable[[Path], Path], pad: int | None
) -> None:
    path = write(tmp_path) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pad_token_id": pad}))
    loaded = load(tmp_path)
    plan = BatchPlan(batch_size=4, tokens_max=16)
    (batch,) = classification_batches(
        [LabelledText("tree" * length, 0) for length in (1, 2, 3)], loaded.tokenizer, plan=plan
    )
    model: Any = loaded.model
    together = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    for row, length in enumerate(batch.attention_mask.sum(1)):
        alone = model(input_ids=batch.input_ids[row : row + 1, :length]).logits
        assert torch.allclose(together[row], alone[0], atol=1e-5)
    assert loaded.digest == model_digest(tmp_path)


def test_frozen_weights_may_be_bfloat16(llama_folder: Path) -> None:
    loaded = load_model(str(llama_folder), kind=ModelKind.CAUSAL_LM, precision=Precision.BFLOAT16)
    assert {tensor.dtype for tensor in loaded.model.parameters()} == {torch.bfloat16}
