"""Linear maps that hold one low-rank part, or one whole head, for each variant of an adapter.

Activations have the shape (variants, rows, features). As long as all variants agree the first axis
has length 1, and the first map that differs between variants widens it; so whatever lies below that
map, and the frozen product inside it, is computed once for all variants.

Adding the product of a pair to a copy of the frozen weight for each variant was measured too: even
with every linear map adapted, one wide product for all variants beside narrow ones for the pairs is
a tenth to a quarter faster than a square product for each variant.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Frozen:
    """What all variants share of a linear map.

    Attributes:
        weight: (features out, features in) float32.
        bias: (features out,) float32, or None.
    """

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class LowRank:
    """One LoRA pair for each variant; a factor that all share has one variant.

    Attributes:
        down: (variants or 1, features in, rank) float32.
        up: (variants or 1, rank, features out) float32, scaled already.
    """

    down: Tensor
    up: Tensor


@dataclass(frozen=True, slots=True)
class Head:
    """A whole linear map for each variant, such as a classifier.

    Attributes:
        weight: (variants or 1, features in, features out) float32.
        bias: (variants or 1, 1, features out) float32, or None.
    """

    weight: Tensor
    bias: Tensor | None


Part = LowRank | Head


def frozen(linear: nn.Linear) -> Frozen:
    """Return the weights of a linear map, not copied."""
    return Frozen(linear.weight, linear.bias)


def project(linear: Frozen, part: Part | None, activations: Tensor) -> Tensor:
    """Map (variants or 1, rows, in) to (variants or 1, rows, out), float32."""
    match part:
        case None:
            return functional.linear(activations, linear.weight, linear.bias)
        case Head():
            product = times(activations, part.weight)
            return product if part.bias is None else product + part.bias
        case LowRank():
            whole = functional.linear(activations, linear.weight, linear.bias)
            return _add_product(whole, times(activations, part.down), part.up)


def times(left: Tensor, right: Tensor) -> Tensor:
    """Multiply (variants or 1, rows, n) by (variants or 1, n, m), as one product if one has 1."""
    if right.shape[0] == 1:
        return torch.matmul(left, right[0])
    if left.shape[0] == 1:
        variants, inner, outer = right.shape
        wide = right.transpose(0, 1).reshape(inner, variants * outer)
        return torch.matmul(left[0], wide).view(-1, variants, outer).transpose(0, 1)
    return torch.bmm(left, right)


def _add_product(whole: Tensor, inner: Tensor, up: Tensor) -> Tensor:
    """Return whole + inner @ up; each may have one variant."""
    if up.shape[0] == 1:
        return whole + torch.matmul(inner, up[0])
    variants = up.shape[0]
    return torch.baddbmm(whole.expand(variants, -1, -1), inner.expand(variants, -1, -1), up)
