"""The forward and backward pass of W + s B A, with as few passes over memory as it can have.

peft computes `base(x) + B(A(x)) * s`: three more tensors of the size of the output, and on a
bfloat16 base two casts of the input. Here the product is added into the output in place, s is
applied where only `rank` numbers stand, and the gradient of the input is summed in place as well.
The parameters are those of the peft layers, which stand aside while the context lasts.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers.pytorch_utils import Conv1D
from typing_extensions import override

from fl.training.adapters import ADAPTER_NAME, Adapter


class LowRankLinear(nn.Module):
    """A frozen linear layer with a low-rank product beside it.

    Args:
        layer: of peft, with its parameters; `layer.base_layer` is a Linear or a Conv1D.
    """

    def __init__(self, layer: PeftLinear) -> None:
        super().__init__()
        frozen: Any = layer.get_base_layer()
        down: Any = layer.lora_A[ADAPTER_NAME]
        up: Any = layer.lora_B[ADAPTER_NAME]
        self.weight: Tensor = frozen.weight
        self.bias: Tensor | None = frozen.bias
        self.is_transposed = isinstance(frozen, Conv1D)
        self.factor_a: Tensor = down.weight
        self.factor_b: Tensor = up.weight
        self.scale: float = layer.scaling[ADAPTER_NAME]

    @override
    def forward(self, inputs: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs), in the type of the inputs."""
        weight = self.weight.t() if self.is_transposed else self.weight
        rows = inputs.reshape(-1, inputs.shape[-1])
        result: Tensor = _LowRank.apply(  # type: ignore[no-untyped-call]
            rows, weight, self.bias, self.factor_a, self.factor_b, self.scale
        )
        return result.view(*inputs.shape[:-1], -1)


class InFloat32(nn.Module):
    """A head whose parameters are float32 above a base model of another type."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    @override
    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs of any type to float32."""
        result: Tensor = self.head(inputs.float())
        return result


@contextlib.contextmanager
def lean_layers(adapter: Adapter) -> Iterator[None]:
    """Let the lean layers stand in for those of peft; on leaving, the latter are back."""
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    for parent in list(adapter.model.modules()):
        for name, child in parent.named_children():
            match child:
                case PeftLinear():
                    lean: nn.Module = LowRankLinear(child)
                case ModulesToSaveWrapper():
                    lean = InFloat32(child)
                case _:
                    continue
            replaced.append((parent, name, child))
            parent.add_module(name, lean)
    try:
        yield
    finally:
        for parent, name, child in replaced:
            parent.add_module(name, child)


class _LowRank(torch.autograd.Function):
    """y = x Wᵀ + b + s (x Aᵀ) Bᵀ with a frozen W.

    x (n, inputs), W (outputs, inputs), A (rank, inputs), B (outputs, rank).
    """

    @staticmethod
    @override
    def forward(ctx: Any, *operands: Any) -> Tensor:
        x, weight, bias, factor_a, factor_b, scale = operands
        down, up = factor_a.to(x.dtype), factor_b.to(x.dtype)
        inner = functional.linear(x, down).mul_(scale)
        result = functional.linear(x, weight, bias).addmm_(inner, up.t())
        needs_a = factor_a.requires_grad
        ctx.save_for_backward(
            x if needs_a else None, inner if factor_b.requires_grad else None, weight, down, up
        )
        ctx.scale = scale
        return result

    @staticmethod
    @override
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (outer,) = gradients
        x, inner, weight, down, up = ctx.saved_tensors
        needs_x, _, _, needs_a, needs_b, _ = ctx.needs_input_grad
        middle = (outer @ up).mul_(ctx.scale) if needs_x or needs_a else None
        return (
            (outer @ weight).addmm_(middle, down) if needs_x else None,
            None,
            None,
            (middle.t() @ x).float() if needs_a and middle is not None else None,
            (outer.t() @ inner).float() if needs_b else None,
            None,
        )
