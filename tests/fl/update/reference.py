"""Blobs once more, slowly: `int.from_bytes`, msgpack and lists, no numpy and none of our codec."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

import msgpack

MANTISSA_MAX = {1: 127, 2: 32_767}
EXPONENT_MAX = {1: 24, 2: 16}
VALID, MALFORMED, REPLAY = 0, 1, 2


def decoded(raw: bytes) -> list[int]:
    """Return the vector of a well-formed blob."""
    assert raw[:4] == b"HNSU"
    header_end = 8 + int.from_bytes(raw[4:8], "little")
    _, _, width, packing, _, _, kept, (tensors,) = msgpack.unpackb(raw[8:header_end])
    rows = row_sizes(tensors)
    exponents = [0] * len(rows)
    at = header_end
    if width < 4:
        exponents = list(raw[at : at + len(rows)])
        at += len(rows)
    places = list(range(sum(rows)))
    if packing == "sparse":
        places = numbers(raw[at : at + 4 * kept], 4, signed=False)
        at += 4 * kept
    vector = [0] * sum(rows)
    for place, mantissa in zip(places, numbers(raw[at:], width, signed=True), strict=True):
        vector[place] = mantissa
    powers = [exponent for exponent, size in zip(exponents, rows, strict=True) for _ in range(size)]
    return [mantissa * 2**power for mantissa, power in zip(vector, powers, strict=True)]


def row_sizes(tensors: list[Any]) -> list[int]:
    sizes: list[int] = []
    for _, shape in tensors:
        count = 1
        for extent in shape[:-1]:
            count *= extent
        sizes += [shape[-1]] * count
    return sizes


def numbers(raw: bytes, width: int, *, signed: bool) -> list[int]:
    return [
        int.from_bytes(raw[at : at + width], "little", signed=signed)
        for at in range(0, len(raw), width)
    ]


def rounded_row(row: list[int], width: int) -> list[int]:
    """Return the nearest row that a mantissa width can write, trying exponents from 0 on."""
    most = MANTISSA_MAX[width]
    for exponent in range(EXPONENT_MAX[width] + 1):
        # Python rounds halves to even.
        mantissas = [round(Fraction(number, 2**exponent)) for number in row]
        if max(map(abs, mantissas)) <= most:
            return [mantissa * 2**exponent for mantissa in mantissas]
    top = EXPONENT_MAX[width]
    return [max(-most, min(most, round(Fraction(number, 2**top)))) * 2**top for number in row]


def rounded(vector: list[int], sizes: list[int], width: int) -> list[int]:
    found: list[int] = []
    for size in sizes:
        found += rounded_row(vector[len(found) : len(found) + size], width)
    return found


def tagged(tag: str, message: bytes) -> bytes:
    start = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(start + start + message).digest()


def facts(
    updates: Sequence[list[int] | None],
    *,
    deltas: Sequence[list[int]],
    earlier: Sequence[tuple[list[int], int]],
) -> list[list[int]]:
    """Return verdict, original, cluster and norm of each, by the definitions."""
    points = {place: shifted(one) for place, one in enumerate(updates) if one is not None}
    leaders = clusters(points)
    found = []
    for place, one in enumerate(updates):
        if one is None:
            found.append([MALFORMED, place, place, 0])
            continue
        point = points[place]
        is_replay = any(is_multiple(point, shifted(delta)) for delta in deltas[-8:])
        for old, own in earlier:
            is_same = is_near if own == place else is_multiple
            is_replay |= is_same(point, shifted(old))
        original = updates.index(one) if any(point) else place
        size = isqrt(dot(point, point))
        found.append([REPLAY if is_replay else VALID, original, leaders[place], size])
    return found


def clusters(points: dict[int, list[int]]) -> dict[int, int]:
    """Return for each update the least one that a chain of near pairs leads to."""
    moving = {place: point for place, point in points.items() if any(point)}
    similar = {one: cosines_of(one, points) for one in points}
    leaders = {place: place for place in points}
    for one, other in ((one, other) for one in moving for other in moving if one < other):
        cosine = similar[one][other]
        stands_out = cosine > limit(similar[one]) and cosine > limit(similar[other])
        if stands_out or is_near(points[one], points[other]):
            least, greatest = sorted((leaders[one], leaders[other]))
            leaders = {place: least if at == greatest else at for place, at in leaders.items()}
    return leaders


def cosines_of(one: int, points: dict[int, list[int]]) -> dict[int, int]:
    """Return the Q16 cosines of a vector with all others, the mean of all taken off."""
    count = len(points)
    sums = [sum(column) for column in zip(*points.values(), strict=True)]
    rest = {
        place: [count * number - total for number, total in zip(point, sums, strict=True)]
        for place, point in points.items()
    }
    found = {}
    for other in points.keys() - {one}:
        squares = dot(rest[one], rest[one]) * dot(rest[other], rest[other])
        found[other] = dot(rest[one], rest[other]) * 2**16 // isqrt(squares) if squares else 0
    return found


def limit(cosines: dict[int, int]) -> int:
    """Return three quarters, or eight standard deviations above the median of the cosines."""
    middle = lower_median(list(cosines.values()))
    spread = max(64, lower_median([abs(cosine - middle) for cosine in cosines.values()]))
    return max(2**16 * 3 // 4, middle + 8 * spread * 14_826 // 10_000)


def is_near(one: list[int], other: list[int]) -> bool:
    """Tell whether the distance is within a sixteenth of both norms."""
    between = [a - b for a, b in zip(one, other, strict=True)]
    lesser = min(dot(one, one), dot(other, other))
    return lesser > 0 and 16**2 * dot(between, between) <= lesser


def is_multiple(one: list[int], other: list[int]) -> bool:
    """Tell whether the nearest positive multiple of the other is within a sixteenth of the norm."""
    product, square = dot(one, other), dot(other, other)
    if product <= 0:
        return False
    factor = Fraction(product, square)
    rest = [a - factor * b for a, b in zip(one, other, strict=True)]
    return 16**2 * sum(number**2 for number in rest) <= dot(one, one)


def lower_median(numbers: list[int]) -> int:
    return sorted(numbers)[(len(numbers) + 1) // 2 - 1]


def shifted(vector: Sequence[int]) -> list[int]:
    return [number // 2**8 for number in vector]


def dot(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(one, other, strict=True))
