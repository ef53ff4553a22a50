"""The benchmark of aggregation measures every rule and shows one hash beside many."""

import pytest

from benchmarks import aggregation
from benchmarks.comparison import Row
from fl.rules.aggregation.rule import Rule

TINY = aggregation.Effort(size=5_000, runs=1, shuffles=6)


@pytest.fixture(scope="module", name="rows")
def _rows() -> list[Row]:
    return aggregation.measure_rows(TINY)


def test_every_rule_is_held_against_a_copy(rows: list[Row]) -> None:
    against = [row for row in rows if row.peer_name == aggregation.COPY]
    assert [row.case for row in against[1:]] == [rule.value for rule in Rule]
    assert {row.unit for row in against} == {aggregation.BANDWIDTH_UNIT}
    assert [row.case for row in against if row.goal is not None] == ["mean"]


def test_bandwidth_is_good_enough_from_its_goal_upwards(rows: list[Row]) -> None:
    (mean,) = (row for row in rows if row.case == "mean")
    assert mean.ratio == mean.ours / mean.peer
    assert mean.goal == aggregation.BANDWIDTH_GOAL == 0.25
    assert mean.met is (mean.ratio >= 0.25)


def test_every_rule_has_one_hash_and_real_numbers_have_many(rows: list[Row]) -> None:
    hashes = [row for row in rows if row.unit == "hashes"]
    assert len(hashes) == len(Rule)
    assert {(row.ours, row.peer, row.met) for row in hashes} == {(1, 6, True)}


def test_averaging_both_factors_apart_is_shown_to_be_wrong(rows: list[Row]) -> None:
    errors = {row.case: row.ours for row in rows if row.unit == "relative error"}
    assert errors["LoRA, FedIT: A and B apart"] > 0.5
    assert errors["LoRA, ALT: B with A frozen"] < aggregation.ERROR_LIMIT
    assert errors["LoRA, STACK before its projection"] < aggregation.ERROR_LIMIT
