"""The benchmark of p2p runs both peers in every role and compares what they say of their CPU."""

import pytest

from benchmarks import p2p
from benchmarks.comparison import Row
from tests.interop.kinds import JS

pytestmark = [pytest.mark.interop, pytest.mark.slow]

TINY = p2p.Effort(runs=1, small_count=50, large_count=5, redials=3, with_py=False)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    if JS.missing is not None:
        pytest.skip(JS.missing)
    return p2p.measure_rows(TINY)


def test_rows_cover_messages_streams_and_connections(rows: list[Row]) -> None:
    assert [row.case for row in rows] == [
        "read 1 KiB, signed",
        "publish 1 KiB, signed",
        "read 1 KiB, unsigned",
        "publish 1 KiB, unsigned",
        "read 64 KiB, signed",
        "publish 64 KiB, signed",
        "stream, 50 MiB each way",
        "connection dialled and closed",
    ]


def test_every_row_shows_both_peers_and_a_goal(rows: list[Row]) -> None:
    assert all(row.ours > 0 and row.peer > 0 for row in rows)
    assert {row.peer_name for row in rows} == {p2p.JS_NAME}
    assert {row.goal for row in rows} == {1.0}


def test_least_of_several_runs_counts() -> None:
    figures = iter([3.0, 1.0, 2.0])
    assert p2p.least(3, lambda: next(figures)) == 1.0
