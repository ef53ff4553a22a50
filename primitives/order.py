"""Order statistics and roots over integers, so that every machine gets the same result.

No float enters: halves are compared by doubling, ranks are rounded by integer division.
Violated preconditions raise `ValueError`, because only our own code calls this with checked values.
"""

import math
from collections.abc import Sequence
from itertools import accumulate


def weighted_median(values: Sequence[int], weights: Sequence[int]) -> int:
    """Return the lower weighted median.

    It is the least value such that the values up to it carry at least half of the weight; with
    honest weight above half, it lies between two honest values.

    Args:
        values: in any order.
        weights: one per value, none negative, not all zero.

    Raises:
        ValueError: a weight is missing, left over or negative, or the total is zero.
    """
    if len(values) != len(weights):
        raise ValueError(f"{len(values)} values but {len(weights)} weights")
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative")
    weight_total = sum(weights)
    if weight_total == 0:
        raise ValueError("the total weight is zero")
    ranked = sorted(zip(values, weights, strict=True))
    weights_so_far = accumulate(weight for _, weight in ranked)
    return next(
        value
        for (value, _), weight_so_far in zip(ranked, weights_so_far, strict=True)
        if 2 * weight_so_far >= weight_total
    )


def quantile(values: Sequence[int], *, numerator: int, denominator: int) -> int:
    """Return the nearest-rank quantile: the least value that this share of the values is at most.

    Args:
        values: in any order, at least one.
        numerator: of the share; 0 gives the least value.
        denominator: of the share; equal to the numerator it gives the greatest value.

    Raises:
        ValueError: no values, or a share outside 0 to 1.
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= numerator <= denominator or denominator == 0:
        raise ValueError(f"the share {numerator}/{denominator} is outside 0 to 1")
    rank = -(-len(values) * numerator // denominator)
    return sorted(values)[max(rank, 1) - 1]


def mul_div_floor(multiplicand: int, multiplier: int, divisor: int) -> int:
    """Return the product over the divisor, rounded down, also below zero.

    Raises:
        ValueError: the divisor is not positive.
    """
    if divisor <= 0:
        raise ValueError(f"the divisor {divisor} is not positive")
    return multiplicand * multiplier // divisor


def integer_sqrt(value: int) -> int:
    """Return the greatest integer whose square is at most the value.

    Raises:
        ValueError: the value is negative.
    """
    return math.isqrt(value)
