"""What a trainer adds to its logits so that its own shares of the classes teach nothing.

    loss(x, y) = -log softmax(f(x) + tau log pi)_y        pi: the trainer's own shares

A trainer who holds much of one class learns, above all, to name it; the average of such trainers
knows little else. With its shares inside the loss, f needs only to learn how a class shows in a
text. Nobody declares these shares: they are counted where the texts are, and the model is used
without them. It then answers as if classes were as frequent as pi^(1 - tau), at 1 all alike.
A trainer of one class alone has almost no loss left, but Adam makes strides of what there is.
Source: Menon et al. 2021, arXiv:2007.07314; for skewed federations Zhang et al. 2022,
arXiv:2209.00189.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from fl.training.examples.example import LabelledText

UNSEEN: Final = 1.5
"""Added to the counts, in equal parts: a class without an example is rare here, not impossible.
Were it added to each, hundreds of classes that a trainer never sees would seem to be its most."""


def adjustment_of(examples: Sequence[LabelledText], *, classes: int, tau: float) -> Tensor:
    """Return tau log pi, with its greatest at zero; (classes,) float32.

    Labels beyond the classes count for nothing; whoever makes batches of them refuses them.
    """
    found = Counter(example.label for example in examples)
    return adjustment(torch.tensor([found[label] for label in range(classes)]), tau=tau)


def adjustment(counts: Tensor, *, tau: float) -> Tensor:
    """Return tau log pi of so many examples of each class; both (classes,), float32."""
    smoothed = counts.float() + UNSEEN / len(counts)
    return tau * (smoothed / smoothed.max()).log()
