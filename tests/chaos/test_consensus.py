"""Validators are killed, paused, parted and robbed of their disks; the chain stays one chain."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from devnet.local.load import make_load
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.table import view_network
from node.rpc.errors import NodeAnswerError
from node.running.clock import SystemClock
from tests.chaos.checks import (
    LIMIT_S,
    agrees,
    goes_on,
    height_of,
    nobody_was_slashed,
    others,
    reaches,
    stands_still,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT_S: Final = 2.0
LONG_S: Final = 20.0


async def test_validator_killed_under_load_comes_back_and_agrees(network: LocalNetwork) -> None:
    async with asyncio.TaskGroup() as group:
        names = ("node-0", "node-1")
        load = group.create_task(make_load(network, per_s=50, seconds=4, names=names))
        await goes_on(network)
        await network.kill("node-3")
        await goes_on(network)
        await network.restart("node-3")
    assert load.result().executed > 0
    await goes_on(network)
    await agrees(network)
    await nobody_was_slashed(network)


async def test_paused_validator_is_not_missed_and_catches_up(network: LocalNetwork) -> None:
    await _pause(network, pause_s=SHORT_S)


@pytest.mark.slow
async def test_validator_paused_for_ten_seconds_catches_up(network: LocalNetwork) -> None:
    await _pause(network, pause_s=10)


async def test_chain_stands_while_it_is_parted_in_halves_and_then_goes_on(
    network: LocalNetwork,
) -> None:
    await _part(network, apart_s=SHORT_S)


@pytest.mark.slow
async def test_halves_that_were_apart_for_long_agree_again(network: LocalNetwork) -> None:
    await _part(network, apart_s=LONG_S)


async def test_validator_with_an_empty_database_never_signs_twice(network: LocalNetwork) -> None:
    await network.stop("node-2")
    network.forget("node-2")
    await goes_on(network, *network.alive())
    await network.restart("node-2")
    await reaches(network, "node-2", await height_of(network, "node-0"))
    await goes_on(network)
    await agrees(network)
    await nobody_was_slashed(network)


async def test_node_that_joins_late_has_the_same_state_by_a_snapshot(network: LocalNetwork) -> None:
    await make_load(network, per_s=20, seconds=1, names=("node-0",))
    final = await network.final_height()
    assert final > 1
    name = await network.join_late()
    await network.wait_final(name, final)
    assert '"joined by snapshot"' in network.supervisor.log_path(name).read_text()
    with pytest.raises(NodeAnswerError):
        await network.client(name).commit(1)
    async with asyncio.TaskGroup() as group:
        # A full node follows certificates, which commits without transactions do not get.
        group.create_task(make_load(network, per_s=20, seconds=4, names=("node-0",)))
        await reaches(network, name, await height_of(network, "node-0"))
        found = await agrees(network)
    assert name in found.nodes
    assert {one.state for one in (await view_network(network)).nodes} == {"running"}
    await network.stop(name)


@pytest.mark.slow
async def test_node_that_joins_a_chain_without_a_certificate_is_there_at_once(
    tmp_path: Path,
) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    young = await LocalNetwork.create(tmp_path / "young", plan, clock=SystemClock())
    async with young.opened():
        try:
            young.start()
            await young.wait_ready(limit_s=LIMIT_S)
            assert await young.final_height() == 0
            name = await young.join_late()
            await young.wait_ready(name, limit_s=LIMIT_S)
            await make_load(young, per_s=20, seconds=2, names=("node-0",))
            await young.wait_final(name, await young.final_height())
            assert await height_of(young, name) > 0
        finally:
            await young.stop()


async def _pause(network: LocalNetwork, *, pause_s: float) -> None:
    assert network.pause("node-1")
    try:
        await goes_on(network, *others(network, "node-1"))
        await asyncio.sleep(pause_s)
    finally:
        assert network.resume("node-1")
    await reaches(network, "node-1", await height_of(network, "node-0"))
    await goes_on(network)
    await agrees(network)
    await nobody_was_slashed(network)


async def _part(network: LocalNetwork, *, apart_s: float) -> None:
    await network.part(("node-0", "node-1"), ("node-2", "node-3"))
    try:
        await stands_still(network, for_s=apart_s)
    finally:
        await network.heal()
    await goes_on(network)
    await agrees(network)
    await nobody_was_slashed(network)
