"""Floats become integers once, exactly as specified, or are refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.training.errors import NotRepresentableError
from fl.training.fixed_point import FRACTION_BITS, LIMIT, dequantise, quantise

LAYOUT = TensorLayout.of([TensorSpec("down", (2, 2)), TensorSpec("up", (3,))])


def flat(**places: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.zeros(LAYOUT.size)
    for name, value in places.items():
        values[int(name.removeprefix("at_"))] = value
    return values


@given(st.lists(st.integers(-(2**24), 2**24), min_size=7, max_size=7))
@settings(max_examples=100, deadline=None)
def test_weights_up_to_one_survive_the_way_to_float_and_back(numbers: list[int]) -> None:
    fixed = np.array(numbers, np.int32)
    assert quantise(dequantise(fixed), LAYOUT).tolist() == numbers


@pytest.mark.parametrize(
    ("halves", "expected"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2)]
)
def test_ties_go_to_the_even_number(halves: int, expected: int) -> None:
    values = flat(at_4=np.ldexp(halves, -FRACTION_BITS - 1))
    assert quantise(values, LAYOUT)[4] == expected


def test_denormal_numbers_are_zero() -> None:
    assert quantise(flat(at_0=5e-324, at_1=-1e-40), LAYOUT).tolist() == [0] * 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 128.0, -128.0, 1e30])
@pytest.mark.parametrize(("place", "tensor", "index"), [(3, "down", 3), (4, "up", 0)])
def test_what_has_no_integer_is_refused_with_its_tensor(
    value: float, place: int, tensor: str, index: int
) -> None:
    with pytest.raises(NotRepresentableError, match=f"tensor {tensor}, element {index}: ") as no:
        quantise(flat(**{f"at_{place}": value}), LAYOUT)
    assert (no.value.tensor, no.value.index) == (tensor, index)


def test_the_largest_number_is_the_limit() -> None:
    largest = np.ldexp(LIMIT, -FRACTION_BITS)
    assert quantise(flat(at_0=largest, at_6=-largest), LAYOUT)[[0, 6]].tolist() == [LIMIT, -LIMIT]


def test_a_vector_of_another_size_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="for a layout of 7"):
        quantise(np.zeros(6), LAYOUT)
