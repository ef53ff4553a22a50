"""From losses to what a validator reports: integers in 100 micro-nats."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.rules.limits import SCORE_MAX, SCORE_MIN
from fl.rules.update.norms import NORM_ONE

QUANTA_PER_NAT: Final = 10_000
"""A score of 1 is 100 micro-nats."""

LOSS_MAX: Final = 100_000.0
"""In nats: what stands for a loss that is no number, so that differences stay finite votes."""

REPLICATES: Final = 8

FEW: Final = 4
"""Examples of a class that are needed to hear it in full."""

Losses = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringTerms:
    """What the task says about scores.

    Attributes:
        clip: the norm to which updates are cut before they are tried, as `norms` measures.
        penalty: Zeno's rho, in quanta for a squared norm of one. It is taken of the norm before
            the clip, so that a scaled update pays for what the clip takes from it.
        seed: of the round, decides groups where updates are too many to be left out one by one.
    """

    clip: int
    penalty: int = 0
    seed: int = 0


def bounded(losses: NDArray[np.float32]) -> Losses:
    """Return the losses in float64 with what is NaN, infinite or larger put at `LOSS_MAX`."""
    wide = np.nan_to_num(losses.astype(np.float64), nan=LOSS_MAX, posinf=LOSS_MAX, neginf=LOSS_MAX)
    return np.clip(wide, -LOSS_MAX, LOSS_MAX)


def evened(labels: NDArray[np.int64], *, tau: float) -> NDArray[np.float64]:
    """Return weights of examples, which sum to one: a class of n examples counts as n^(1 - tau).

    Those who train with the logit adjustment of `fl.training.class_shares` lower this mean and no
    other: by a plain one, they would score below nothing where one class is most of the examples.
    An example of a class with fewer than `FEW` counts as if there were so many, or a single text
    would be a quarter of a vote.
    """
    counts = np.maximum(np.bincount(labels)[labels], FEW)
    weights = counts ** -float(tau)
    even: NDArray[np.float64] = weights / weights.sum()
    return even


def quantum(nats: float) -> int:
    """Return the nearest number of quanta, ties to even, held within int32."""
    return max(SCORE_MIN, min(SCORE_MAX, round(nats * QUANTA_PER_NAT)))


def penalised(quanta: int, *, norm_squared: int, penalty: int) -> int:
    """Take rho times the squared norm from a score, in integers.

    Source: Xie et al. 2019, arXiv:1805.10032 (Zeno).
    """
    return max(SCORE_MIN, quanta - penalty * norm_squared // (NORM_ONE * NORM_ONE))


def standard_error(gains: Losses) -> int:
    """Return the standard error of a mean of paired differences, rounded up to whole quanta.

    Replicates are disjoint parts of the examples, every eighth each: the spread of their means is
    what another draw of examples would have moved the score by.

    Args:
        gains: (examples,), for each the loss before less the loss after.
    """
    parts = min(REPLICATES, len(gains))
    if parts < 2:
        return SCORE_MAX
    means = np.array([gains[part::parts].mean() for part in range(parts)])
    spread = float(means.std(ddof=1)) / parts**0.5
    return min(SCORE_MAX, int(np.ceil(spread * QUANTA_PER_NAT)))
