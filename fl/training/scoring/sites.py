"""Find where an adapter touches its model, and stack the tensors of many variants for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from fl.rules.update.layout import TensorLayout
from fl.training.adapters import ADAPTER_NAME, Adapter
from fl.training.fixed_point import dequantise
from fl.training.scoring.errors import UnscorableModelError
from fl.training.scoring.projection import Frozen, Head, LowRank, Part, frozen, project

_PREFIX = "base_model.model."
"""What peft puts before every path of the model inside it."""


@dataclass(frozen=True, slots=True)
class LowRankSite:
    """A linear map with a LoRA pair, and the names of its tensors."""

    linear: Frozen
    down: str
    up: str
    scaling: float


@dataclass(frozen=True, slots=True)
class HeadSite:
    """A linear map that is trained whole, and the names of its tensors."""

    linear: Frozen
    weight: str
    bias: str | None


Site = LowRankSite | HeadSite


@dataclass(frozen=True, slots=True)
class Sites:
    """Every place that an adapter changes, by path in the model inside of peft."""

    all: Mapping[str, Site]

    @classmethod
    def of(cls, model: PeftModel) -> Self:
        """Find them.

        Raises:
            UnscorableModelError: a head holds something else than linear maps.
        """
        found: dict[str, Site] = {}
        for path, module in model.get_base_model().named_modules():
            if isinstance(module, LoraLayer):
                found[path] = _low_rank_site(path, module)
            elif isinstance(module, ModulesToSaveWrapper):
                found.update(_head_sites(path, module))
        return cls(found)

    def first_layer(self, layers: str, count: int) -> int:
        """Return the number of the first layer that is adapted; the last one if none is.

        Args:
            layers: path of the list of layers.
            count: its length.
        """
        numbers = [
            int(path.removeprefix(f"{layers}.").split(".")[0])
            for path in self.all
            if path.startswith(f"{layers}.")
        ]
        return min(numbers, default=count - 1)

    def project(
        self, path: str, module: nn.Module, activations: Tensor, parts: Mapping[str, Part]
    ) -> Tensor:
        """Map (variants or 1, rows, in) to (variants or 1, rows, out) at one place.

        Args:
            path: of the module.
            module: what stands there; where the adapter changes it, the map inside is taken.
            activations: what goes in.
            parts: of the variants; empty where only the frozen model is wanted.
        """
        site = self.all.get(path)
        if site is None:
            assert isinstance(module, nn.Linear)
            return project(frozen(module), None, activations)
        return project(site.linear, parts.get(path), activations)


def stack(
    site: Site, vectors: Sequence[NDArray[np.int32]], *, layout: TensorLayout, adapter: Adapter
) -> Part:
    """Return what the variants have at one site.

    A tensor that the layout lacks is the adapter's own, the same for all variants.

    Args:
        site: where.
        vectors: a state of the adapter for each variant, fixed point as `dequantise` reads it.
        layout: which tensors the vectors hold.
        adapter: that the sites belong to.
    """
    spans = layout.spans

    def tensors(name: str) -> Tensor:
        own = adapter.tensors[name].detach()
        if name not in spans:
            return own.unsqueeze(0)
        # As `Adapter.write` does it, so the weights are equal.
        rows = dequantise(np.stack([vector[spans[name]] for vector in vectors]))
        return torch.from_numpy(rows).to(own.device).view(len(vectors), *own.shape)

    match site:
        case LowRankSite():
            up = tensors(site.up).transpose(1, 2) * site.scaling
            return LowRank(down=tensors(site.down).transpose(1, 2), up=up)
        case HeadSite():
            bias = None if site.bias is None else tensors(site.bias).unsqueeze(1)
            return Head(tensors(site.weight).transpose(1, 2), bias)


def _low_rank_site(path: str, module: LoraLayer) -> LowRankSite:
    inner = module.get_base_layer()
    # `attach` makes no other ones.
    assert isinstance(inner, nn.Linear | Conv1D)
    is_transposed = isinstance(inner, Conv1D)
    name = f"{_PREFIX}{path}"
    return LowRankSite(
        linear=Frozen(inner.weight.t() if is_transposed else inner.weight, inner.bias),
        down=f"{name}.lora_A.weight",
        up=f"{name}.lora_B.weight",
        scaling=module.scaling[ADAPTER_NAME],
    )


def _head_sites(path: str, wrapper: ModulesToSaveWrapper) -> Iterator[tuple[str, HeadSite]]:
    """Yield the linear maps of a head: the head itself, or those inside of it."""
    head = wrapper.modules_to_save[ADAPTER_NAME]
    if isinstance(head, nn.Linear):
        yield path, _head_site(f"{_PREFIX}{path}", head)
        return
    for name, inner in head.named_modules():
        if isinstance(inner, nn.Linear):
            inside = f"{path}.modules_to_save.{ADAPTER_NAME}.{name}"
            yield inside, _head_site(f"{_PREFIX}{path}.{name}", inner)
        elif any(True for _ in inner.parameters(recurse=False)):
            kind = type(inner).__name__
            raise UnscorableModelError(
                f"{path}.{name} is a {kind}: only heads of linear maps can be scored"
            )


def _head_site(name: str, head: nn.Linear) -> HeadSite:
    linear = frozen(head)
    bias = None if linear.bias is None else f"{name}.bias"
    return HeadSite(linear=linear, weight=f"{name}.weight", bias=bias)
