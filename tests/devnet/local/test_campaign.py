"""What a campaign could not learn is told."""

import shutil
from pathlib import Path

import pytest

from devnet.local.campaign import Campaign
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.study import Study
from devnet.local.watching import Watcher
from node.running.clock import SystemClock

NOTES = "synthetic:notes?organisations=2&examples=60&test=10"


@pytest.mark.slow
@pytest.mark.asyncio
async def test_model_that_was_not_measured_is_noted(tmp_path: Path) -> None:
    study = Study(source=NOTES, held_out=5, tested=5)
    plan = make_plan(Wish(nodes=1, rounds=1, study=study))
    network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    shutil.rmtree(network.folder / "test")
    campaign = Campaign(network, Watcher(network, 0), 0)
    await campaign.run(0)
    (note,) = campaign.notes
    assert note.startswith("W_0 was not measured: ")
    assert "no such folder" in note
    assert "\n" not in note
