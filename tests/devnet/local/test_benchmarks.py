"""What the benchmarks of a network make of their measurements."""

import pytest
from msgspec.structs import replace

from benchmarks import devnet, round_overhead
from tests.devnet.local.stories import one_round


def test_rate_is_held_against_the_bound_and_the_limit() -> None:
    rows = devnet.rows_of(2_000, 500, bound_per_s=5_000, finality_ms=range(1, 101), memory_mb=100)
    by_case = {(row.case, row.peer_name): row for row in rows}
    first = rows[0]
    assert first.ratio == pytest.approx(2.5)
    assert first.met
    assert by_case["finality p50", "limit"].ours == 50
    assert all(row.met for row in rows if row.goal is not None)


def test_overhead_is_what_training_and_scoring_leave_of_a_round() -> None:
    rows = round_overhead.rows_of([one_round(0), replace(one_round(1), took_ms=11_340)])
    assert rows[0].ours == pytest.approx((3.34 + 2.34) / 2)
    assert not rows[0].met
    assert [row.case for row in rows[1:]] == ["phase commit", "phase reveal", "phase guard"]
