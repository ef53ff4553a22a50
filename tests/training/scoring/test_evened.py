"""How much each example of a validator weighs in its scores."""

import numpy as np
import pytest

from fl.training.scoring.terms import FEW, evened


@pytest.mark.parametrize(
    ("tau", "common", "rare"), [(0.0, 1 / 40, 1 / 40), (0.5, 1 / 48, 1 / 16), (1.0, 1 / 72, 1 / 8)]
)
def test_class_weighs_by_its_examples_to_the_power_of_one_less_tau(
    tau: float, common: float, rare: float
) -> None:
    assert np.allclose(evened(np.array([0] * 36 + [1] * 4), tau=tau), [common] * 36 + [rare] * 4)


def test_single_text_of_a_class_is_not_heard_for_all_of_it() -> None:
    weights = evened(np.array([0] * 47 + [1]), tau=0.75)
    assert weights[-1] < 0.12
    assert np.allclose(evened(np.array([0] * 47 + [1] * FEW), tau=1.0)[-FEW:].sum(), 1 / 2)


def test_one_class_weighs_evenly_and_none_not_at_all() -> None:
    assert np.allclose(evened(np.array([3] * 4), tau=1.0), 1 / 4)
    assert evened(np.array([], dtype=np.int64), tau=1.0).size == 0
