"""How far liars move each rule: at most as far as its breakdown point promises."""

import numpy as np
import pytest

from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.norms import norm
from fl.rules.update.rows import COORDINATE_MAX, Int32s

COUNT = 20
SIZE = 400
EVEN = apportion(ONE, [1] * COUNT)


def honest(count: int) -> list[Int32s]:
    """Return noise of about 0.06 round a mean of 1/4."""
    dice = np.random.default_rng(7)
    return list((dice.normal(2**22, 2**20, (count, SIZE))).astype(np.int32))


def with_liars(liars: int) -> list[Int32s]:
    far = np.full(SIZE, -COORDINATE_MAX, dtype=np.int32)
    return [*honest(COUNT - liars), *[far] * liars]


def error(rule: Rule, liars: int, *, radius: int | None = None) -> int:
    """Return how far the aggregate is from the honest mean, as norms are measured."""
    vectors = with_liars(liars)
    found = aggregate(vectors, EVEN, rule=rule, byzantine=liars, radius=radius)
    truth = np.mean(vectors[: COUNT - liars], axis=0)
    return norm((found - truth).astype(np.int32))


@pytest.mark.parametrize("liars", [2, 6, 9])
@pytest.mark.parametrize(
    "rule",
    [
        Rule.TRIMMED_MEAN,
        Rule.MEDIAN,
        Rule.MULTI_KRUM,
        Rule.NNM_TRIMMED,
        Rule.GEOMETRIC_MEDIAN,
        Rule.KRUM,
    ],
)
def test_less_than_half_of_liars_move_a_robust_rule_by_less_than_the_honest_noise(
    rule: Rule, liars: int
) -> None:
    noise = norm((honest(1)[0] - 2**22).astype(np.int32))
    assert error(rule, liars) <= 2 * noise


def test_one_liar_moves_the_mean_anywhere() -> None:
    assert error(Rule.MEAN, 1) > 50 * error(Rule.MEAN, 0)


def test_a_tenth_of_the_weight_is_cut_on_each_side_even_when_nobody_is_feared() -> None:
    vectors = [np.array([value], dtype=np.int32) for value in (-(2**30), *[100] * 18, 2**30)]
    assert aggregate(vectors, EVEN).tolist() == [100]


def test_centred_clipping_moves_by_at_most_the_radius_for_each_liar() -> None:
    radius = 2 * norm(honest(1)[0])
    assert error(Rule.CENTRED_CLIP, 4, radius=radius) < 2 * radius
    assert error(Rule.CENTRED_CLIP, 0, radius=radius) < norm(honest(1)[0]) // 50


def test_a_radius_of_the_median_norm_is_nothing_when_half_are_zero() -> None:
    zeros = [np.zeros(SIZE, dtype=np.int32)] * (COUNT // 2)
    vectors = [*honest(COUNT // 2), *zeros]
    assert not aggregate(vectors, EVEN, rule=Rule.CENTRED_CLIP).any()
    assert aggregate(vectors, EVEN, rule=Rule.CENTRED_CLIP, radius=2**17).any()


def test_a_heavy_liar_is_cut_by_weight_not_by_count() -> None:
    weights = apportion(ONE, [4, *[1] * 16])
    vectors = [np.array([value], dtype=np.int32) for value in (2**30, *[100] * 16)]
    assert aggregate(vectors, weights, byzantine=1).tolist() == [100]


def test_neighbours_bring_unlike_honest_updates_together() -> None:
    dice = np.random.default_rng(3)
    groups = [2**22, 2**22 + 2**21] * 8
    updates = [dice.normal(mean, 2**16, SIZE).astype(np.int32) for mean in groups]
    liars = [np.full(SIZE, 2**23, dtype=np.int32)] * 4
    found = aggregate([*updates, *liars], EVEN, rule=Rule.NNM_TRIMMED, byzantine=4)
    truth = np.mean(updates, axis=0)
    spread = norm((updates[0] - truth).astype(np.int32))
    assert norm((found - truth).astype(np.int32)) < spread
