"""Vectors, weights and threads for tests of aggregation."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st

from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from fl.rules.update.spans import Execution

EXTREMES = (COORDINATE_MAX, -COORDINATE_MAX, 0, 1, -1, 2**16, -(2**16), 2**16 - 1, 255, -257)

coordinates = st.one_of(
    st.sampled_from(EXTREMES),
    st.integers(-1_000, 1_000),
    st.integers(-COORDINATE_MAX, COORDINATE_MAX),
)


@st.composite
def rounds(draw: st.DrawFn, *, count_max: int = 12) -> tuple[list[list[int]], list[int]]:
    """Draw vectors of one length with weights; some of either are equal."""
    count = draw(st.integers(1, count_max))
    size = draw(st.integers(1, 6))
    vectors = draw(
        st.lists(
            st.lists(coordinates, min_size=size, max_size=size), min_size=count, max_size=count
        )
    )
    if count > 2 and draw(st.booleans()):
        vectors[1] = vectors[0]
    shares = draw(
        st.lists(st.integers(0, 5) | st.integers(1, 10**6), min_size=count, max_size=count)
    )
    return vectors, apportion(ONE, shares if any(shares) else [1] * count)


def arrays(vectors: Sequence[Sequence[int]]) -> list[Int32s]:
    """Return the vectors as the rules take them."""
    return [np.array(vector, dtype=np.int32) for vector in vectors]


def seeded_round(
    seed: int, *, count: int = 12, size: int = 2_000
) -> tuple[list[Int32s], list[int]]:
    """Return a round of vectors of every size of number, with uneven weights."""
    dice = np.random.default_rng(seed)
    wide = dice.integers(-COORDINATE_MAX, COORDINATE_MAX, (count, size), endpoint=True)
    vectors = (wide >> dice.integers(0, 31, (count, size))).astype(np.int32)
    shares = [int(share) for share in dice.integers(1, 1_000, count)]
    return list(vectors), apportion(ONE, shares)


@contextmanager
def threads(count: int, *, columns: int) -> Iterator[Execution]:
    """Share spans of so many columns among threads."""
    with ThreadPoolExecutor(count) as pool:
        yield Execution(columns=columns, each=pool.map)


def shuffled_aggregate(
    vectors: Sequence[Int32s],
    weights: Sequence[int],
    *,
    rule: Rule,
    byzantine: int,
    dice: random.Random,
) -> Int32s:
    """Aggregate in a random order, by random threads, in spans of a random size."""
    order = dice.sample(range(len(vectors)), len(vectors))
    columns = dice.choice((1, 7, 64, 333, 1_000, 1 << 18))
    size = len(vectors[0])
    with threads(dice.randint(1, 4), columns=max(columns, size // 20)) as execution:
        return aggregate(
            [vectors[index] for index in order],
            [weights[index] for index in order],
            rule=rule,
            byzantine=byzantine,
            execution=execution,
        )
