"""A constant has one encoding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm.constants import ConstantValue, constant_value, make_constant
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.module import Constant
from node.vm.rejection import InvalidModuleError
from node.vm.types import ADDRESS, BYTES, FIXED, INT, STR, TypeIndex

few = settings(deadline=None, max_examples=100, database=None)


@few
@given(
    st.one_of(
        st.tuples(st.integers(INT_MIN, INT_MAX), st.sampled_from((INT, FIXED))),
        st.tuples(st.binary(max_size=99), st.just(BYTES)),
        st.tuples(st.binary(min_size=32, max_size=32), st.just(ADDRESS)),
        st.tuples(st.text(max_size=99), st.just(STR)),
    )
)
def test_constant_comes_back(drawn: tuple[ConstantValue, TypeIndex]) -> None:
    value, type_index = drawn
    assert constant_value(make_constant(value, type_index)) == value


@few
@given(st.binary(max_size=40), st.sampled_from((INT, STR)))
def test_no_other_bytes_are_the_same_constant(raw: bytes, type_index: TypeIndex) -> None:
    constant = Constant(type_index, raw)
    try:
        value = constant_value(constant)
    except InvalidModuleError:
        return
    assert make_constant(value, type_index) == constant


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (0, b""),
        (1, b"\x01"),
        (-1, b"\xff"),
        (127, b"\x7f"),
        (128, b"\x00\x80"),
        (-128, b"\x80"),
        (-129, b"\xff\x7f"),
        (INT_MAX, b"\x7f" + b"\xff" * 31),
        (INT_MIN, b"\x80" + bytes(31)),
    ],
)
def test_integer_takes_the_fewest_bytes(value: int, raw: bytes) -> None:
    assert make_constant(value, INT).value == raw
