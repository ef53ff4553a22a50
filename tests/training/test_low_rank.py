"""The lean layers compute what those of peft compute, and stand in for them for a while only."""

from pathlib import Path

import numpy as np
import pytest
import torch
from peft.tuners.lora import Linear as PeftLinear

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter, AdapterSpec, attach
from fl.training.low_rank import InFloat32, LowRankLinear, lean_layers
from fl.training.models import LoadedModel, Precision, load_model

TOKENS = torch.arange(48).view(4, 12)


def trained_somewhat(loaded: LoadedModel) -> Adapter:
    adapter = attach(loaded, AdapterSpec(rank=2, alpha=6), seed=1)
    layout = adapter.tensor_layout()
    numbers = np.random.default_rng(2).integers(-(2**21), 2**21, layout.size)
    adapter.write(numbers.astype(np.int32), layout)
    return adapter


def kinds(adapter: Adapter) -> set[type]:
    return {type(part) for part in adapter.model.modules()}


def gradients(adapter: Adapter) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    for tensor in adapter.tensors.values():
        tensor.grad = None
    logits = adapter.model(input_ids=TOKENS).logits
    logits.square().mean().backward()
    found = {name: tensor.grad for name, tensor in adapter.tensors.items()}
    assert all(gradient is not None for gradient in found.values())
    return logits.detach(), {name: grad for name, grad in found.items() if grad is not None}


@pytest.mark.parametrize("fixture", ["llama", "gpt2", "bert"])
def test_predictions_and_gradients_are_those_of_peft(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    adapter = trained_somewhat(request.getfixturevalue(fixture))
    expected, expected_gradients = gradients(adapter)
    with lean_layers(adapter):
        actual, actual_gradients = gradients(adapter)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    for name, gradient in expected_gradients.items():
        torch.testing.assert_close(actual_gradients[name], gradient, rtol=1e-4, atol=1e-7)


def test_layers_of_peft_are_back_afterwards(bert: LoadedModel) -> None:
    adapter = trained_somewhat(bert)
    before = list(adapter.model.state_dict())
    with lean_layers(adapter):
        assert {LowRankLinear, InFloat32} <= kinds(adapter)
        assert PeftLinear not in kinds(adapter)
    with pytest.raises(ValueError, match="input_ids"), lean_layers(adapter):
        adapter.model()
    assert PeftLinear in kinds(adapter)
    assert not {LowRankLinear, InFloat32} & kinds(adapter)
    assert list(adapter.model.state_dict()) == before


def test_a_frozen_factor_costs_no_gradient(llama: LoadedModel) -> None:
    adapter = trained_somewhat(llama)
    for name, tensor in adapter.tensors.items():
        tensor.requires_grad_(".lora_B." in name)
    with lean_layers(adapter):
        adapter.model(input_ids=TOKENS).logits.sum().backward()
    for name, tensor in adapter.tensors.items():
        assert (tensor.grad is not None) == (".lora_B." in name)


@pytest.mark.parametrize("kind", list(ModelKind))
def test_on_bfloat16_weights_the_adapter_stays_float32(
    kind: ModelKind, llama_folder: Path, bert_folder: Path
) -> None:
    folder = llama_folder if kind is ModelKind.CAUSAL_LM else bert_folder
    logits = {}
    for precision in Precision:
        loaded = load_model(str(folder), kind=kind, labels=3, precision=precision)
        adapter = trained_somewhat(loaded)
        assert {tensor.dtype for tensor in adapter.tensors.values()} == {torch.float32}
        with lean_layers(adapter):
            logits[precision], found = gradients(adapter)
        assert {gradient.dtype for gradient in found.values()} == {torch.float32}
    # Eight bits of mantissa, a few layers deep.
    torch.testing.assert_close(
        logits[Precision.BFLOAT16].float(), logits[Precision.FLOAT32], rtol=0.1, atol=0.03
    )
