"""Networks sort, and pruned ones put the ends in order."""

from itertools import product

import numpy as np
import pytest

from fl.rules.aggregation.network import Int64s, edge_network, run_network


def ranked(rows: Int64s, *, depth: int) -> Int64s:
    count = len(rows)
    spare = np.empty_like(rows[0])
    made = run_network(list(rows.copy()), edge_network(count, depth=depth), spare=spare)
    return np.stack(made[:count])


@pytest.mark.parametrize("count", range(1, 13))
def test_every_column_of_zeros_and_ones_is_sorted(count: int) -> None:
    # By the zero-one principle the network then sorts everything.
    columns = np.array(list(product((0, 1), repeat=count)), dtype=np.int64).T
    assert np.array_equal(ranked(columns, depth=count), np.sort(columns, axis=0))


@pytest.mark.parametrize("count", [2, 5, 13, 20, 33, 64, 100])
@pytest.mark.parametrize("depth", [1, 2, 3, 7])
def test_a_pruned_network_puts_both_ends_in_order(count: int, depth: int) -> None:
    dice = np.random.default_rng(count)
    columns = dice.integers(-9, 9, (count, 50), dtype=np.int64)
    found, right = ranked(columns, depth=depth), np.sort(columns, axis=0)
    reach = min(depth, count)
    assert np.array_equal(found[:reach], right[:reach])
    assert np.array_equal(found[-reach:], right[-reach:])


def test_pruning_leaves_out_exchanges() -> None:
    whole, ends = edge_network(20, depth=20), edge_network(20, depth=3)
    assert len(ends) < len(whole) == 97
    assert all(step.keeps_low and step.keeps_high for step in whole)
