"""The outer optimisers beside a loop over Python integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.rules.aggregation.outer import (
    MOMENTUM_MAX,
    RATE_MAX,
    OuterOptimizer,
    OuterRule,
    apply,
    read_state,
)
from fl.rules.limits import ONE
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.errors import MalformedBytesError
from tests.fl.aggregation.cast import coordinates
from tests.fl.aggregation.reference import walk

DILOCO = OuterOptimizer(rule=OuterRule.NESTEROV, rate=45_875, momentum=58_982)
OPTIMIZERS = {
    "plain": OuterOptimizer(),
    "plain, slow": OuterOptimizer(rate=6_554),
    "diloco": DILOCO,
    "nesterov at its limits": OuterOptimizer(
        rule=OuterRule.NESTEROV, rate=RATE_MAX, momentum=MOMENTUM_MAX
    ),
    "fedadam": OuterOptimizer(rule=OuterRule.FEDADAM, rate=655),
    "fedadam at its limits": OuterOptimizer(
        rule=OuterRule.FEDADAM, rate=RATE_MAX, momentum=MOMENTUM_MAX, memory=ONE - 1, floor=1
    ),
}

over_optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def vector(*values: int) -> Int32s:
    return np.array(values, dtype=np.int32)


@over_optimizers
@given(st.lists(coordinates, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_steps_are_those_of_python_integers(optimizer: OuterOptimizer, deltas: list[int]) -> None:
    state = optimizer.start(1)
    for delta, right in zip(deltas, walk(optimizer, deltas), strict=True):
        step = optimizer.step(state, vector(delta))
        state = step.state
        assert step.applied.tolist() == [right]


@over_optimizers
@pytest.mark.parametrize("signs", [(1,), (-1,), (1, -1)])
def test_a_thousand_extreme_deltas_do_not_wrap(
    optimizer: OuterOptimizer, signs: tuple[int, ...]
) -> None:
    deltas = [signs[place % len(signs)] * COORDINATE_MAX for place in range(1_000)]
    state = optimizer.start(1)
    for delta, right in zip(deltas, walk(optimizer, deltas), strict=True):
        step = optimizer.step(state, vector(delta))
        state = step.state
        assert step.applied.tolist() == [right]


def test_a_rate_of_one_applies_the_delta_itself() -> None:
    delta = vector(5, -7, COORDINATE_MAX)
    optimizer = OuterOptimizer()
    assert optimizer.step(optimizer.start(3), delta).applied.tolist() == delta.tolist()


@over_optimizers
def test_a_state_comes_back_from_its_bytes(optimizer: OuterOptimizer) -> None:
    state = optimizer.step(optimizer.start(3), vector(1, -(2**30), 2**20)).state
    read = read_state(state.encode(), optimizer=optimizer, size=3)
    assert read.encode() == state.encode()
    delta = vector(3, 4, 5)
    assert np.array_equal(optimizer.step(read, delta).applied, optimizer.step(state, delta).applied)


def test_a_state_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedBytesError, match="8 bytes, not 24"):
        read_state(bytes(8), optimizer=DILOCO, size=3)


def test_a_model_stays_within_what_can_be_negated() -> None:
    found = apply(vector(COORDINATE_MAX, -COORDINATE_MAX, 1), vector(9, -9, 1))
    assert found.tolist() == [COORDINATE_MAX, -COORDINATE_MAX, 2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", -1),
        ("rate", RATE_MAX + 1),
        ("momentum", MOMENTUM_MAX + 1),
        ("memory", ONE),
        ("floor", 0),
    ],
)
def test_constants_out_of_bounds_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        OuterOptimizer(**{name: value})  # type: ignore[arg-type]
