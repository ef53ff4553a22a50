"""What the benchmarks of a network make of their measurements."""

import pytest
from msgspec.structs import replace

from benchmarks import devnet, round_overhead, scalability
from tests.devnet.local.stories import one_round, story


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


def test_larger_network_stands_beside_the_smallest_of_the_run() -> None:
    small = scalability.sample_of(story(), sent_bytes=6_000_000)
    assert small is not None
    assert (small.nodes, small.round_s, small.sent_mb) == (4, 12.34, 2)
    assert small.beyond_s == pytest.approx(3.34)
    large = scalability.Sample(nodes=8, round_s=24.68, beyond_s=3.34, gas=93e6, sent_mb=9)
    rows = scalability.rows_of([small, large])
    assert {row.peer_name for row in rows} == {"4 nodes"}
    assert all(row.case.startswith("8 nodes, ") for row in rows)
    assert [row.ratio for row in rows] == pytest.approx([2, 1, 3, 4.5])


def test_first_round_and_null_rounds_are_no_measure_of_size() -> None:
    slow, null, usual = story().rounds
    rounds = (replace(slow, took_ms=99_000), replace(null, outcome="null", took_ms=1), usual)
    sample = scalability.sample_of(replace(story(), rounds=rounds), sent_bytes=0)
    assert sample is not None
    assert sample.round_s == 12.34
    assert scalability.sample_of(story(rounds=1), sent_bytes=0) is None


def test_bytes_that_a_node_sent_are_those_of_all_protocols() -> None:
    lines = (
        "# TYPE p2p_stream_bytes counter",
        'p2p_stream_bytes_total{flow="sent",protocol="/a"} 3.0',
        'p2p_stream_bytes_total{flow="received",protocol="/a"} 50.0',
        'p2p_stream_bytes_total{flow="sent",protocol="/b"} 4.0',
        "# EOF",
    )
    assert scalability.sent_bytes_of("\n".join(lines) + "\n") == 7
