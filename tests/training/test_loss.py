"""The loss is that of transformers, with its gradient, however few logits are in memory."""

import pytest
import torch
from torch.nn import functional

from fl.training.adapters import AdapterSpec, attach
from fl.training.examples.batches import Batch
from fl.training.loss import PLAIN_OUTPUTS, frozen_output_loss, rows_of, summed_loss
from fl.training.models import LoadedModel

CPU = torch.device("cpu")
IDS = torch.arange(30).view(3, 10)
MASK = torch.ones_like(IDS)
PADDED = MASK.clone()
PADDED[1, 6:] = 0
LABELS = IDS.masked_fill(PADDED == 0, -100)
PROMPTED = LABELS.clone()
PROMPTED[2, :5] = -100


@pytest.mark.parametrize("fixture", ["llama", "gpt2"])
@pytest.mark.parametrize(("mask", "labels"), [(MASK, IDS), (PADDED, LABELS), (PADDED, PROMPTED)])
def test_loss_of_a_language_model_is_that_of_transformers(
    fixture: str, mask: torch.Tensor, labels: torch.Tensor, request: pytest.FixtureRequest
) -> None:
    loaded: LoadedModel = request.getfixturevalue(fixture)
    adapter = attach(loaded, AdapterSpec(rank=2), seed=1)
    expected = adapter.model(input_ids=IDS, attention_mask=mask, labels=labels).loss
    rows = rows_of(Batch(IDS, mask, labels), CPU)
    assert rows.asked == int((labels[:, 1:] != -100).sum())
    assert rows.token_count == int(mask.sum())
    torch.testing.assert_close(summed_loss(adapter, rows) / rows.asked, expected)


def test_an_unknown_architecture_gives_its_own_logits(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = attach(llama, AdapterSpec(rank=2), seed=1)
    rows = rows_of(Batch(IDS, PADDED, LABELS), CPU)
    expected = summed_loss(adapter, rows)
    assert llama.model.config.model_type in PLAIN_OUTPUTS
    monkeypatch.setattr(llama.model.config, "model_type", "something-else")
    torch.testing.assert_close(summed_loss(adapter, rows), expected)


def test_an_adapted_output_layer_is_trained(llama: LoadedModel) -> None:
    spec = AdapterSpec(rank=2, target_modules=("lm_head",))
    adapter = attach(llama, spec, seed=1)
    summed_loss(adapter, rows_of(Batch(IDS, MASK, IDS), CPU)).backward()  # type: ignore[no-untyped-call]
    gradient = adapter.tensors["base_model.model.lm_head.lora_B.weight"].grad
    assert gradient is not None
    assert gradient.any()


def test_loss_of_a_classifier_is_that_of_transformers(bert: LoadedModel) -> None:
    adapter = attach(bert, AdapterSpec(rank=2), seed=1)
    classes = torch.tensor([0, 2, 1])
    expected = adapter.model(input_ids=IDS, attention_mask=PADDED, labels=classes).loss
    rows = rows_of(Batch(IDS, PADDED, classes), CPU)
    assert (rows.asked, rows.places) == (3, None)
    torch.testing.assert_close(summed_loss(adapter, rows) / 3, expected)


@pytest.mark.parametrize("logits_max", [1, 40, 100, 10**6])
def test_pieces_of_logits_change_neither_loss_nor_gradient(logits_max: int) -> None:
    dice = torch.Generator().manual_seed(4)
    hidden = torch.randn(12, 5, generator=dice, requires_grad=True)
    weight = torch.randn(20, 5, generator=dice)
    places = torch.tensor([0, 3, 4, 5, 8, 11, 2])
    targets = torch.tensor([19, 0, 7, 7, 3, 1, 2])
    logits = functional.linear(hidden, weight)[places]
    expected = functional.cross_entropy(logits, targets, reduction="sum")
    (gradient,) = torch.autograd.grad(expected * 0.25, hidden)
    actual = frozen_output_loss(
        hidden, weight, places=places, targets=targets, logits_max=logits_max
    )
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(torch.autograd.grad(actual * 0.25, hidden)[0], gradient)
