"""Losses of each row under each variant, in float32."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from fl.training.scoring.batch import Asked

# Logits that are in memory at once.
LOGITS_MAX = 1 << 24


def row_losses(features: Tensor, asked: Asked, *, to_logits: Callable[[Tensor], Tensor]) -> Tensor:
    """Return each row's mean negative log likelihood of what it is asked.

    Args:
        features: (variants or 1, asked, width) float32.
        asked: what is asked.
        to_logits: maps some of the features to (variants, some, classes).

    Returns:
        (variants, rows) float32.
    """
    count = len(asked.targets)
    classes = to_logits(features[:, :1]).shape
    step = max(1, LOGITS_MAX // (classes[0] * classes[2]))
    pieces = [
        _surprise(to_logits(features[:, start : start + step]), asked.targets[start : start + step])
        for start in range(0, count, step)
    ]
    return torch.cat(pieces, dim=1) @ asked.shares


def _surprise(logits: Tensor, targets: Tensor) -> Tensor:
    """Return (variants, asked) from (variants, asked, classes) and (asked,)."""
    variants = logits.shape[0]
    found = functional.cross_entropy(
        logits.float().flatten(0, 1), targets.repeat(variants), reduction="none"
    )
    return found.view(variants, -1)
