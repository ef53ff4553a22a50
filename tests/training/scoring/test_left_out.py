from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.rules.aggregation.rule import Rule, aggregate
from fl.training.scoring.left_out import DEALS, GROUPS, SINGLES_MAX, Removals, by_rule


@pytest.mark.parametrize("count", [1, 7, SINGLES_MAX])
def test_few_updates_are_left_out_one_by_one(count: int) -> None:
    removals = Removals.of(count, seed=1)
    assert removals.groups == tuple((index,) for index in range(count))
    assert removals.kept(0) == list(range(1, count))
    rises = np.arange(count, dtype=np.float64)
    assert np.array_equal(removals.credit(rises), rises)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(SINGLES_MAX + 1, 100), seed=st.integers(0, 2**32))
def test_many_updates_are_tested_in_groups_each_in_every_deal(count: int, seed: int) -> None:
    removals = Removals.of(count, seed=seed)
    assert len(removals.groups) == DEALS * GROUPS <= SINGLES_MAX
    for deal in range(DEALS):
        dealt = removals.groups[deal * GROUPS : (deal + 1) * GROUPS]
        assert sorted(index for group in dealt for index in group) == list(range(count))


def test_group_tests_give_back_what_each_group_was_worth() -> None:
    worth = np.random.RandomState(2).normal(0, 1, 60)
    removals = Removals.of(60, seed=5)
    rises = np.array([worth[list(group)].sum() for group in removals.groups])
    credit = removals.credit(rises)
    again = np.array([credit[list(group)].sum() for group in removals.groups])
    assert np.allclose(again, rises)


def test_group_tests_find_the_one_harmful_update() -> None:
    worth = np.full(60, 0.01)
    worth[17] = -1.0
    removals = Removals.of(60, seed=9)
    rises = np.array([worth[list(group)].sum() for group in removals.groups])
    assert int(np.argmin(removals.credit(rises))) == 17


def test_aggregate_is_that_of_the_rule_on_clipped_updates() -> None:
    updates = [np.full(4, step << 24, np.int32) for step in (1, 2, 9)]
    step = by_rule(updates, limit=4 << 16, rule=Rule.MEAN)
    # A vector of four ones has norm 2: 1 and 2 pass, 9 is cut down to 2 (its factor is Q16).
    assert np.abs(step([0, 1, 2]) - (5 << 24) // 3).max() <= 1 << 10


def test_who_is_left_out_keeps_its_weight_so_that_nothing_is_worth_nothing() -> None:
    updates = [np.full(4, step << 24, np.int32) for step in (1, 2, 0)]
    step = by_rule(updates, limit=4 << 16, rule=Rule.MEAN)
    assert step([0, 1]).tolist() == step([0, 1, 2]).tolist()
    assert np.abs(step([1]) - (2 << 24) // 3).max() <= 1 << 10
    # The mean is rounded once, and each part that is taken from it.
    assert np.abs(step([])).max() <= 2


@pytest.mark.parametrize("rule", [Rule.TRIMMED_MEAN, Rule.MEDIAN, Rule.GEOMETRIC_MEDIAN])
@pytest.mark.parametrize("distance", [0.5, 1.0, 4.0])
def test_noise_is_worth_nothing_whether_the_aggregate_goes_too_far_or_not_far_enough(
    rule: Rule, distance: float
) -> None:
    dice = np.random.RandomState(4)
    honest = 1 + dice.normal(0, 1.5, (7, 2_000))
    noise = dice.normal(0, np.linalg.norm(honest[0]) / 2_000**0.5, (3, 2_000))
    updates = [np.rint(one * 2**20).astype(np.int32) for one in (*honest, *noise)]
    step = by_rule(updates, limit=1 << 40, rule=rule, byzantine_percent=25)

    def loss(indices: Sequence[int]) -> float:
        return float(np.square(step(indices) / 2**20 - distance).mean())

    whole = loss(range(10))
    worth = [loss([one for one in range(10) if one != gone]) - whole for gone in range(10)]
    assert max(worth[7:]) < max(0.02, max(worth[:7]) / 8)


def test_feared_liars_are_a_share_of_all() -> None:
    updates = [np.full(2, step, np.int32) for step in (0, 0, 0, 0, 1_000)]
    step = by_rule(updates, limit=1 << 40, rule=Rule.KRUM, byzantine_percent=40)
    assert step(range(5)).tolist() == [0, 0]
    assert step([4]).tolist() == [0, 0]


def test_centred_clipping_reaches_as_far_as_the_clip_of_the_round_like_the_aggregate_itself() -> (
    None
):
    # Half of zeros: their median norm is nothing, so it must not be the radius.
    updates = [np.full(4, step << 24, np.int32) for step in (0, 0, 0, 2)]
    limit = 4 << 16
    whole = aggregate(updates, [1 << 14] * 4, rule=Rule.CENTRED_CLIP, byzantine=0, radius=limit)
    assert whole.any()
    found = by_rule(updates, limit=limit, rule=Rule.CENTRED_CLIP)(range(4))
    assert found.tolist() == whole.tolist()
