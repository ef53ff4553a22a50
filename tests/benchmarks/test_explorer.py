"""What readers cost is measured on a real network; what they ask for is far below the limit."""

from typing import Final

import pytest

from benchmarks import explorer
from benchmarks.explorer import PAGES, Arm, Outcome
from benchmarks.explorer_readers import CHAIN, Tally
from node.rpc.limits import RpcLimits
from node.rpc.route import RouteTable
from tests.chain.founded import genesis_file
from tests.rpc.stage import open_stage

SHARE_OF_RATE: Final = 3


@pytest.mark.asyncio
async def test_twenty_readers_of_one_address_take_a_third_of_its_rate(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    limits = RpcLimits()
    async with open_stage(tmp_path_factory.mktemp("node"), genesis=genesis_file()) as stage:
        table = RouteTable(stage.server.routes)
    per_s = sum(_cost(table, one.path) / one.every_s for one in CHAIN.again)
    assert PAGES * per_s < limits.rate_per_s / SHARE_OF_RATE
    opening = sum(_cost(table, path) for path in (*CHAIN.first, "/v1/stream"))
    assert PAGES * opening < limits.burst


def _cost(table: RouteTable, path: str) -> int:
    found = table.find(path.partition("?")[0])
    assert found is not None, path
    return found[0]["GET"].cost


def test_ratio_is_that_of_the_medians_of_slices() -> None:
    alone = Arm(slices=[[100, 100, 900], [100], [400]], busy_s=1.0, elapsed_s=10.0)
    read = Arm(slices=[[105], [100, 120, 110], [900]], busy_s=1.5, elapsed_s=10.0)
    tally = Tally(asked={"/v1/status": 10}, refused=0, notices=5)
    rows = explorer.rows_of(Outcome(alone=alone, read=read, tallies=[tally, tally]))
    p50, p99, busy, refused = rows
    assert (p50.ours, p50.peer, p50.goal, p50.met) == (110, 100, 1.1, True)
    assert (p99.ours, p99.peer) == (900, 900)
    assert (busy.ours, busy.peer, busy.goal) == (150, 100, None)
    assert (refused.ours, refused.peer, refused.met) == (0, 20, True)


def test_refused_request_misses_the_goal() -> None:
    arm = Arm(slices=[[1]], busy_s=1.0, elapsed_s=1.0)
    for tally in (Tally(asked={"/": 9}, refused=1), Tally(asked={"/": 9}, cut=1)):
        rows = explorer.rows_of(Outcome(alone=arm, read=arm, tallies=[tally]))
        assert rows[-1].met is False


@pytest.mark.slow
def test_finality_is_measured_without_pages_and_with_them() -> None:
    rows = explorer.measure(explorer.Effort(turns=1, slice_s=1.0, browsed=0))
    p50, _, busy, refused = rows
    assert p50.goal == explorer.RISE_MAX
    assert p50.ours > 0
    assert p50.peer > 0
    assert busy.ours > 0
    assert refused.met
    assert refused.peer >= PAGES * len(CHAIN.first)
