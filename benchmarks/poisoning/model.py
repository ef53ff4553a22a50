"""A model so small that hundreds of federations fit into an hour: LoRA over cached activations.

What a frozen sentence encoder says of a text, x, goes through a frozen linear map (the identity)
with a low-rank product beside it, and through a linear head:

    logits = H (x + s B A x) + b = H x + s (H B)(A x) + b

Layout ALT: even rounds train B and the head, odd rounds A and the head. The second form never makes
a matrix of the width squared, and lets all clients of a round, or all variants that a validator
scores, share one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.training.class_shares import adjustment

BIAS, HEAD, DOWN, UP = "head.bias", "head.weight", "lora.A", "lora.B"
SCALE: Final = 2.0
_MOMENTUM: Final = 0.9
_MEMORY: Final = 0.99
_FLOOR: Final = 1e-8

Int32s = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model."""

    width: int
    classes: int
    rank: int = 8

    @property
    def layout(self) -> TensorLayout:
        """Return the layout of the whole model."""
        return TensorLayout.of(self._specs(BIAS, HEAD, DOWN, UP))

    def trained(self, round_number: int) -> TensorLayout:
        """Return the layout of what a round trains."""
        return TensorLayout.of(self._specs(BIAS, HEAD, DOWN if round_number % 2 else UP))

    def places(self, round_number: int) -> NDArray[np.int64]:
        """Return where in the whole model each coordinate of a round is."""
        spans = self.layout.spans
        names = [tensor.name for tensor in self.trained(round_number).tensors]
        return np.concatenate([np.arange(spans[n].start, spans[n].stop) for n in names])

    def _specs(self, *names: str) -> list[TensorSpec]:
        shapes = {
            BIAS: (self.classes,),
            HEAD: (self.classes, self.width),
            DOWN: (self.rank, self.width),
            UP: (self.width, self.rank),
        }
        return [TensorSpec(name, shapes[name]) for name in names]


@dataclass(frozen=True, slots=True)
class Factors:
    """The tensors of some variants of a model, the variant first; views of flat states."""

    bias: Tensor
    head: Tensor
    down: Tensor
    up: Tensor

    @classmethod
    def of(cls, states: Tensor, shape: Shape) -> "Factors":
        """View flat states (variant, coordinate) as tensors."""
        spans, count = shape.layout.spans, len(states)
        return cls(
            bias=states[:, spans[BIAS]],
            head=states[:, spans[HEAD]].view(count, shape.classes, shape.width),
            down=states[:, spans[DOWN]].view(count, shape.rank, shape.width),
            up=states[:, spans[UP]].view(count, shape.width, shape.rank),
        )

    def logits(self, x: Tensor) -> Tensor:
        """Return (variant, example, class); x is (example, width), the same for all."""
        count, classes, width = self.head.shape
        flat = (x @ self.head.reshape(-1, width).t()).view(len(x), count, classes)
        inner = (x @ self.down.reshape(-1, width).t()).view(len(x), count, -1)
        mixed = torch.bmm(self.head, self.up)
        low = torch.bmm(inner.transpose(0, 1), mixed.transpose(1, 2))
        return flat.transpose(0, 1) + SCALE * low + self.bias[:, None, :]

    def slopes(self, x: Tensor, y: Tensor, adjustment: Tensor) -> "Factors":
        """Return the gradients of the mean loss of each variant on its own batch.

        Args:
            x: (variant, example, width).
            y: (variant, example), int64.
            adjustment: of the logits, (variant, class); see `fl.training.class_shares`.
        """
        inner = torch.bmm(x, self.down.transpose(1, 2))
        mixed = torch.bmm(self.head, self.up)
        logits = torch.baddbmm(self.bias[:, None, :], x, self.head.transpose(1, 2))
        logits.baddbmm_(inner, mixed.transpose(1, 2), alpha=SCALE)
        outer = logits.add_(adjustment[:, None, :]).softmax(2)
        outer.scatter_add_(2, y[..., None], torch.full_like(outer[..., :1], -1.0))
        outer /= y.shape[1]
        through = SCALE * torch.bmm(outer.transpose(1, 2), inner)
        return Factors(
            bias=outer.sum(1),
            head=torch.bmm(outer.transpose(1, 2), x).baddbmm_(through, self.up.transpose(1, 2)),
            down=SCALE * torch.bmm(torch.bmm(outer, mixed).transpose(1, 2), x),
            up=torch.bmm(self.head.transpose(1, 2), through),
        )

    def flat(self) -> Tensor:
        """Return flat states (variant, coordinate)."""
        parts = (self.bias, self.head, self.down, self.up)
        return torch.cat([part.flatten(1) for part in parts], dim=1)


@dataclass(frozen=True, slots=True)
class Local:
    """How every client trains in one round: Adam on batches drawn with replacement.

    Attributes:
        adjustment: tau of the logit adjustment.
    """

    steps: int
    batch: int
    rate: float
    adjustment: float


@dataclass(frozen=True, slots=True)
class Examples:
    """Activations (example, width) float32 with their classes (example,) int64."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def part(self, indices: Sequence[int] | NDArray[np.int64]) -> "Examples":
        """Return some of them."""
        chosen = torch.as_tensor(np.asarray(indices, dtype=np.int64))
        return Examples(self.x[chosen], self.y[chosen])

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """Return one after the other."""
        return cls(torch.cat([one.x for one in parts]), torch.cat([one.y for one in parts]))


class Crowd:
    """The examples of several clients, one after the other."""

    def __init__(self, clients: Sequence[Examples]) -> None:
        self.counts = torch.tensor([len(one) for one in clients])
        self._starts = self.counts.cumsum(0) - self.counts
        self._all = Examples.joined(clients)
        self._clients = clients

    def adjustments(self, *, classes: int, tau: float) -> Tensor:
        """Return what each client adds to its logits, (client, class)."""
        found = [torch.bincount(one.y, minlength=classes) for one in self._clients]
        return torch.stack([adjustment(counts, tau=tau) for counts in found])

    def draw(self, batch: int, dice: torch.Generator) -> Examples:
        """Return a batch for each client, drawn with replacement: (client, example, ...)."""
        shares = torch.rand((len(self.counts), batch), generator=dice, dtype=torch.float64)
        chosen = (shares * self.counts[:, None]).long() + self._starts[:, None]
        return Examples(self._all.x[chosen], self._all.y[chosen])


def start(shape: Shape, *, seed: int) -> Floats:
    """Return W_0: a random A with rows of about unit length, all else zero."""
    state = np.zeros(shape.layout.size)
    span = shape.layout.spans[DOWN]
    count = span.stop - span.start
    dice = np.random.default_rng([seed, 1])
    state[span] = dice.standard_normal(count) / np.sqrt(shape.width)
    return state


def train(
    model: Floats, crowd: Crowd, local: Local, *, shape: Shape, round_number: int, seed: int
) -> Floats:
    """Return what each client's run changes of what the round trains, (client, coordinate)."""
    places = torch.from_numpy(shape.places(round_number))
    dice = torch.Generator().manual_seed(seed)
    origin = torch.from_numpy(model).float()
    states = origin.repeat(len(crowd.counts), 1)
    factors = Factors.of(states, shape)
    first = torch.zeros(len(states), len(places))
    second = torch.zeros_like(first)
    adjustments = crowd.adjustments(classes=shape.classes, tau=local.adjustment)
    for step in range(1, local.steps + 1):
        batch = crowd.draw(local.batch, dice)
        slope = factors.slopes(batch.x, batch.y, adjustments).flat()[:, places]
        first.mul_(_MOMENTUM).add_(slope, alpha=1 - _MOMENTUM)
        second.mul_(_MEMORY).addcmul_(slope, slope, value=1 - _MEMORY)
        root = (second / (1 - _MEMORY**step)).sqrt_().add_(_FLOOR)
        states[:, places] -= local.rate / (1 - _MOMENTUM**step) * first / root
    return (states - origin)[:, places].double().numpy()


def losses(states: Floats, examples: Examples, *, shape: Shape) -> Floats:
    """Return the loss of every example under every state, (state, example), in nats."""
    factors = Factors.of(torch.from_numpy(states).float(), shape)
    logits = factors.logits(examples.x)
    targets = examples.y.expand(len(states), -1)
    chosen = logits.gather(2, targets[..., None])[..., 0]
    return (logits.logsumexp(2) - chosen).double().numpy()


def predictions(state: Floats, x: Tensor, *, shape: Shape) -> NDArray[np.int64]:
    """Return the class that the model gives each example."""
    factors = Factors.of(torch.from_numpy(state[None]).float(), shape)
    return factors.logits(x)[0].argmax(1).numpy()
