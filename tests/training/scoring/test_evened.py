"""How much each example of a validator weighs in its scores."""

import numpy as np
import pytest

from fl.training.scoring.terms import evened


@pytest.mark.parametrize(
    ("tau", "common", "rare"), [(0.0, 1 / 10, 1 / 10), (0.5, 1 / 12, 1 / 4), (1.0, 1 / 18, 1 / 2)]
)
def test_class_weighs_by_its_examples_to_the_power_of_one_less_tau(
    tau: float, common: float, rare: float
) -> None:
    assert np.allclose(evened(np.array([0] * 9 + [1]), tau=tau), [common] * 9 + [rare])


def test_one_class_weighs_evenly_and_none_not_at_all() -> None:
    assert np.allclose(evened(np.array([3] * 4), tau=1.0), 1 / 4)
    assert evened(np.array([], dtype=np.int64), tau=1.0).size == 0
