"""Remember what the layers below the first adapted one gave for each text.

They are frozen, so a text that comes again in the next round passes through the adapted layers
only; with the last two of six layers adapted that is twice as fast. Padding never reaches the
answer, so a text gives the same, up to rounding, in whatever batch it comes. Packed rows of texts
to write never come again, and are not kept. `fl.training` knows nothing of this.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from typing_extensions import override

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter

KEPT_SIZE_BYTES_MAX: Final = 1 << 30


class FrozenPrefix:
    """What is remembered for one adapter; no more than `KEPT_SIZE_BYTES_MAX`."""

    def __init__(self, adapter: Adapter) -> None:
        self._model: Any = adapter.model.get_base_model()
        self._layers = _layers(self._model)
        is_class = adapter.loaded.kind is ModelKind.CLASSIFICATION
        self._first = min(adapter.spec.layers or (0,)) if is_class else 0
        self._kept: dict[bytes, Tensor] = {}

    @contextlib.contextmanager
    def remembered(self) -> Iterator[None]:
        """Let the memory stand in for the frozen layers; on leaving, they are back."""
        if not self._first:
            yield
            return
        frozen = [self._layers[number] for number in range(self._first)]
        memory = _Memory(frozen, self._kept)
        hook = self._model.register_forward_pre_hook(memory.look, with_kwargs=True)
        try:
            self._layers[0] = memory
            for number in range(1, self._first):
                self._layers[number] = _Passed()
            yield
        finally:
            hook.remove()
            for number, layer in enumerate(frozen):
                self._layers[number] = layer


class _Memory(nn.Module):
    """Stands where the first layer is, and gives what the last frozen one would."""

    def __init__(self, frozen: list[nn.Module], kept: dict[bytes, Tensor]) -> None:
        super().__init__()
        self._frozen = tuple(frozen)
        self._kept = kept
        self._size_bytes = sum(hidden.nbytes for hidden in kept.values())
        self._texts: list[bytes] = []

    def look(
        self, _model: nn.Module, _arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        """Note which texts the batch holds."""
        ids: Tensor = options["input_ids"]
        mask: Tensor | None = options["attention_mask"]
        lengths = [ids.shape[1]] * len(ids) if mask is None else mask.sum(1).tolist()
        self._texts = [
            row[:length].numpy().tobytes() for row, length in zip(ids.cpu(), lengths, strict=True)
        ]

    @override
    def forward(self, hidden: Tensor, *arguments: Any, **options: Any) -> Tensor:
        """Map embeddings (rows, length, width) to hidden states of the same shape."""
        if all(text in self._kept for text in self._texts):
            return self._recalled(hidden)
        for layer in self._frozen:
            given = layer(hidden, *arguments, **options)
            hidden = given if isinstance(given, Tensor) else given[0]
        self._keep(hidden)
        return hidden

    def _recalled(self, like: Tensor) -> Tensor:
        found = torch.zeros_like(like)
        for row, text in zip(found, self._texts, strict=True):
            kept = self._kept[text]
            row[: len(kept)] = kept
        return found

    def _keep(self, hidden: Tensor) -> None:
        for row, text in zip(hidden, self._texts, strict=True):
            length = len(text) // torch.int64.itemsize
            size_bytes = length * row[0].nbytes
            if text not in self._kept and self._size_bytes + size_bytes <= KEPT_SIZE_BYTES_MAX:
                self._kept[text] = row[:length].detach().clone()
                self._size_bytes += size_bytes


class _Passed(nn.Module):
    """A frozen layer whose part is done already."""

    @override
    def forward(self, hidden: Tensor, *_arguments: Any, **_options: Any) -> Tensor:
        """Return what came."""
        return hidden


def _layers(model: nn.Module) -> nn.ModuleList:
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len)
