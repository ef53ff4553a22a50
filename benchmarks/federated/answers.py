"""What a record keeps of a model's replies to the test split, and the figures that follow."""

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.federated.settings import Answers
from fl.jobs.subject import ModelKind
from fl.training.replies import Reply, confusion, macro


def answers_of(replies: Sequence[Reply], kind: ModelKind) -> Answers:
    """Count what a record keeps."""
    is_class = kind is ModelKind.CLASSIFICATION
    return Answers(
        wanted=tuple(int(one.wanted[0]) for one in replies) if is_class else (),
        chosen=tuple(int(one.chosen[0]) for one in replies) if is_class else (),
        asked=tuple(len(one.wanted) for one in replies),
        hits=tuple(int((one.wanted == one.chosen).sum()) for one in replies),
        losses=tuple(round(one.loss, 5) for one in replies),
    )


def metrics_of(answers: Answers, *, labels: int) -> dict[str, float]:
    """Return the figures by name: shares from 0 to 1, the loss in nats, and perplexity."""
    asked, hits = sum(answers.asked), sum(answers.hits)
    loss = sum(answers.losses) / asked
    figures = {"accuracy": hits / asked, "loss": loss}
    if not labels:
        return {**figures, "perplexity": math.exp(loss)}
    counts = confusion(np.array(answers.wanted), np.array(answers.chosen), labels=labels)
    return {**figures, **macro(counts)}
