"""Low-rank adapters on a frozen base model, and which of their tensors a round trains.

An adapter replaces W by W + s B A in chosen linear layers; A is (rank, inputs), B is (outputs,
rank). The mean of products is not the product of means, so averaging A and B side by side is wrong
in general. `LoraLayout` says how a federation keeps the mean exact:

    ALT    even rounds train B with A fixed, odd rounds A with B fixed: the product is linear in
           what moves, so the mean is exact (RoLoRA, arXiv:2502.01755)
    FFA    A stays as it was seeded, B is trained (FFA-LoRA, arXiv:2403.12313)
    FEDIT  both are trained and averaged side by side, the inexact way (FedIT, arXiv:2305.05644)
    STACK  both are trained; the aggregate is the exact sum of products, projected onto the seeded
           basis (after FLoRA, arXiv:2409.05976); what lies outside of that basis is lost, see
           `fl.rules.aggregation.stacked`

A classification head is trained in every round.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from fl.jobs.subject import LoraLayout, ModelKind, Scaling
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.parts import Part, part_of
from fl.training.errors import AdapterError
from fl.training.fixed_point import dequantise, quantise
from fl.training.models import LoadedModel
from fl.training.start import basis_start, factor_start, head_start

if TYPE_CHECKING:
    from peft import PeftModel

RANK_MAX: Final = 256
ADAPTER_NAME: Final = "default"
TASK_TYPES: Final = {ModelKind.CAUSAL_LM: "CAUSAL_LM", ModelKind.CLASSIFICATION: "SEQ_CLS"}


class AdapterSpec(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The shape of an adapter.

    Args:
        rank: of every layer's product.
        alpha: see `Scaling`.
        target_modules: last parts of the names of linear layers; those that peft chooses for the
            architecture by default.
        layers: counted from 0; all of them by default.
    """

    rank: int = 8
    alpha: int = 16
    target_modules: tuple[str, ...] = ()
    layout: LoraLayout = LoraLayout.ALT
    layers: tuple[int, ...] | None = None
    scaling: Scaling = Scaling.BY_RANK


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter inside its base model.

    Attributes:
        model: the base model with the adapter in it.
        loaded: the base model as it was loaded.
        tensors: every tensor of the adapter, float32, by canonical name (the name in a PEFT file),
            in canonical order.
    """

    model: "PeftModel"
    loaded: LoadedModel
    spec: AdapterSpec
    tensors: Mapping[str, torch.nn.Parameter]

    @property
    def scale(self) -> float:
        """The factor s of W + s B A."""
        return scale_of(self.spec)

    @property
    def device(self) -> torch.device:
        """Where the adapter is."""
        return next(iter(self.tensors.values())).device

    def tensor_layout(self) -> TensorLayout:
        """Return the layout of all tensors: what a model of the registry holds."""
        return self._layout_where(lambda _: True)

    def trainable_layout(self, round_number: int) -> TensorLayout:
        """Return the layout of what one round trains: what an update of it holds."""
        parts = trained_parts(self.spec.layout, round_number)
        return self._layout_where(lambda name: part_of(name) in parts)

    def read(self, layout: TensorLayout) -> NDArray[np.float32]:
        """Return a copy of these tensors, flat; (size,) float32."""
        chosen = [self._tensor(spec).detach().reshape(-1) for spec in layout.tensors]
        return torch.cat(chosen).cpu().numpy()

    def write(self, numbers: NDArray[np.int32], layout: TensorLayout) -> None:
        """Replace these tensors by fixed-point numbers; (size,) int32."""
        if numbers.shape != (layout.size,):
            raise AdapterError(f"{numbers.shape} numbers for a layout of {layout.size}")
        values = torch.from_numpy(dequantise(numbers)).to(self.device)
        spans = layout.spans
        with torch.no_grad():
            for spec in layout.tensors:
                self._tensor(spec).copy_(values[spans[spec.name]].view(spec.shape))

    def read_fixed(self, layout: TensorLayout) -> NDArray[np.int32]:
        """Return these tensors in fixed point, flat; (size,) int32.

        Raises:
            NotRepresentableError: a number is NaN, infinite, or too large.
        """
        return quantise(self.read(layout), layout)

    def _layout_where(self, is_chosen: Callable[[str], bool]) -> TensorLayout:
        return TensorLayout.of(
            TensorSpec(name, tuple(tensor.shape))
            for name, tensor in self.tensors.items()
            if is_chosen(name)
        )

    def _tensor(self, spec: TensorSpec) -> torch.nn.Parameter:
        tensor = self.tensors.get(spec.name)
        if tensor is None:
            raise AdapterError(f"the adapter has no tensor {spec.name}")
        if tuple(tensor.shape) != spec.shape:
            raise AdapterError(
                f"tensor {spec.name} has shape {tuple(tensor.shape)}, the layout says {spec.shape}"
            )
        return tensor


def attach(loaded: LoadedModel, spec: AdapterSpec, *, seed: int) -> Adapter:
    """Put a fresh adapter into a base model: A and the head from the seed, B zero.

    The result computes what the base model computes, but for a new head.

    Args:
        loaded: changed in place; it may hold no other adapter.
        spec: the shape of the adapter.
        seed: from 0 to 2**256 - 1; the contract of the task names it.

    Raises:
        AdapterError: the spec fits no layer of the model, or there is an adapter already.
        BadLayoutError: the adapter has more numbers or longer names than an update may have.
    """
    # peft takes two seconds to import; whoever only names shapes of adapters does not need it.
    from fl.training.insertion import insert_low_rank, remove_low_rank  # noqa: PLC0415

    _check_spec(loaded, spec)
    model = insert_low_rank(loaded.model, _peft_settings(loaded.kind, spec))
    try:
        adapter = Adapter(model=model, loaded=loaded, spec=spec, tensors=_tensors(model))
        _fill(adapter, seed)
    except BaseException:
        # Whoever keeps the base model for another task must not find half an adapter in it.
        remove_low_rank(model)
        raise
    return adapter


def detach(adapter: Adapter) -> LoadedModel:
    """Take the adapter out again; the base model is as it was before."""
    from fl.training.insertion import remove_low_rank  # noqa: PLC0415

    remove_low_rank(adapter.model)
    return adapter.loaded


def scale_of(spec: AdapterSpec) -> float:
    """Return the factor s of W + s B A."""
    is_by_rank = spec.scaling is Scaling.BY_RANK
    return spec.alpha / (spec.rank if is_by_rank else math.sqrt(spec.rank))


def trained_parts(layout: LoraLayout, round_number: int) -> frozenset[Part]:
    """Return what a round trains; rounds count from 0."""
    match layout:
        case LoraLayout.ALT:
            factor = Part.FACTOR_A if round_number % 2 else Part.FACTOR_B
            return frozenset({factor, Part.HEAD})
        case LoraLayout.FFA:
            return frozenset({Part.FACTOR_B, Part.HEAD})
        case LoraLayout.FEDIT | LoraLayout.STACK:
            return frozenset(Part)


def _check_spec(loaded: LoadedModel, spec: AdapterSpec) -> None:
    if not 1 <= spec.rank <= RANK_MAX or spec.alpha < 1:
        raise AdapterError(
            f"rank {spec.rank} is not in 1..{RANK_MAX}, or alpha {spec.alpha} is below 1"
        )
    depth = loaded.model.config.num_hidden_layers
    beyond = [layer for layer in spec.layers or () if not 0 <= layer < depth]
    if beyond or spec.layers == ():
        raise AdapterError(f"layers {spec.layers}: the model has layers 0 to {depth - 1}")
    if hasattr(loaded.model, "peft_config"):
        raise AdapterError("the model has an adapter already: write to that one, or detach it")


def _peft_settings(kind: ModelKind, spec: AdapterSpec) -> dict[str, object]:
    return {
        "r": spec.rank,
        "lora_alpha": spec.alpha,
        "target_modules": list(spec.target_modules) or None,
        "layers_to_transform": None if spec.layers is None else list(spec.layers),
        "use_rslora": spec.scaling is Scaling.BY_ROOT,
        "task_type": TASK_TYPES[kind],
    }


def _tensors(model: "PeftModel") -> dict[str, torch.nn.Parameter]:
    found = {
        _canonical(name): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    for parameter in found.values():
        parameter.data = parameter.data.float().contiguous()
    return {name: found[name] for name in sorted(found, key=str.encode)}


def _canonical(name: str) -> str:
    """Return the name under which peft stores a parameter."""
    return name.replace(f".modules_to_save.{ADAPTER_NAME}.", ".").replace(f".{ADAPTER_NAME}.", ".")


def _fill(adapter: Adapter, seed: int) -> None:
    for spec in adapter.tensor_layout().tensors:
        start = _start(spec, seed, adapter.spec.layout)
        adapter.write(start.reshape(-1), TensorLayout.of([spec]))


def _start(spec: TensorSpec, seed: int, layout: LoraLayout) -> NDArray[np.int32]:
    match part_of(spec.name):
        case Part.FACTOR_A:
            rank, inputs = spec.shape
            # Whatever is averaged as a stack is projected onto these rows.
            start = basis_start if layout is LoraLayout.STACK else factor_start
            if layout is LoraLayout.STACK and rank > inputs:
                raise AdapterError(
                    f"{spec.name} has {inputs} inputs, too few for {rank} orthonormal rows: "
                    "choose a smaller rank"
                )
            return start(seed, name=spec.name, shape=(rank, inputs))
        case Part.FACTOR_B:
            return np.zeros(spec.shape, np.int32)
        case Part.HEAD:
            return head_start(seed, name=spec.name, shape=spec.shape)
