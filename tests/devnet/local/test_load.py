"""Load on a node that goes away ends with one error that names the node."""

import sys
from pathlib import Path

import pytest

from devnet.local.load import make_load
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.rpc.errors import NodeUnreachableError
from node.running.clock import SystemClock

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.mark.asyncio
async def test_load_whose_node_tells_no_commits_names_the_node(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    url = network.record.nodes[0].url
    async with network.opened():
        network.supervisor.start("node-0", SLEEP)
        try:
            with pytest.raises(NodeUnreachableError, match=f"{url} tells no commits"):
                await make_load(network, per_s=1, seconds=1)
        finally:
            await network.stop()
