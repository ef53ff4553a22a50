"""Random updates and examples, and the reference: one adapter after another through peft."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import PreTrainedModel

from fl.jobs.subject import LoraLayout, ModelKind
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter, AdapterSpec, attach
from fl.training.examples.tokens import IGNORED, Encoded
from fl.training.models import LoadedModel
from tests.training.tiny_models import VOCABULARY

Int32s = NDArray[np.int32]
LABELS = 3


def in_memory(model: PreTrainedModel, *, like: LoadedModel) -> LoadedModel:
    """Return a model that is not on disk, with what does not matter taken from another one."""
    for parameter in model.parameters():
        parameter.requires_grad = False
    return replace(like, model=model, kind=ModelKind.CLASSIFICATION, labels=LABELS)


def adapt(
    loaded: LoadedModel,
    *,
    targets: tuple[str, ...],
    layers: tuple[int, ...] | None = None,
    layout: LoraLayout = LoraLayout.ALT,
) -> Adapter:
    spec = AdapterSpec(rank=2, alpha=4, target_modules=targets, layers=layers, layout=layout)
    return attach(loaded, spec, seed=3)


def random_states(adapter: Adapter, layout: TensorLayout, *, count: int) -> list[Int32s]:
    dice = np.random.RandomState(7)
    start = adapter.read_fixed(layout)
    return [
        start + np.rint(dice.normal(0, 0.2, layout.size) * 2**24).astype(np.int32)
        for _ in range(count)
    ]


def random_examples(kind: ModelKind, *, count: int, length_max: int = 12) -> list[Encoded]:
    dice = np.random.RandomState(11)
    found = []
    for index in range(count):
        ids = dice.randint(0, VOCABULARY - 2, dice.randint(2, length_max + 1)).tolist()
        if kind is ModelKind.CLASSIFICATION:
            labels = [int(dice.randint(LABELS))]
        else:
            prompt = int(dice.randint(0, len(ids) - 1))
            labels = [IGNORED] * prompt + ids[prompt:]
        found.append(Encoded(index, ids, labels))
    return found


def swapped_losses(
    adapter: Adapter, states: Sequence[Int32s], examples: Sequence[Encoded], layout: TensorLayout
) -> NDArray[np.float32]:
    """Write each state into the adapter and run the model as peft left it, padding and all."""
    adapter.model.eval()
    found = np.zeros((len(states), len(examples)), np.float32)
    before = adapter.read_fixed(layout)
    ids, mask, labels = _padded(examples)
    with torch.no_grad():
        for row, state in enumerate(states):
            adapter.write(state, layout)
            logits = adapter.model(input_ids=ids, attention_mask=mask).logits
            found[row] = _losses(logits, labels, examples)
    adapter.write(before, layout)
    return found


def _padded(examples: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    length = max(len(example.ids) for example in examples)
    shape = (len(examples), length)
    ids, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        mask[row, : len(example.ids)] = 1
        labels[row, : len(example.labels)] = torch.tensor(example.labels)
    return ids, mask, labels


def _losses(
    logits: torch.Tensor, labels: torch.Tensor, examples: Sequence[Encoded]
) -> NDArray[np.float32]:
    if logits.dim() == 2:
        each = functional.cross_entropy(logits, labels[:, 0], reduction="none")
        return np.asarray(each.numpy(), np.float32)
    means = [
        functional.cross_entropy(logits[row, :-1], labels[row, 1:]) for row in range(len(examples))
    ]
    return np.asarray(torch.stack(means).numpy(), np.float32)
