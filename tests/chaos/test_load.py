"""A load may last longer than what it signs is valid."""

from pathlib import Path
from typing import Final

import pytest

from devnet.local import load
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.running.clock import SystemClock
from tests.chaos.checks import LIMIT_S

PER_S: Final = 30
SECONDS: Final = 4


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_load_signs_more_when_what_it_has_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once signed everything at its beginning, and after two minutes all was refused."""
    monkeypatch.setattr(load, "AHEAD_S", 1)
    plan = make_plan(Wish(nodes=1, rounds=0))
    network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    async with network.opened():
        try:
            network.start()
            await network.wait_ready(limit_s=LIMIT_S)
            outcome = await load.make_load(network, per_s=PER_S, seconds=SECONDS)
        finally:
            await network.stop()
    assert outcome.refused == 0
    assert outcome.executed == outcome.sent > 2 * PER_S
