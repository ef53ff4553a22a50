"""The loss of a batch: cross entropy, summed over what is asked, in float32.

A language model with a vocabulary of 100,000 spends most of its memory on logits. The output layer
is frozen here, so the gradient of its input is known as soon as a loss is: a few rows at a time are
multiplied, turned into loss and gradient, and forgotten. Positions that ask for no loss are left
out before the multiplication.
"""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from typing_extensions import override

from fl.jobs.subject import ModelKind
from fl.training.adapters import Adapter
from fl.training.examples.batches import Batch
from fl.training.examples.tokens import IGNORED

LOGITS_MAX: Final = {"cpu": 1 << 23, "cuda": 1 << 27}
"""Numbers of a piece of logits by kind of device: 32 MiB, which the allocator of the C library
hands out again without new pages, or 512 MiB, which keep a GPU busy."""

# Smaller shares of a softmax are nothing in a sum, and exp gives denormal numbers below -87, with
# which a CPU multiplies so slowly that a step takes twice as long (measured).
_EXPONENT_MIN: Final = -80.0

# Their forward pass ends in one output layer with nothing behind it, such as a cap on logits.
PLAIN_OUTPUTS: Final = frozenset({"gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3"})


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch, or some rows of it, on the device of the model.

    Attributes:
        input_ids: (rows, length) int64.
        mask: (rows, length) int64; None where no row is padded, which spares the model a mask.
        targets: (asked,) int64, classes or tokens.
        places: (asked,) int64, the positions in the flattened rows that foretell the targets; None
            for classes.
        asked: how many losses are summed.
        token_count: tokens that are not padding.
    """

    input_ids: Tensor
    mask: Tensor | None
    targets: Tensor
    places: Tensor | None
    asked: int
    token_count: int


def rows_of(batch: Batch, device: torch.device) -> Rows:
    """Work out on the CPU, where nothing waits for it, what a step needs, and send that."""
    places = None
    targets = batch.labels
    if batch.labels.ndim > 1:
        # The token at a position is foretold by the position before it.
        labels = functional.pad(batch.labels[:, 1:], (0, 1), value=IGNORED).reshape(-1)
        places = torch.nonzero(labels != IGNORED).view(-1)
        targets = labels[places]
    token_count = batch.token_count
    is_padded = token_count < batch.input_ids.numel()
    return Rows(
        input_ids=_send(batch.input_ids, device),
        mask=_send(batch.attention_mask, device) if is_padded else None,
        targets=_send(targets, device),
        places=None if places is None else _send(places, device),
        asked=targets.numel(),
        token_count=token_count,
    )


def summed_loss(adapter: Adapter, rows: Rows, *, adjustment: Tensor | None = None) -> Tensor:
    """Return the sum of the losses of the rows; () float32, differentiable.

    Args:
        adapter: in its model.
        rows: of a batch.
        adjustment: what the logits of a classifier get added, (classes,) float32.
    """
    model: Any = adapter.model.get_base_model()
    if adapter.loaded.kind is ModelKind.CLASSIFICATION:
        logits = model(input_ids=rows.input_ids, attention_mask=rows.mask).logits.float()
        if adjustment is not None:
            logits = logits + adjustment
        return functional.cross_entropy(logits, rows.targets, reduction="sum")
    assert rows.places is not None
    if model.config.model_type in PLAIN_OUTPUTS and not _is_adapted(model.lm_head):
        hidden = model.base_model(
            input_ids=rows.input_ids, attention_mask=rows.mask, use_cache=False
        ).last_hidden_state
        flat = hidden.reshape(-1, hidden.shape[-1])
        return frozen_output_loss(
            flat, model.lm_head.weight, places=rows.places, targets=rows.targets
        )
    logits = model(
        input_ids=rows.input_ids, attention_mask=rows.mask, use_cache=False
    ).logits.flatten(0, 1)
    return functional.cross_entropy(
        logits.index_select(0, rows.places).float(), rows.targets, reduction="sum"
    )


def frozen_output_loss(
    hidden: Tensor,
    weight: Tensor,
    *,
    places: Tensor,
    targets: Tensor,
    logits_max: int | None = None,
) -> Tensor:
    """Return the summed cross entropy of softmax(H Wᵀ) at chosen rows of H; () float32.

    Differentiable in H only; W is frozen.

    Args:
        hidden: H, (n, width).
        weight: W, (vocabulary, width).
        places: (m,) int64, rows of H without repetition.
        targets: (m,) int64, the right column of each row.
        logits_max: numbers that are in memory at once, one row at least; by `LOGITS_MAX`
            otherwise.

    Source of the idea: Hsu et al., Liger kernel, arXiv:2410.10989, section 3.2; no kernel here.
    """
    if logits_max is None:
        logits_max = LOGITS_MAX.get(hidden.device.type, LOGITS_MAX["cpu"])
    loss: Tensor = _FrozenOutputLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, places, targets, logits_max
    )
    return loss


def _send(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _is_adapted(layer: nn.Module) -> bool:
    return not isinstance(layer, nn.Linear) or layer.bias is not None


class _FrozenOutputLoss(torch.autograd.Function):
    """What `frozen_output_loss` applies."""

    @staticmethod
    @override
    def forward(ctx: Any, *operands: Any) -> Tensor:
        hidden, weight, places, targets, logits_max = operands
        chosen = hidden.index_select(0, places)
        needs_gradient = ctx.needs_input_grad[0]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        size = max(1, logits_max // weight.shape[0])
        for start in range(0, len(chosen), size):
            piece = chosen[start : start + size]
            wanted = targets[start : start + size]
            scores = functional.linear(piece, weight).float()
            greatest = scores.amax(1, keepdim=True)
            right = scores.gather(1, wanted[:, None])
            # Every pass over the scores costs memory bandwidth, so they are few and in place.
            shares = scores.sub_(greatest).clamp_(min=_EXPONENT_MIN).exp_()
            whole = shares.sum(1, keepdim=True)
            total += (whole.log() + greatest - right).sum()
            if needs_gradient:
                # d loss / d scores = shares / whole - one hot, multiplied by W.
                torch.mm(shares.to(weight.dtype), weight, out=piece)
                piece.div_(whole).sub_(weight.index_select(0, wanted))
        ctx.save_for_backward(chosen, places)
        ctx.shape = hidden.shape
        return total

    @staticmethod
    @override
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        chosen, places = ctx.saved_tensors
        (outer,) = gradients
        result = chosen.new_zeros(ctx.shape)
        result.index_copy_(0, places, chosen * outer.to(chosen.dtype))
        return result, None, None, None, None
