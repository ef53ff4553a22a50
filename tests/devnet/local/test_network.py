"""A network is healed as a whole, and two programs that use one folder undo nothing of each other.

What the nodes are told is seen by answering in their place; nothing but sleepers runs here.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from devnet.local.errors import NotReadyError
from devnet.local.founding import add_late
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.record import NodeRecord, read_record, record_task
from node.running.clock import SystemClock

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@dataclass
class Doors:
    """Answers for the nodes of a network, and remembers whom each of them refuses."""

    network: LocalNetwork
    refused: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @asynccontextmanager
    async def open(self, node: NodeRecord) -> AsyncIterator[None]:
        async def judge(request: web.Request) -> web.Response:
            name = self._name_of(request.match_info["peer"])
            if request.method == "POST":
                self.refused[node.name].add(name)
            else:
                self.refused[node.name].discard(name)
            return web.json_response({"done": True})

        app = web.Application()
        app.router.add_route("*", "/v1/admin/peers/{peer}/ban", judge)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", node.rpc_port).start()
            yield
        finally:
            await runner.cleanup()

    def _name_of(self, peer_id: str) -> str:
        return next(one.name for one in self.network.record.nodes if one.peer_id == peer_id)


@asynccontextmanager
async def _answered(folder: Path, *, silent: Collection[str] = ()) -> AsyncIterator[Doors]:
    """Yield a network of four whose processes sleep, and whose API is answered but for some."""
    plan = make_plan(Wish(nodes=4, rounds=0))
    network = await LocalNetwork.create(folder, plan, clock=SystemClock())
    doors = Doors(network)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(network.stop)
        await stack.enter_async_context(network.opened())
        for node in network.record.nodes:
            network.supervisor.start(node.name, SLEEP)
            if node.name not in silent:
                await stack.enter_async_context(doors.open(node))
        yield doors


@pytest.mark.asyncio
async def test_node_that_was_down_is_let_in_again_by_all_who_ran(tmp_path: Path) -> None:
    async with _answered(tmp_path / "net") as doors:
        network = doors.network
        await network.part(("node-0", "node-1"), ("node-2", "node-3"))
        assert doors.refused["node-0"] == {"node-2", "node-3"}
        await network.kill("node-3")
        await network.heal()
        assert not doors.refused["node-0"] | doors.refused["node-1"] | doors.refused["node-2"]


@pytest.mark.asyncio
async def test_node_that_does_not_answer_is_named_once_all_others_are_healed(
    tmp_path: Path,
) -> None:
    async with _answered(tmp_path / "net", silent=("node-1",)) as doors:
        for name in ("node-0", "node-2", "node-3"):
            doors.refused[name] = {"node-1"}
        with pytest.raises(NotReadyError, match="node-1 did not answer"):
            await doors.network.heal()
        assert not any(doors.refused.values())


@pytest.mark.asyncio
async def test_network_stops_also_the_node_that_another_program_added(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    other = LocalNetwork.read(network.folder, clock=SystemClock())
    network.supervisor.start("node-0", SLEEP)
    other.record = add_late(other.folder)
    other.supervisor.start("node-1", SLEEP)
    stopping = asyncio.create_task(network.stop())  # noqa: TID251 - two programs at one time
    while not stopping.done():
        # Only its parent can bury it.
        other.supervisor.is_alive("node-1")
        await asyncio.sleep(0.02)
    await stopping
    assert other.alive() == ()


def test_task_and_late_nodes_of_two_programs_are_both_recorded(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    network = asyncio.run(LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock()))
    add_late(network.folder)
    record_task(network.folder, 7)
    add_late(network.folder)
    record = read_record(network.folder)
    assert [node.name for node in record.nodes] == ["node-0", "node-1", "node-2"]
    assert record.task == 7
