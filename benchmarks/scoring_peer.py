"""One adapter after another through peft: how updates are evaluated without stacking them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from peft import set_peft_model_state_dict
from torch import Tensor
from torch.nn import functional

from fl.jobs.subject import ModelKind
from fl.rules.update.layout import TensorLayout
from fl.training.adapters import Adapter
from fl.training.examples.tokens import IGNORED, Encoded
from fl.training.fixed_point import dequantise

BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class _Batch:
    """Padded rows: (rows, length) int64 each but the classes, (rows,)."""

    indices: list[int]
    ids: Tensor
    mask: Tensor
    labels: Tensor


class SwappedAdapters:
    """A plain evaluation, with everything prepared that does not depend on the update.

    Args:
        adapter: whose tensors are replaced, and put back at the end.
        states: of the adapter.
        examples: in the order in which they are batched.
        layout: of the states.
    """

    def __init__(
        self,
        adapter: Adapter,
        states: Sequence[NDArray[np.int32]],
        examples: Sequence[Encoded],
        *,
        layout: TensorLayout,
    ) -> None:
        self._adapter = adapter
        self._start = adapter.read_fixed(layout)
        self._layout = layout
        self._size = len(examples)
        self._states = [_named(state, layout, adapter.device) for state in states]
        self._batches = [
            _batch(examples[start : start + BATCH_SIZE], adapter)
            for start in range(0, len(examples), BATCH_SIZE)
        ]

    @property
    def tokens(self) -> int:
        """Tokens that pass for one state, padding among them."""
        return sum(batch.ids.numel() for batch in self._batches)

    def losses(self) -> NDArray[np.float32]:
        """Return (states, examples) float32, by the examples' own indices."""
        model = self._adapter.model
        found = np.empty((len(self._states), self._size), np.float32)
        model.eval()
        try:
            with torch.inference_mode():
                for row, state in enumerate(self._states):
                    set_peft_model_state_dict(model, state)
                    for batch in self._batches:
                        found[row, batch.indices] = self._evaluate(batch).cpu().numpy()
        finally:
            self._adapter.write(self._start, self._layout)
        return found

    def _evaluate(self, batch: _Batch) -> Tensor:
        options = {} if batch.labels.dim() == 1 else {"use_cache": False}
        output = self._adapter.model(input_ids=batch.ids, attention_mask=batch.mask, **options)
        logits: Tensor = output.logits
        if batch.labels.dim() == 1:
            return functional.cross_entropy(logits, batch.labels, reduction="none")
        targets = batch.labels[:, 1:]
        each = functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="none"
        ).view(targets.shape)
        return each.sum(1) / (targets != IGNORED).sum(1)


def _named(
    state: NDArray[np.int32], layout: TensorLayout, device: torch.device
) -> dict[str, Tensor]:
    spans = layout.spans
    numbers = torch.from_numpy(dequantise(state)).to(device)
    return {spec.name: numbers[spans[spec.name]].view(spec.shape) for spec in layout.tensors}


def _batch(examples: Sequence[Encoded], adapter: Adapter) -> _Batch:
    shape = (len(examples), max(len(example.ids) for example in examples))
    ids, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        mask[row, : len(example.ids)] = 1
        labels[row, : len(example.labels)] = torch.tensor(example.labels)
    is_causal = adapter.loaded.kind is ModelKind.CAUSAL_LM
    return _Batch(
        indices=[example.index for example in examples],
        ids=ids.to(adapter.device),
        mask=mask.to(adapter.device),
        labels=(labels if is_causal else labels[:, 0]).to(adapter.device),
    )
