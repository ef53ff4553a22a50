from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.rules.aggregation.rule import Rule, aggregate
from fl.training.scoring.left_out import (
    DEALS,
    GROUPS,
    SINGLES_MAX,
    Gains,
    Worth,
    by_rule,
    deal,
    worths,
)


def linear(worth: Sequence[float] | NDArray[np.float64]) -> Gains:
    """Return gains where each update adds what it is worth, whoever else takes part."""
    return lambda sets: np.array([sum(worth[one] for one in those) for those in sets])


def leaning(pulls: Sequence[float]) -> Gains:
    """Return gains of updates that pull to one side each, where the middle is best."""
    return lambda sets: np.array([-(sum(pulls[one] for one in those) ** 2) for those in sets])


@pytest.mark.parametrize("count", [1, 7, SINGLES_MAX])
def test_who_adds_to_a_sum_is_worth_that_and_who_takes_from_it_is_not_wanted(count: int) -> None:
    worth = np.random.RandomState(count).normal(0.1, 1, count)
    found = worths(count, linear(worth), seed=1)
    assert np.allclose([one.left_out for one in found], worth)
    assert [one.is_wanted for one in found] == [count == 1 or one >= 0 for one in worth]


def test_updates_that_keep_each_other_in_balance_are_wanted_though_their_sum_leans() -> None:
    # Everybody's sum is 2: by what it lacks without one, only those that pull back would count.
    pulls = [3.0, 1.0, 1.0, -1.0, -1.0, -1.0]
    alone = -(sum(pulls) ** 2) + np.array([(sum(pulls) - one) ** 2 for one in pulls])
    assert [one > 0 for one in alone] == [False, False, False, True, True, True]
    found = worths(6, leaning(pulls), seed=1)
    wanted = [index for index, one in enumerate(found) if one.is_wanted]
    assert abs(sum(pulls[one] for one in wanted)) <= 1
    assert {1, 2} <= set(wanted)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 12), bad=st.integers(1, 11), seed=st.integers(0, 99))
def test_what_harms_is_found_however_much_of_it_there_is(count: int, bad: int, seed: int) -> None:
    dice = np.random.RandomState(seed)
    pulls = dice.uniform(0.1, 1, count) * np.where(np.arange(count) < min(bad, count - 1), -9, 1)
    # A step of all good ones falls short of the best, which is at their sum.
    best = pulls[pulls > 0].sum()
    gains: Gains = lambda sets: np.array(  # noqa: E731
        [best**2 - (best - sum(pulls[one] for one in those)) ** 2 for those in sets]
    )
    found = worths(count, gains, seed=1)
    assert [one.is_wanted for one in found] == (pulls > 0).tolist()


def test_what_is_not_wanted_scores_at_most_nothing_and_is_no_harm_if_it_helps_alone() -> None:
    wanted, unwanted, grouped = (Worth(0.0, kind) for kind in (True, False, None))
    assert [one.quality(50, -90) for one in (wanted, unwanted, grouped)] == [50, 0, 50]
    assert [one.quality(-50, 20) for one in (wanted, unwanted, grouped)] == [20, 0, -50]
    assert [one.quality(-50, -90) for one in (wanted, unwanted, grouped)] == [-50, -50, -50]


@settings(max_examples=30, deadline=None)
@given(count=st.integers(SINGLES_MAX + 1, 100), seed=st.integers(0, 2**32))
def test_many_updates_are_tested_in_groups_each_in_every_deal(count: int, seed: int) -> None:
    groups = deal(count, seed=seed)
    assert len(groups) == DEALS * GROUPS <= SINGLES_MAX
    for number in range(DEALS):
        dealt = groups[number * GROUPS : (number + 1) * GROUPS]
        assert sorted(index for group in dealt for index in group) == list(range(count))


def test_group_tests_give_back_what_each_group_was_worth() -> None:
    worth = np.random.RandomState(2).normal(0, 1, 60)
    found = worths(60, linear(worth), seed=5)
    assert {one.is_wanted for one in found} == {None}
    for group in deal(60, seed=5):
        assert np.isclose(sum(found[one].left_out for one in group), worth[list(group)].sum())


def test_group_tests_find_the_one_harmful_update() -> None:
    worth = np.full(60, 0.01)
    worth[17] = -1.0
    found = worths(60, linear(worth), seed=9)
    assert min(range(60), key=lambda one: found[one].left_out) == 17


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
    assert step([]).tolist() == [0, 0, 0, 0]


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
