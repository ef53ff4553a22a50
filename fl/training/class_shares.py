"""What a trainer adds to its logits so that its own shares of the classes teach nothing.

    loss(x, y) = -log softmax(f(x) + tau log pi)_y        pi: the trainer's own shares

A trainer who holds one class of three would learn, above all, never to name the others; the average
of such trainers knows little else. With its shares inside the loss, f needs only to learn how a
class shows in a text. Nobody declares these shares: they are counted where the texts are, and the
model is used without them. It then answers as if all classes were equally frequent.
Source: Menon et al. 2021, arXiv:2007.07314; for skewed federations Zhang et al. 2022,
arXiv:2209.00189.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from fl.training.examples.example import LabelledText

UNSEEN: Final = 0.5
"""Added to each count: a class that a trainer has no example of is rare to it, not impossible."""


def adjustment_of(examples: Sequence[LabelledText], *, classes: int, tau: float) -> Tensor:
    """Return tau log pi, with its greatest at zero; (classes,) float32.

    Labels beyond the classes count for nothing; whoever makes batches of them refuses them.
    """
    found = Counter(example.label for example in examples)
    return adjustment(torch.tensor([found[label] for label in range(classes)]), tau=tau)


def adjustment(counts: Tensor, *, tau: float) -> Tensor:
    """Return tau log pi of so many examples of each class; both (classes,), float32."""
    smoothed = counts.float() + UNSEEN
    return tau * (smoothed / smoothed.max()).log()
