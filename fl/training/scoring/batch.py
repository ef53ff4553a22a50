"""Cut examples into batches without padding: rows of one batch have one length.

Variants multiply the rows of a batch, so even one text alone makes a batch that keeps the hardware
busy; there is no need to fill rows up with padding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from fl.jobs.subject import ModelKind
from fl.training.examples.tokens import IGNORED, Encoded
from fl.training.scoring.errors import ScoringError


@dataclass(frozen=True, slots=True)
class Asked:
    """What one batch is asked: classes of rows, or tokens at places of rows.

    Attributes:
        targets: (asked,) int64.
        places: (asked,) int64 into the flattened rows, where each token is told from; None for
            classes, where every row is asked once.
        shares: (asked, rows) float32: what each answer counts in the mean of its row.
    """

    targets: Tensor
    places: Tensor | None
    shares: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one length.

    Attributes:
        indices: which examples the rows are.
        ids: (rows, length) int64.
        asked: of the rows.
    """

    indices: tuple[int, ...]
    ids: Tensor
    asked: Asked


def check_examples(examples: Sequence[Encoded], kind: ModelKind) -> None:
    """Refuse examples from which no loss can be told.

    Raises:
        ScoringError: names the example.
    """
    if not examples:
        raise ScoringError("there are no examples to score with")
    for number, example in enumerate(examples):
        if not example.ids:
            raise ScoringError(f"example {number} has no tokens: leave it out")
        if kind is ModelKind.CAUSAL_LM and all(one == IGNORED for one in example.labels[1:]):
            raise ScoringError(f"example {number} asks for no token: it is all prompt, or cut off")


def cut(
    examples: Sequence[Encoded], *, kind: ModelKind, tokens_max: int, device: torch.device
) -> Iterator[Batch]:
    """Yield every example once, the shortest first.

    Args:
        examples: tokenised.
        kind: what the labels mean.
        tokens_max: of a batch of more than one row.
        device: where the tensors go.
    """
    order = sorted(range(len(examples)), key=lambda number: len(examples[number].ids))
    for length, numbers in groupby(order, key=lambda number: len(examples[number].ids)):
        group = list(numbers)
        rows = max(1, tokens_max // length)
        for start in range(0, len(group), rows):
            chosen = group[start : start + rows]
            yield _batch([examples[number] for number in chosen], chosen, kind, device)


def _batch(
    examples: Sequence[Encoded], indices: Sequence[int], kind: ModelKind, device: torch.device
) -> Batch:
    ids = torch.tensor([example.ids for example in examples], dtype=torch.int64)
    labels = torch.tensor([example.labels for example in examples], dtype=torch.int64)
    asked = _classes(labels) if kind is ModelKind.CLASSIFICATION else _tokens(labels)
    return Batch(
        indices=tuple(indices),
        ids=ids.to(device),
        asked=Asked(
            targets=asked.targets.to(device),
            places=None if asked.places is None else asked.places.to(device),
            shares=asked.shares.to(device),
        ),
    )


def _classes(labels: Tensor) -> Asked:
    return Asked(targets=labels[:, 0], places=None, shares=torch.eye(len(labels)))


def _tokens(labels: Tensor) -> Asked:
    """The position before each label tells it; (rows, length) labels."""
    rows, length = labels.shape
    is_asked = labels[:, 1:] != IGNORED
    row, position = is_asked.nonzero(as_tuple=True)
    shares = torch.zeros(len(row), rows)
    shares[torch.arange(len(row)), row] = 1.0 / is_asked.sum(1)[row]
    return Asked(targets=labels[:, 1:][is_asked], places=row * length + position, shares=shares)
