"""A run that breaks off has told what it saw until then."""

import asyncio
from pathlib import Path

import pytest

from devnet.local.drive import Drive
from devnet.local.plan import Wish, make_plan
from node.running.clock import SystemClock
from tests.chaos.rounds import TOY

LIMIT_S = 120


@pytest.mark.slow
@pytest.mark.asyncio
async def test_run_that_is_interrupted_tells_the_rounds_before(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=2, rounds=20, study=TOY))
    drive = Drive(tmp_path / "net", plan, SystemClock())
    running = asyncio.ensure_future(drive.run())  # noqa: TID251 - it is cancelled from outside
    try:
        async with asyncio.timeout(LIMIT_S):
            while drive.campaign is None or not drive.campaign.rounds:
                assert not running.done()
                await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    finally:
        assert drive.network is not None
        await drive.network.stop()
    assert drive.partial is not None
    assert drive.partial.rounds
    assert "interrupted" in drive.partial.notes[-1]
    assert all(node.is_alive for node in drive.partial.nodes)
    assert set(drive.partial.rounds[0].validator_trust) == {"node-0", "node-1"}
    memory = drive.partial.memory
    assert memory.node_mb is not None
    assert memory.signatures_mb is not None
    assert memory.worker_mb is not None
    assert memory.signatures_mb < memory.node_mb
