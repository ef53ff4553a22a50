"""How much each example of a validator weighs in its scores."""

import numpy as np

from fl.training.scoring.terms import evened


def test_class_weighs_by_the_root_of_its_examples() -> None:
    assert np.allclose(evened(np.array([0] * 9 + [1])), [1 / 12] * 9 + [1 / 4])


def test_one_class_weighs_evenly_and_none_not_at_all() -> None:
    assert np.allclose(evened(np.array([3] * 4)), 1 / 4)
    assert evened(np.array([], dtype=np.int64)).size == 0
