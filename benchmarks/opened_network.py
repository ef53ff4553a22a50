"""A network of real nodes for a benchmark: founded, ready, and stopped whatever happens."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.running.clock import SystemClock


@asynccontextmanager
async def opened_network(*, nodes: int) -> AsyncIterator[LocalNetwork]:
    """Yield a network whose nodes all validate, without a task, in a folder for the while."""
    with tempfile.TemporaryDirectory(prefix="hanse-benchmark-") as folder:
        plan = make_plan(Wish(nodes=nodes, rounds=0))
        network = await LocalNetwork.create(Path(folder) / "net", plan, clock=SystemClock())
        async with network.opened():
            try:
                network.start()
                await network.wait_ready()
                yield network
            finally:
                await network.stop()
