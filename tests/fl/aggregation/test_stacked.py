"""What a stack takes of an update: all that lies in the seeded rows, and never more than fits."""

import numpy as np
import pytest

from fl.rules.aggregation.stacked import check_stackable, projected
from fl.rules.update.errors import BadLayoutError
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import COORDINATE_MAX, Int32s

A, B, HEAD = "q.lora_A.weight", "q.lora_B.weight", "score.weight"
LAYOUT = TensorLayout.of([TensorSpec(A, (2, 6)), TensorSpec(B, (5, 2)), TensorSpec(HEAD, (3, 4))])
ONE = 1 << 24


def _model(up: int = 0) -> Int32s:
    model = np.full(LAYOUT.size, up, np.int32)
    model[LAYOUT.spans[A]] = np.eye(2, 6, dtype=np.int32).reshape(-1) * ONE
    return model


def _update(seed: int = 1) -> Int32s:
    dice = np.random.default_rng(seed)
    return dice.integers(-(1 << 23), 1 << 23, LAYOUT.size, dtype=np.int32)


def test_update_that_leaves_the_rows_alone_comes_back_as_it_is() -> None:
    update = _update()
    update[LAYOUT.spans[A]] = 0
    np.testing.assert_array_equal(projected(update, model=_model(777), layout=LAYOUT), update)


def test_head_moves_as_it_says_and_rows_not_at_all() -> None:
    update = _update()
    step = projected(update, model=_model(1 << 22), layout=LAYOUT)
    np.testing.assert_array_equal(step[LAYOUT.spans[HEAD]], update[LAYOUT.spans[HEAD]])
    assert not step[LAYOUT.spans[A]].any()


def test_rows_moved_within_themselves_become_a_step_of_the_other_factor() -> None:
    update = np.zeros(LAYOUT.size, np.int32)
    # A row doubles, so its column of B does, and one turns to where no row is, which is lost.
    update[LAYOUT.spans[A]][0] = ONE
    update[LAYOUT.spans[A]][6 + 5] = ONE
    step = projected(update, model=_model(3 << 20), layout=LAYOUT)[LAYOUT.spans[B]].reshape(5, 2)
    assert set(step[:, 0].tolist()) == {3 << 20}
    assert set(step[:, 1].tolist()) == {0}


def test_update_of_extremes_saturates_instead_of_wrapping() -> None:
    update = np.full(LAYOUT.size, COORDINATE_MAX, np.int32)
    step = projected(update, model=_model(COORDINATE_MAX), layout=LAYOUT)
    assert set(step[LAYOUT.spans[B]].tolist()) == {COORDINATE_MAX}


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ([TensorSpec(A, (2, 6))], "stands beside no B"),
        ([TensorSpec(B, (5, 2))], r"beside an A of shape \(\)"),
        ([TensorSpec(A, (3, 6)), TensorSpec(B, (5, 2))], r"beside an A of shape \(3, 6\)"),
        ([TensorSpec(A, (2, 6)), TensorSpec(B, (10,))], r"of shape \(10,\)"),
        ([TensorSpec(A, (257, 300)), TensorSpec(B, (2, 257))], "too large to stack"),
    ],
)
def test_factors_that_are_no_pairs_are_refused_by_name(
    tensors: list[TensorSpec], reason: str
) -> None:
    with pytest.raises(BadLayoutError, match=reason):
        check_stackable(TensorLayout.of(tensors))


def test_layout_of_pairs_and_heads_can_be_stacked() -> None:
    check_stackable(LAYOUT)
