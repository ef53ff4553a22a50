"""Blobs once more, slowly: `int.from_bytes`, msgpack and lists, no numpy and none of our codec."""

import hashlib
from fractions import Fraction
from typing import Any

import msgpack

MANTISSA_MAX = {1: 127, 2: 32_767}
EXPONENT_MAX = {1: 24, 2: 16}


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
