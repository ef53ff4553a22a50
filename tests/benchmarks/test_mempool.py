"""The benchmark of the mempool sends real transfers to their execution."""

import pytest

from benchmarks import mempool


@pytest.mark.slow
def test_every_way_in_is_measured_beside_the_check_of_a_signature() -> None:
    rows = mempool.measure_rows(mempool.Effort(senders=32, rounds=3, checks=256))
    assert [row.peer_name for row in rows] == [mempool.CHECK] * 3 + [mempool.LIMIT] * 3
    assert all(row.goal is not None and row.ours > 0 for row in rows)
    checked = {row.peer for row in rows if row.peer_name == mempool.CHECK}
    assert len(checked) == 1
