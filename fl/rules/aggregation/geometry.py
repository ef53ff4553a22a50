"""Rules that look at distances between whole updates.

They need the vectors twice: once for all inner products, which are exact Python integers, and once
to combine columns with what follows from the distances. What lies between is small and done on
integers of any size, so iterations never touch the vectors again: the distance of an update to a
weighted mean follows from the distances between updates,

    |u_i - sum c_j u_j|**2 = sum_j c_j D_ij - 1/2 sum_jk c_j c_k D_jk    where sum c_j = 1.

Ties go to the update that is first in canonical order, which is an order of contents.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Final

from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.norms import NORM_ONE

Distances = Sequence[Sequence[int]]
"""Squared, symmetric, zero on the diagonal."""

SMOOTHING: Final = NORM_ONE // 10
"""The least distance that the geometric median divides by, 0.1: RFA and ByzFL."""

MEDIAN_ITERATIONS: Final = 64
"""With 45 % of liars far away each takes off about a fifth of the error; none touches a vector."""

CLIPPING_ITERATIONS: Final = 5


def krum_ranking(distances: Distances, *, byzantine: int) -> list[int]:
    """Return the updates by their summed squared distances to their nearest ones, least first.

    Breakdown point: selects an honest neighbourhood while count > 2 byzantine + 2. At half liars it
    is lost, and under ALIE and IPM much earlier.
    Source: Blanchard et al. 2017, "Machine learning with adversaries", arXiv:1703.02757.
    """
    count = len(distances)
    nearest = max(1, count - byzantine - 2)
    # Each row holds its own zero distance, which is always among the least.
    scores = [sum(sorted(row)[: nearest + 1]) for row in distances]
    return sorted(range(count), key=lambda index: (scores[index], index))


def multi_krum_weights(
    distances: Distances, weights: Sequence[int], *, byzantine: int
) -> list[int]:
    """Return Q16 weights, in proportion to the given ones, of all but the worst by Krum's score.

    As many are dropped as liars are feared. Breakdown point and source: those of Krum.
    """
    count = len(distances)
    chosen = sorted(krum_ranking(distances, byzantine=byzantine)[: max(1, count - byzantine)])
    shares = [weights[index] for index in chosen]
    parts = apportion(ONE, shares if sum(shares) else [1] * len(shares))
    found = [0] * count
    for index, part in zip(chosen, parts, strict=True):
        found[index] = part
    return found


def neighbours(distances: Distances, *, byzantine: int) -> list[list[int]]:
    """Return for each update the nearest ones with itself, all but as many as liars are feared.

    Averaging each update with its neighbours before a robust rule brings the honest ones together,
    which is what unlike samples pull apart: the trimmed mean after it reaches the optimal order of
    error for up to half liars.
    Source: Allouah et al. 2023, "Fixing by mixing", arXiv:2302.01772 (NNM).
    """
    count = len(distances)
    kept = max(1, count - byzantine)
    return [
        sorted(sorted(range(count), key=lambda other: (row[other], other))[:kept])
        for row in distances
    ]


def geometric_median_weights(distances: Distances, weights: Sequence[int]) -> list[int]:
    """Return Q16 weights whose mean is near the point with the least weighted sum of distances.

    Smoothed Weiszfeld: each iteration divides the weight of an update by its distance to the mean
    before.
    Breakdown point: half of the weight.
    Source: Pillutla et al. 2022, arXiv:1912.13445 (RFA).
    """
    found = list(weights)
    for _ in range(MEDIAN_ITERATIONS):
        spread = sum(
            mine * sum(c * square for c, square in zip(found, row, strict=True))
            for mine, row in zip(found, distances, strict=True)
        )
        shares = []
        for weight, row in zip(weights, distances, strict=True):
            doubled = 2 * ONE * sum(c * square for c, square in zip(found, row, strict=True))
            distance = isqrt((doubled - spread) // (2 * ONE * ONE))
            shares.append((weight << 64) // max(SMOOTHING, distance))
        before, found = found, apportion(ONE, shares)
        if found == before:
            break
    return found


def centred_clip_weights(
    products: Sequence[Sequence[int]], weights: Sequence[int], *, radius: int
) -> list[int]:
    """Return Q16 weights; what they lack of `ONE` belongs to the zero vector, the first centre.

    Five times, the centre moves by the weighted mean of the differences to it, each no longer than
    the radius. Breakdown point: half of the weight; liars with a share of it move the centre by at
    most that share of the radius in each iteration, so the radius comes from accepted history.
    Source: Karimireddy et al. 2021, arXiv:2012.10333 (centred clipping).

    Args:
        products: inner products of the updates with each other.
        weights: Q16, none negative, sum `ONE`.
        radius: as norms are measured, at least one.
    """
    found = [0] * len(weights)
    for _ in range(CLIPPING_ITERATIONS):
        centre = [sum(c * int(p) for c, p in zip(found, row, strict=True)) for row in products]
        size = sum(c * product for c, product in zip(found, centre, strict=True))
        moved = []
        for index, weight in enumerate(weights):
            doubled = int(products[index][index]) * ONE * ONE - 2 * ONE * centre[index] + size
            distance = isqrt(doubled // (ONE * ONE))
            moved.append(weight * min(ONE, radius * ONE // max(1, distance)))
        staying = ONE * ONE - sum(moved)
        found = [
            (c * staying + ONE * step) // (ONE * ONE) for c, step in zip(found, moved, strict=True)
        ]
    return found
