"""The benchmark of layouts trains the tiny model and holds our layouts to their limit."""

import pytest

from benchmarks import layouts


@pytest.mark.slow
def test_ours_is_exact_where_fedit_is_not() -> None:
    rows = layouts.measure_rows(layouts.Effort(steps=4, warm_up=2))
    limits = [row for row in rows if row.goal is not None]
    assert len(limits) == len(layouts.CASES)
    assert all(row.met for row in limits)
    apart = {row.peer for row in rows if row.peer_name == "FedIT"}
    assert len(apart) == 1
    assert min(apart) > 100 * layouts.LIMIT
