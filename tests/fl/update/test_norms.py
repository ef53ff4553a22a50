"""Norms and clipping beside Python integers."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.rules.limits import ONE
from fl.rules.update.norms import NORM_ONE, clip, norm, norm_squared, scale
from fl.rules.update.products import SUM_COORDINATES, products, squared_distances
from fl.rules.update.rows import COORDINATE_MAX
from fl.rules.update.spans import Execution, spans_of
from tests.fl.update.cast import seeded_vector, vectors

size_limits = st.integers(0, 2**40)


def test_the_norm_of_one_is_one() -> None:
    vector = np.array([0, 2**24, 0], dtype=np.int32)
    assert norm(vector) == NORM_ONE


@given(vectors())
@settings(max_examples=40, deadline=None)
def test_a_norm_is_that_of_python_integers(vector: np.typing.NDArray[np.int32]) -> None:
    square = sum((number >> 8) ** 2 for number in vector.tolist())
    assert norm_squared(vector) == square
    assert norm(vector) == isqrt(square)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_of_the_greatest_squares_does_not_wrap(sign: int) -> None:
    vector = np.full(3 * SUM_COORDINATES + 1, sign * COORDINATE_MAX, dtype=np.int32)
    one = (sign * COORDINATE_MAX >> 8) ** 2
    assert one * SUM_COORDINATES > 2**61
    assert norm_squared(vector) == one * len(vector)
    gram = products([vector, -vector], [vector, -vector])
    assert gram[0, 0] == one * len(vector)
    other = (-sign * COORDINATE_MAX >> 8) ** 2
    assert gram[1, 1] == other * len(vector)
    between = (sign * COORDINATE_MAX >> 8) * (-sign * COORDINATE_MAX >> 8)
    assert gram[0, 1] == gram[1, 0] == between * len(vector)


@pytest.mark.parametrize("columns", [1, 7, 4_096, 2**18])
def test_products_do_not_depend_on_spans(columns: int) -> None:
    vectors_given = [seeded_vector(seed=seed) for seed in range(4)]
    found = products(vectors_given, vectors_given[1:], execution=Execution(columns=columns))
    for row, left in enumerate(vectors_given):
        for column, right in enumerate(vectors_given[1:]):
            pairs = zip(left.tolist(), right.tolist(), strict=True)
            assert found[row, column] == sum((a >> 8) * (b >> 8) for a, b in pairs)


def test_products_of_nothing_are_nothing() -> None:
    assert products([], []).shape == (0, 0)
    assert squared_distances(products([], [])) == []


@given(vectors(), size_limits)
@settings(max_examples=40, deadline=None)
def test_a_clipped_vector_is_scaled_to_the_limit(
    vector: np.typing.NDArray[np.int32], limit: int
) -> None:
    size = norm(vector)
    found = clip(vector, limit=limit).tolist()
    if size <= limit:
        assert found == vector.tolist()
    else:
        factor = limit * ONE // size
        assert found == [(number * factor + 2**15) // 2**16 for number in vector.tolist()]


@given(vectors(), size_limits)
@settings(max_examples=40, deadline=None)
def test_a_clipped_norm_exceeds_the_limit_by_rounding_alone(
    vector: np.typing.NDArray[np.int32], limit: int
) -> None:
    assert norm(clip(vector, limit=limit)) <= limit + isqrt(len(vector)) + 1


@pytest.mark.parametrize("factor", [-1, ONE + 1])
def test_a_factor_that_could_overflow_is_refused(factor: int) -> None:
    with pytest.raises(ValueError, match="factor"):
        scale(seeded_vector(), factor=factor)


def test_extremes_are_scaled_without_wrapping() -> None:
    vector = np.array([COORDINATE_MAX, -COORDINATE_MAX], dtype=np.int32)
    assert scale(vector, factor=ONE).tolist() == vector.tolist()
    assert scale(vector, factor=0).tolist() == [0, 0]
    assert scale(vector, factor=ONE // 2).tolist() == [2**30, -(2**30) + 1]


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="spans of 0"):
        spans_of(5, columns=0)
