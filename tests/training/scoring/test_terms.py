import numpy as np
import pytest

from fl.rules.limits import SCORE_MAX, SCORE_MIN
from fl.rules.update.norms import NORM_ONE, norm_squared
from fl.training.scoring.terms import LOSS_MAX, bounded, penalised, quantum, standard_error


@pytest.mark.parametrize(
    ("nats", "quanta"),
    [(0.0, 0), (0.0001, 1), (-0.00016, -2), (0.5, 5_000), (1e9, SCORE_MAX), (-1e9, SCORE_MIN)],
)
def test_scores_are_whole_hundreds_of_micronats_within_int32(nats: float, quanta: int) -> None:
    assert quantum(nats) == quanta


def test_losses_that_are_no_numbers_become_the_greatest() -> None:
    odd = np.array([1.5, np.nan, np.inf, -np.inf, 3e38], np.float32)
    assert bounded(odd).tolist() == [1.5, LOSS_MAX, LOSS_MAX, LOSS_MAX, LOSS_MAX]
    assert abs(quantum(2 * LOSS_MAX)) < SCORE_MAX


def test_penalty_is_rho_for_a_squared_norm_of_one() -> None:
    update = np.array([1 << 24, 1 << 24], np.int32)
    assert norm_squared(update) == 2 * NORM_ONE**2
    assert penalised(100, norm_squared=norm_squared(update), penalty=30) == 40
    assert penalised(0, norm_squared=2**62, penalty=2**20) == SCORE_MIN


def test_standard_error_is_that_of_the_mean() -> None:
    dice = np.random.RandomState(3)
    spread, count = 0.15, 4_000
    errors = [standard_error(dice.normal(0.01, spread, count)) for _ in range(40)]
    # sigma / sqrt(n) = 0.00237 nat = 23.7 quanta.
    assert 20 < np.mean(errors) < 28


def test_standard_error_of_one_example_is_unknown() -> None:
    assert standard_error(np.array([0.5])) == SCORE_MAX
