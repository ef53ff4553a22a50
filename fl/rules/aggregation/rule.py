"""Aggregate the accepted updates of a round by the rule that its task names.

Guards: the result depends on the pairs of update and weight alone; not on their order, on how many
columns are worked through at a time, or on who does it. Columns are independent of each other, and
what rules need beyond columns are exact integer inner products. Memory is the result and a few
spans of every vector, so vectors may be memory maps; `stream.py` is for one vector at a time.
"""

import enum
from collections.abc import Callable, Sequence
from functools import cmp_to_key, partial
from operator import itemgetter
from typing import Final

import numpy as np

from fl.rules.aggregation.geometry import (
    centred_clip_weights,
    geometric_median_weights,
    krum_ranking,
    multi_krum_weights,
    neighbours,
)
from fl.rules.aggregation.mean import weighted_mean
from fl.rules.aggregation.mixing import mixed_trimmed_mean
from fl.rules.aggregation.ordered import trim_weight, trimmed_mean, weighted_median
from fl.rules.limits import ONE, UPDATES_MAX
from fl.rules.update.products import Integers, products, squared_distances
from fl.rules.update.rows import Int32s
from fl.rules.update.spans import ALONE, Execution, spans_of
from primitives.order import integer_sqrt, quantile

_COMPARED: Final = 1 << 16

Combine = Callable[[Sequence[Int32s]], Int32s]


@enum.unique
class Rule(enum.Enum):
    """The rules that a task may name; what each stands up to is said where it is written."""

    MEAN = "mean"
    TRIMMED_MEAN = "trimmed"
    MEDIAN = "median"
    KRUM = "krum"
    MULTI_KRUM = "multikrum"
    NNM_TRIMMED = "nnm"
    GEOMETRIC_MEDIAN = "geomed"
    CENTRED_CLIP = "cclip"


_BY_COLUMN: Final = frozenset({Rule.MEAN, Rule.TRIMMED_MEAN, Rule.MEDIAN})


def aggregate(
    vectors: Sequence[Int32s],
    weights: Sequence[int],
    *,
    rule: Rule = Rule.TRIMMED_MEAN,
    byzantine: int = 0,
    radius: int | None = None,
    execution: Execution = ALONE,
) -> Int32s:
    """Return the aggregate of the vectors, bit for bit the same wherever it is calculated.

    Args:
        vectors: 1 to `UPDATES_MAX`, each (coordinate,), int32, no coordinate -2**31.
        weights: one per vector, Q16, none negative, sum `ONE`.
        rule: the task's choice.
        byzantine: how many of the vectors are feared to be lies; fewer than there are vectors.
            The trimmed mean cuts their weight, were they the heaviest, or else a tenth.
        radius: of centred clipping, in the units of `norms`; without one it is the median norm,
            which half of zeros bring to nothing, so a round passes its clip.
        execution: who works through how many coordinates at a time.

    Raises:
        ValueError: an argument is not as above.
    """
    _check(vectors, weights, byzantine=byzantine)
    if rule in _BY_COLUMN:
        combine = _by_column(rule, weights, byzantine=byzantine)
    else:
        order = canonical_order(vectors, weights)
        vectors = [vectors[index] for index in order]
        weights = [weights[index] for index in order]
        gram = products(vectors, vectors, execution=execution)
        combine = _by_distance(rule, weights, gram=gram, byzantine=byzantine, radius=radius)
    aggregated = np.empty_like(vectors[0])

    def work(span: slice) -> None:
        aggregated[span] = combine([vector[span] for vector in vectors])

    for _ in execution.each(work, spans_of(len(aggregated), columns=execution.columns)):
        pass  # An executor's map raises what the work raised only where its results are read.
    return aggregated


def canonical_order(vectors: Sequence[Int32s], weights: Sequence[int]) -> list[int]:
    """Return the places of the updates, sorted by their coordinates and then by their weights.

    Updates that are still equal are interchangeable, so this order is one of contents alone.
    """

    def compare(one: int, other: int) -> int:
        for span in spans_of(len(vectors[one]), columns=_COMPARED):
            left, right = vectors[one][span], vectors[other][span]
            differs = left != right
            if differs.any():
                place = int(differs.argmax())
                return -1 if left[place] < right[place] else 1
        return weights[one] - weights[other]

    return sorted(range(len(vectors)), key=cmp_to_key(compare))


def _by_column(rule: Rule, weights: Sequence[int], *, byzantine: int) -> Combine:
    """Return what a rule does that looks at one coordinate at a time."""
    match rule:
        case Rule.MEAN:
            return partial(weighted_mean, weights=weights)
        case Rule.TRIMMED_MEAN:
            trim = trim_weight(weights, byzantine=byzantine)
            return partial(trimmed_mean, weights=weights, trim=trim)
        case _:
            return partial(weighted_median, weights=weights)


def _by_distance(
    rule: Rule, weights: Sequence[int], *, gram: Integers, byzantine: int, radius: int | None
) -> Combine:
    """Return what a rule does with columns once it has looked at whole vectors."""
    distances = squared_distances(gram)
    match rule:
        case Rule.KRUM:
            return itemgetter(krum_ranking(distances, byzantine=byzantine)[0])
        case Rule.NNM_TRIMMED:
            return partial(
                mixed_trimmed_mean,
                weights=weights,
                groups=neighbours(distances, byzantine=byzantine),
                trim=trim_weight(weights, byzantine=byzantine),
            )
        case Rule.MULTI_KRUM:
            found = multi_krum_weights(distances, weights, byzantine=byzantine)
        case Rule.GEOMETRIC_MEDIAN:
            found = geometric_median_weights(distances, weights)
        case _:
            reach = _median_norm(gram) if radius is None else radius
            found = centred_clip_weights(gram.tolist(), weights, radius=reach)
    return partial(weighted_mean, weights=found)


def _median_norm(gram: Integers) -> int:
    norms = [integer_sqrt(int(gram[index, index])) for index in range(len(gram))]
    return quantile(norms, numerator=1, denominator=2)


def _check(vectors: Sequence[Int32s], weights: Sequence[int], *, byzantine: int) -> None:
    if not 1 <= len(vectors) <= UPDATES_MAX:
        raise ValueError(f"{len(vectors)} vectors, not 1 to {UPDATES_MAX}")
    shape = vectors[0].shape
    for vector in vectors:
        if vector.dtype != np.int32 or len(shape) != 1 or vector.shape != shape:
            raise ValueError(f"a vector {vector.dtype}{vector.shape} beside int32{shape}")
    if len(weights) != len(vectors) or min(weights) < 0 or sum(weights) != ONE:
        raise ValueError(f"weights {weights} for {len(vectors)} vectors")
    if not 0 <= byzantine < len(vectors):
        raise ValueError(f"{byzantine} liars of {len(vectors)}")
