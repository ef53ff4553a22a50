"""Every rule beside the slow reference, and what no rule may depend on."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.rules.aggregation.ordered import trimmed_mean
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.rows import COORDINATE_MAX
from tests.fl.aggregation import reference
from tests.fl.aggregation.cast import arrays, rounds, seeded_round

Drawn = tuple[list[list[int]], list[int]]

over_rules = pytest.mark.parametrize("rule", Rule)


def expected(drawn: Drawn, rule: Rule, byzantine: int) -> list[int]:
    """Ask the reference."""
    vectors, weights = drawn
    return reference.aggregate(vectors, weights, rule=rule, byzantine=byzantine)


@over_rules
@given(rounds(), st.data())
@settings(max_examples=30, deadline=None)
def test_a_rule_gives_what_the_slow_reference_gives(
    rule: Rule, drawn: Drawn, rest: st.DataObject
) -> None:
    vectors, weights = drawn
    byzantine = rest.draw(st.integers(0, len(vectors) - 1))
    found = aggregate(arrays(vectors), weights, rule=rule, byzantine=byzantine)
    assert found.tolist() == expected(drawn, rule, byzantine)


@over_rules
@given(rounds(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_updates_changes_nothing(
    rule: Rule, drawn: Drawn, dice: random.Random
) -> None:
    vectors, weights = arrays(drawn[0]), drawn[1]
    order = dice.sample(range(len(vectors)), len(vectors))
    byzantine = len(vectors) // 3
    there = aggregate(vectors, weights, rule=rule, byzantine=byzantine)
    here = aggregate(
        [vectors[index] for index in order],
        [weights[index] for index in order],
        rule=rule,
        byzantine=byzantine,
    )
    assert here.tolist() == there.tolist()


@over_rules
def test_equal_updates_aggregate_to_themselves(rule: Rule) -> None:
    (vector, *_), _ = seeded_round(1)
    weights = apportion(ONE, [3, 1, 4, 1, 5])
    found = aggregate([vector] * 5, weights, rule=rule, byzantine=1, radius=2**60)
    assert found.tolist() == vector.tolist()


@over_rules
@pytest.mark.parametrize("signs", [(1,) * 9, (-1,) * 9, (1, -1) * 4 + (1,)])
@pytest.mark.parametrize("shares", [(1,) * 9, (ONE,) + (0,) * 8, (1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_the_greatest_coordinates_under_the_greatest_weights_do_not_wrap(
    rule: Rule, signs: tuple[int, ...], shares: tuple[int, ...]
) -> None:
    vectors = [[sign * COORDINATE_MAX] * 5 for sign in signs]
    drawn = (vectors, apportion(ONE, shares))
    found = aggregate(arrays(vectors), drawn[1], rule=rule, byzantine=2)
    assert found.tolist() == expected(drawn, rule, 2)


@over_rules
def test_one_update_alone_is_the_aggregate(rule: Rule) -> None:
    (vector, *_), _ = seeded_round(2)
    found = aggregate([vector], [ONE], rule=rule, radius=2**60)
    assert found.tolist() == vector.tolist()


@over_rules
def test_a_hundred_updates_are_within_the_bounds(rule: Rule) -> None:
    vectors, weights = seeded_round(3, count=100, size=70)
    drawn = ([vector.tolist() for vector in vectors], weights)
    if rule in {Rule.NNM_TRIMMED, Rule.GEOMETRIC_MEDIAN, Rule.CENTRED_CLIP}:
        vectors = [vector[:3] for vector in vectors]
        drawn = ([vector.tolist() for vector in vectors], weights)
    found = aggregate(vectors, weights, rule=rule, byzantine=30)
    assert found.tolist() == expected(drawn, rule, 30)


@over_rules
@pytest.mark.parametrize("byzantine", [1, 4, 6, 8])
def test_any_number_of_liars_may_be_feared(rule: Rule, byzantine: int) -> None:
    vectors, weights = seeded_round(5, count=9, size=20)
    drawn = ([vector.tolist() for vector in vectors], weights)
    found = aggregate(vectors, weights, rule=rule, byzantine=byzantine)
    assert found.tolist() == expected(drawn, rule, byzantine)


@over_rules
def test_the_given_vectors_stay_as_they_are(rule: Rule) -> None:
    vectors, weights = seeded_round(4)
    before = [vector.copy() for vector in vectors]
    for vector in vectors:
        vector.flags.writeable = False
    aggregate(vectors, weights, rule=rule, byzantine=3)
    assert all(np.array_equal(*pair) for pair in zip(vectors, before, strict=True))


@pytest.mark.parametrize(
    ("vectors", "weights", "byzantine", "message"),
    [
        ([], [], 0, "0 vectors"),
        ([[1]] * 101, [ONE] + [0] * 100, 0, "101 vectors"),
        ([[1], [1, 2]], [ONE, 0], 0, r"\(2,\)"),
        ([[1]], [ONE - 1], 0, "weights"),
        ([[1], [1]], [ONE], 0, "weights"),
        ([[1], [1]], [ONE + 1, -1], 0, "weights"),
        ([[1], [1]], [ONE, 0], 2, "2 liars of 2"),
        ([[1], [1]], [ONE, 0], -1, "-1 liars"),
    ],
)
def test_arguments_out_of_bounds_are_refused(
    vectors: list[list[int]], weights: list[int], byzantine: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        aggregate(arrays(vectors), weights, rule=Rule.MEAN, byzantine=byzantine)


def test_more_cannot_be_cut_than_the_weights_hold() -> None:
    with pytest.raises(ValueError, match="a cut of 9 from weights that sum to 8"):
        trimmed_mean(arrays([[1], [2]]), [4, 4], trim=9)


def test_vectors_of_real_numbers_are_refused() -> None:
    real = np.zeros(3)
    with pytest.raises(ValueError, match="float64"):
        aggregate([real], [ONE], rule=Rule.MEAN)  # type: ignore[list-item]
