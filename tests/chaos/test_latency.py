"""Links that take time: nothing goes round them, and the chain goes on as fast as they allow."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from devnet.local.latency import Latency
from devnet.local.load import make_load
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.report import percentile
from devnet.local.watching import Watcher
from node.running.clock import SystemClock
from node.running.peering import PEERS_FILE
from p2p.peer_file import load_peers
from p2p.wire.peer_id import parse_peer_id
from tests.chaos.checks import agrees, goes_on, height_of

LATENCY: Final = Latency(40, 10)
ONE_WAY_MS: Final = LATENCY.mean_ms - LATENCY.jitter_ms
DELAYS_TO_FINALITY: Final = 4
"""Block to voters, votes to certifiers, these to whoever commits; and then the votes for the
checkpoint. Even the fastest seat needs others at each of them."""


@pytest.mark.slow
@pytest.mark.asyncio
async def test_finality_takes_four_delays_and_no_node_goes_round_the_links(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=4, rounds=0, latency=LATENCY))
    network = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    async with network.opened():
        try:
            network.start()
            await network.wait_ready()
            await _finality_takes_its_delays(network)
            await _halves_stand_still_and_meet_again(network)
            await network.kill("node-3")
            await network.restart("node-3")
            await goes_on(network)
            await agrees(network)
            await _connections_go_through_links(network)
        finally:
            await network.stop()
    _nobody_remembers_a_way_round(network)


async def _finality_takes_its_delays(network: LocalNetwork) -> None:
    watcher = Watcher(network, None)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watcher.run(), name="watcher")
        outcome = await make_load(network, per_s=20, seconds=5)
        watching.cancel()
    assert outcome.executed > 0
    median_ms = percentile(tuple(watcher.finality_ms), 50)
    assert median_ms is not None
    assert median_ms >= DELAYS_TO_FINALITY * ONE_WAY_MS


async def _halves_stand_still_and_meet_again(network: LocalNetwork) -> None:
    await network.part(("node-0", "node-1"), ("node-2", "node-3"))
    await asyncio.sleep(1.0)
    before = await height_of(network, "node-0")
    await asyncio.sleep(1.0)
    assert await height_of(network, "node-0") - before <= 3
    await network.heal()
    await goes_on(network)


async def _connections_go_through_links(network: LocalNetwork) -> None:
    direct = {f"/ip4/127.0.0.1/tcp/{node.p2p_port}" for node in network.record.nodes}
    for name in network.names:
        found = await network.client(name).peers()
        assert found.peers
        assert direct.isdisjoint(peer.address for peer in found.peers)


def _nobody_remembers_a_way_round(network: LocalNetwork) -> None:
    known = {parse_peer_id(node.peer_id): node.endpoint for node in network.record.nodes}
    for node in network.record.nodes:
        store = load_peers(network.folder / node.name / PEERS_FILE, own=parse_peer_id(node.peer_id))
        assert len(store) > 0
        for peer in store:
            assert [str(address) for address in peer.addresses] == [known[peer.peer_id]]
