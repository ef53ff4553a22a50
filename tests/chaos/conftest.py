"""One devnet for all tests of a module: four validators as four processes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.running.clock import SystemClock
from tests.chaos.checks import LIMIT_S


@pytest_asyncio.fixture(name="network", scope="module", loop_scope="module")
async def _network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalNetwork]:
    folder = tmp_path_factory.mktemp("chaos") / "net"
    plan = make_plan(Wish(nodes=4, rounds=0))
    network = await LocalNetwork.create(folder, plan, clock=SystemClock())
    async with network.opened():
        try:
            network.start()
            await network.wait_ready(limit_s=LIMIT_S)
            yield network
        finally:
            await network.stop()
