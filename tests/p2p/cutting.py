"""Cuts a byte stream as a network may: what comes in one piece or in many must not matter."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from hypothesis import strategies as st

CUTS: Final = st.lists(st.integers(min_value=1, max_value=40), max_size=8)
"""Sizes of the first pieces; the last piece is what is left."""


def pieces(raw: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Yield the bytes in pieces of these sizes, and at last what is left; none is empty."""
    places = [place for place in accumulate(cuts) if place < len(raw)]
    for start, end in pairwise([0, *places, len(raw)]):
        if start < end:
            yield raw[start:end]
