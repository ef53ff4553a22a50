"""Ask a model about texts whose answers are known, and turn its replies into figures."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fl.jobs.subject import ModelKind
from fl.training.examples.batches import Batch, BatchPlan, classification_batches, padded_batches
from fl.training.examples.tokens import IGNORED
from fl.training.models import LoadedModel
from fl.training.stream import Examples

TOKENS_PER_BATCH: Final = 4_096

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model says about one text.

    Attributes:
        wanted: (asked,) int64, classes or tokens.
        chosen: (asked,) int64, what it takes.
        loss: summed over what is asked, nats.
    """

    wanted: Ints
    chosen: Ints
    loss: float


def ask(
    model: torch.nn.Module, loaded: LoadedModel, test: Examples, *, tokens_max: int
) -> list[Reply]:
    """Return the replies about all texts, in order.

    Args:
        model: with an adapter or without; it may be another one than `loaded` holds.
        loaded: tells the kind and the tokenizer.
        test: the texts.
        tokens_max: at which a text is cut.
    """
    replies: list[Reply | None] = [None] * len(test)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in _batches(loaded, test, tokens_max):
            caller: Any = model
            logits = caller(
                input_ids=batch.input_ids.to(loaded.model.device),
                attention_mask=batch.attention_mask.to(loaded.model.device),
            ).logits.float()
            for index, reply in zip(batch.indices, _replies(logits.cpu(), batch), strict=True):
                replies[index] = reply
    model.train(was_training)
    return [reply for reply in replies if reply is not None]


def figures_of(replies: Sequence[Reply], *, labels: int) -> dict[str, float]:
    """Return the figures by name: shares from 0 to 1, the loss in nats, and perplexity.

    Args:
        replies: about texts of which at least one asks for something.
        labels: classes; 0 for a language model.
    """
    wanted = np.concatenate([one.wanted for one in replies])
    chosen = np.concatenate([one.chosen for one in replies])
    loss = sum(one.loss for one in replies) / len(wanted)
    found = {"accuracy": float((wanted == chosen).mean()), "loss": loss}
    if not labels:
        return {**found, "perplexity": math.exp(loss)}
    return {**found, **macro(confusion(wanted, chosen, labels=labels))}


def confusion(wanted: Ints, chosen: Ints, *, labels: int, times: Ints | None = None) -> Floats:
    """Count pairs of a wanted and a chosen class; (labels, labels).

    Args:
        wanted: (texts,), classes.
        chosen: (texts,), classes.
        labels: how many there are.
        times: how often each text counts; once by default.
    """
    found = np.bincount(wanted * labels + chosen, weights=times, minlength=labels * labels)
    return found.astype(np.float64).reshape(labels, labels)


def macro(counts: Floats) -> dict[str, float]:
    """Return the means over classes of precision, recall and F1; 0 where one is not defined."""
    right = np.diag(counts)
    precision = right / np.maximum(1, counts.sum(0))
    recall = right / np.maximum(1, counts.sum(1))
    both = precision + recall
    score = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return {
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(score.mean()),
    }


def _batches(loaded: LoadedModel, test: Examples, tokens_max: int) -> Iterator[Batch]:
    # Shuffled batches are sorted by length, which spares padding; the indices tell the order.
    plan = BatchPlan(batch_size=max(1, TOKENS_PER_BATCH // tokens_max), tokens_max=tokens_max)
    if loaded.kind is ModelKind.CLASSIFICATION:
        return classification_batches(test, loaded.tokenizer, plan=plan)  # type: ignore[arg-type]
    return padded_batches(test, loaded.tokenizer, plan=plan)  # type: ignore[arg-type]


def _replies(logits: Tensor, batch: Batch) -> Iterator[Reply]:
    if batch.labels.ndim == 1:
        logits, labels = logits[:, None], batch.labels[:, None]
    else:
        logits, labels = logits[:, :-1], batch.labels[:, 1:]
    for scores, row in zip(logits, labels, strict=True):
        is_asked = row != IGNORED
        chosen, wanted = scores[is_asked], row[is_asked]
        loss = functional.cross_entropy(chosen, wanted, reduction="sum")
        yield Reply(wanted.numpy(), chosen.argmax(-1).numpy(), float(loss))
