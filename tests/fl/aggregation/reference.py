"""The rules once more, slowly: lists, fractions and the definitions of the papers, no numpy.

Nothing here is shared with what it checks but the way weights are rounded to Q16 (`apportion`).
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from math import floor, isqrt, prod

from fl.rules.aggregation.outer import OuterOptimizer, OuterRule
from fl.rules.aggregation.rule import Rule
from fl.rules.select import apportion
from primitives.order import weighted_median as lower_median

ONE = 2**16
Vector = Sequence[int]


def nearest(value: Fraction) -> int:
    """Round to the nearest, halves up."""
    return floor(value + Fraction(1, 2))


def aggregate(
    vectors: Sequence[Vector],
    weights: Sequence[int],
    *,
    rule: Rule,
    byzantine: int,
    radius: int | None = None,
) -> list[int]:
    given = (vectors, weights)
    norms = sorted(map(norm, vectors))
    reach = norms[(len(norms) + 1) // 2 - 1] if radius is None else radius
    by_rule: dict[Rule, Callable[[], list[int]]] = {
        Rule.MEAN: lambda: mean(*given),
        Rule.TRIMMED_MEAN: lambda: trimmed(*given, byzantine=byzantine),
        Rule.MEDIAN: lambda: median(*given),
        Rule.KRUM: lambda: krum(vectors, byzantine=byzantine),
        Rule.MULTI_KRUM: lambda: multi_krum(*given, byzantine=byzantine),
        Rule.NNM_TRIMMED: lambda: nnm(*given, byzantine=byzantine),
        Rule.GEOMETRIC_MEDIAN: lambda: geometric_median(*given),
        Rule.CENTRED_CLIP: lambda: centred_clip(*given, radius=reach),
    }
    return by_rule[rule]()


def mean(vectors: Sequence[Vector], weights: Sequence[int]) -> list[int]:
    return [
        nearest(Fraction(sum(w * q for w, q in zip(weights, column, strict=True)), ONE))
        for column in zip(*vectors, strict=True)
    ]


def trimmed(vectors: Sequence[Vector], weights: Sequence[int], *, byzantine: int) -> list[int]:
    """Average each column's quantile function between the trim and its mirror image."""
    feared = sum(sorted(weights)[len(weights) - byzantine :])
    trim = min(max(6_553, feared), ONE // 2 - 1)
    return [_trimmed_column(column, weights, trim) for column in zip(*vectors, strict=True)]


def _trimmed_column(column: Sequence[int], weights: Sequence[int], trim: int) -> int:
    steps = sorted(zip(column, weights, strict=True))
    ends = list(accumulate(weight for _, weight in steps))
    total = 0
    for (value, weight), end in zip(steps, ends, strict=True):
        inside = min(end, ONE - trim) - max(end - weight, trim)
        total += value * max(0, inside)
    return nearest(Fraction(total, ONE - 2 * trim))


def median(vectors: Sequence[Vector], weights: Sequence[int]) -> list[int]:
    found = []
    for column in zip(*vectors, strict=True):
        low = lower_median(column, weights)
        high = -lower_median([-value for value in column], weights)
        found.append(nearest(Fraction(low + high, 2)))
    return found


def krum(vectors: Sequence[Vector], *, byzantine: int) -> list[int]:
    return list(_by_krum([(vector, 0) for vector in vectors], byzantine)[0][0])


def multi_krum(vectors: Sequence[Vector], weights: Sequence[int], *, byzantine: int) -> list[int]:
    ranked = _by_krum(list(zip(vectors, weights, strict=True)), byzantine)
    chosen = sorted(ranked[: max(1, len(vectors) - byzantine)])
    shares = [weight for _, weight in chosen]
    parts = apportion(ONE, shares if any(shares) else [1] * len(shares))
    return mean([vector for vector, _ in chosen], parts)


def _by_krum(updates: Sequence[tuple[Vector, int]], byzantine: int) -> list[tuple[Vector, int]]:
    """Order vectors with weights by their Krum score; ties go to the least vector."""
    nearest_count = max(1, len(updates) - byzantine - 2)

    def score(index: int) -> int:
        others = [
            squared_distance(updates[index][0], other)
            for place, (other, _) in enumerate(updates)
            if place != index
        ]
        return sum(sorted(others)[:nearest_count])

    order = sorted(range(len(updates)), key=lambda index: (score(index), updates[index]))
    return [updates[index] for index in order]


def nnm(vectors: Sequence[Vector], weights: Sequence[int], *, byzantine: int) -> list[int]:
    ordered = sorted(zip(vectors, weights, strict=True))
    kept = max(1, len(ordered) - byzantine)
    mixed = []
    for vector, _ in ordered:
        near = sorted(
            range(len(ordered)),
            key=lambda place: (squared_distance(vector, ordered[place][0]), place),
        )
        columns = zip(*(ordered[place][0] for place in near[:kept]), strict=True)
        mixed.append([nearest(Fraction(sum(column), kept)) for column in columns])
    return trimmed(mixed, [weight for _, weight in ordered], byzantine=byzantine)


def geometric_median(vectors: Sequence[Vector], weights: Sequence[int]) -> list[int]:
    ordered = sorted(zip(vectors, weights, strict=True))
    given = [weight for _, weight in ordered]
    points = [shifted(vector) for vector, _ in ordered]
    found = given
    for _ in range(64):
        centre = _centre(points, found)
        distances = [_distance(point, centre) for point in points]
        found = apportion(
            ONE, [(w << 64) // max(6_553, d) for w, d in zip(given, distances, strict=True)]
        )
    return mean([vector for vector, _ in ordered], found)


def centred_clip(vectors: Sequence[Vector], weights: Sequence[int], *, radius: int) -> list[int]:
    """Move the centre as the paper does, each vector's part of it rounded down to Q16."""
    points = [shifted(vector) for vector in vectors]
    parts = [0] * len(points)
    for _ in range(5):
        centre = _centre(points, parts)
        factors = [min(ONE, radius * ONE // max(1, _distance(point, centre))) for point in points]
        moved = [Fraction(w * f, ONE * ONE) for w, f in zip(weights, factors, strict=True)]
        parts = [
            floor(ONE * (Fraction(part, ONE) * (1 - sum(moved)) + step))
            for part, step in zip(parts, moved, strict=True)
        ]
    return mean(vectors, parts)


def shifted(vector: Vector) -> list[int]:
    return [q // 256 for q in vector]


def squared_distance(one: Vector, other: Vector) -> int:
    return sum((a - b) ** 2 for a, b in zip(shifted(one), shifted(other), strict=True))


def norm(vector: Vector) -> int:
    return isqrt(sum(q * q for q in shifted(vector)))


def _centre(points: Sequence[Vector], parts: Sequence[int]) -> list[int]:
    """Return the weighted sum of the points: the centre times `ONE`."""
    return [
        sum(part * x for part, x in zip(parts, column, strict=True))
        for column in zip(*points, strict=True)
    ]


def _distance(point: Vector, centre: Sequence[int]) -> int:
    square = sum((ONE * x - c) ** 2 for x, c in zip(point, centre, strict=True))
    return isqrt(square // ONE**2)


def walk(optimizer: OuterOptimizer, deltas: Sequence[int]) -> list[int]:
    """Take the steps of one coordinate."""
    first = second = 0
    steps = []
    for delta in deltas:
        if optimizer.rule is OuterRule.PLAIN:
            step = half_up(optimizer.rate * delta)
        elif optimizer.rule is OuterRule.NESTEROV:
            first = half_up(optimizer.momentum * first) + delta
            step = half_up(optimizer.rate * (half_up(optimizer.momentum * first) + delta))
        else:
            old, new = optimizer.momentum, ONE - optimizer.momentum
            first = half_up(old * first + new * delta)
            old, new = optimizer.memory, ONE - optimizer.memory
            second = half_up(old * second + new * (delta // 256) ** 2)
            step = optimizer.rate * first // (isqrt(second) + optimizer.floor)
        steps.append(within(step))
    return steps


def half_up(product: int) -> int:
    return (product + 2**15) // 2**16


def projected(
    update: Vector, model: Vector, tensors: Sequence[tuple[str, Sequence[int]]]
) -> list[int]:
    """Return dB + (B + dB) dA A_0^T in the place of every B, and nothing in that of every A."""
    starts = dict(
        zip(
            (name for name, _ in tensors),
            accumulate((prod(shape) for _, shape in tensors), initial=0),
            strict=False,
        )
    )
    shapes = dict(tensors)

    def rows(vector: Vector, name: str) -> list[list[int]]:
        height, width = shapes[name]
        start = starts[name]
        return [list(vector[start + row * width :][:width]) for row in range(height)]

    step: list[int] = []
    for name in shapes:
        moved = rows(update, name)
        if name.endswith(".lora_A.weight"):
            step += [0] * sum(map(len, moved))
        elif name.endswith(".lora_B.weight"):
            down = name.replace(".lora_B.", ".lora_A.")
            up = [
                [within(old + new) for old, new in zip(*pair, strict=True)]
                for pair in zip(rows(model, name), moved, strict=True)
            ]
            turned = _turned(up, rows(update, down), rows(model, down))
            step += [
                within(one + other)
                for pair in zip(moved, turned, strict=True)
                for one, other in zip(*pair, strict=True)
            ]
        else:
            step += [number for row in moved for number in row]
    return step


def _turned(up: list[list[int]], down: list[list[int]], basis: list[list[int]]) -> list[list[int]]:
    """Return up down basis^T, of which each factor has its 15 highest bits alone."""
    (axes, lost), (rows, lost_rows), (left, lost_left) = map(_cut, (basis, down, up))
    inner, lost_inner = _cut([[_dot(row, axis) for axis in axes] for row in rows])
    bits = lost + lost_rows + lost_inner + lost_left
    columns = list(zip(*inner, strict=True))
    return [
        [within(nearest(Fraction(_dot(row, column) * 2**bits, 2**48))) for column in columns]
        for row in left
    ]


def _cut(matrix: list[list[int]]) -> tuple[list[list[int]], int]:
    """Return the 15 highest bits of a matrix, rounded, and how many bits are gone."""
    gone = max(0, max(abs(number) for row in matrix for number in row).bit_length() - 15)
    kept = [[nearest(Fraction(number, 2**gone)) for number in row] for row in matrix]
    return [[max(1 - 2**15, min(2**15 - 1, number)) for number in row] for row in kept], gone


def _dot(one: Vector, other: Vector) -> int:
    return sum(a * b for a, b in zip(one, other, strict=True))


def within(number: int) -> int:
    """Return the nearest coordinate."""
    return max(1 - 2**31, min(2**31 - 1, number))
