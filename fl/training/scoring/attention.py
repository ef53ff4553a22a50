"""Attention over rows of one length, for activations with an axis of variants.

Heads are laid out one after another in memory first: with heads of eight numbers the kernel of
torch for CPUs takes two to three times as long when it has to pick them out of strides (measured).
"""

import enum

from torch import Tensor
from torch.nn import functional


@enum.unique
class Sight(enum.Enum):
    """Which positions of its row a query sees."""

    ALL = "all"
    UP_TO_OWN = "up to its own"


def split_heads(features: Tensor, *, rows: int, size: int) -> Tensor:
    """Return (variants or 1, rows, heads, positions, size), a view.

    Args:
        features: (variants or 1, rows * positions, heads * size).
        rows: of one variant.
        size: of a head.
    """
    shared, _, width = features.shape
    return features.view(shared, rows, -1, width // size, size).transpose(2, 3)


def attend(query: Tensor, key: Tensor, value: Tensor, *, scaling: float, sight: Sight) -> Tensor:
    """Let every query see positions of its own row.

    Args:
        query: (variants or 1, rows, heads, positions asked, size) float32.
        key: (variants or 1, rows, key heads, length, size) float32; no position is padding. Each
            key head serves as many query heads, one after another, as there are too few.
        value: as `key`.
        scaling: what scores are multiplied by.
        sight: up to its own only where all positions ask.

    Returns:
        (variants or 1, rows * positions asked, heads * size) float32.
    """
    variants = max(query.shape[0], key.shape[0], value.shape[0])
    heads = query.shape[2]
    found = functional.scaled_dot_product_attention(
        _widen(query, variants, heads),
        _widen(key, variants, heads),
        _widen(value, variants, heads),
        scale=scaling,
        is_causal=sight is Sight.UP_TO_OWN,
    )
    return found.transpose(1, 2).reshape(variants, -1, heads * query.shape[-1])


def first_positions(activations: Tensor, rows: int) -> Tensor:
    """Return (variants or 1, rows, features): each row's first position."""
    variants, _, width = activations.shape
    return activations.view(variants, rows, -1, width)[:, :, 0]


def _widen(split: Tensor, variants: int, heads: int) -> Tensor:
    """Return (variants * rows, heads, positions, size), contiguous."""
    _, rows, own_heads, positions, size = split.shape
    each = heads // own_heads
    spread = split.unsqueeze(3).expand(variants, rows, own_heads, each, positions, size)
    return spread.reshape(variants * rows, heads, positions, size).contiguous()
