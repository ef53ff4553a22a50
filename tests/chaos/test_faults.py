"""A pause, a partition, a late node and a lost database, all while rounds of a task run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from devnet.local.drive import Drive
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.story import Story
from node.running.clock import SystemClock
from tests.chaos.checks import (
    LIMIT_S,
    LOOK_S,
    goes_on,
    height_of,
    nobody_was_slashed,
    others,
    reaches,
    stands_still,
)
from tests.chaos.rounds import TASK, TOY, asked, holds_together, replays

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]

ROUNDS: Final = 12
PAUSE_S: Final = 10.0
APART_S: Final = 20.0
ASKED, PAUSED, ROBBED, OTHER = (f"node-{number}" for number in range(4))
LATE: Final = "node-4"

Fault = Callable[[LocalNetwork], Awaitable[None]]


async def test_rounds_survive_a_pause_a_partition_a_late_node_and_a_lost_database(
    tmp_path: Path,
) -> None:
    # Whoever is away keeps a round waiting for as long as its windows are.
    study = replace(TOY, train_s=8, score_s=8)
    drive = Drive(
        tmp_path / "net", make_plan(Wish(nodes=4, rounds=ROUNDS, study=study)), SystemClock()
    )
    try:
        async with asyncio.TaskGroup() as group:
            befalling = group.create_task(_befall(drive), name="faults")
            story = await drive.run()
        async with asked(drive) as network:
            await nobody_was_slashed(network)
            await holds_together(network, story, folder=tmp_path)
            version = story.rounds[-1].version
            folder = tmp_path / "late"
            folder.mkdir()
            assert await replays(network, LATE, folder=folder, version=version) == version
    finally:
        if drive.network is not None:
            await drive.network.stop()
    _check(story, befalling.result())


def _check(story: Story, spans: list[range]) -> None:
    assert [one.number for one in story.rounds] == list(range(ROUNDS))
    assert {one.outcome for one in story.rounds} <= {"committed", "null"}
    for span in spans:
        after = story.rounds[span.stop :]
        assert any(one.outcome == "committed" for one in after), f"a round after those of {span}"
    # Who was away takes part again.
    for name, span in zip((PAUSED, ROBBED), (spans[0], spans[-1]), strict=True):
        updates = [one for told in story.rounds[span.stop :] for one in told.updates]
        assert any(one.trainer == name and one.verdict == "accepted" for one in updates)
    committed = [one for one in story.rounds if one.outcome == "committed"]
    assert [one.version for one in committed] == list(range(1, len(committed) + 1))


async def _befall(drive: Drive) -> list[range]:
    """Do one thing after another to the nodes; return which rounds ran while each was done."""
    while drive.campaign is None:  # noqa: ASYNC110 - it is a moment of another task
        await asyncio.sleep(LOOK_S)
    # The last: whoever has lost its journal signs nothing before the next epoch, so that no other
    # validator may be missing then.
    faults: tuple[Fault, ...] = (_pause, _part, _join_late, _lose_database)
    spans = []
    async with asked(drive) as network:
        for fault in faults:
            first = await _running_round(network)
            await fault(network)
            spans.append(range(first, await _running_round(network) + 1))
            await _model_gets_better(network)
    return spans


async def _pause(network: LocalNetwork) -> None:
    assert network.pause(PAUSED)
    try:
        await asyncio.sleep(PAUSE_S)
        await goes_on(network, *others(network, PAUSED))
    finally:
        assert network.resume(PAUSED)
    await reaches(network, PAUSED, await height_of(network, ASKED))


async def _part(network: LocalNetwork) -> None:
    await network.part((ASKED, PAUSED), (ROBBED, OTHER))
    try:
        await stands_still(network, for_s=APART_S)
    finally:
        await network.heal()
    await goes_on(network)


async def _join_late(network: LocalNetwork) -> None:
    final = await network.final_height()
    assert await network.join_late() == LATE
    await network.wait_final(LATE, final, limit_s=LIMIT_S)
    assert '"joined by snapshot"' in network.supervisor.log_path(LATE).read_text()
    await reaches(network, LATE, await height_of(network, ASKED))


async def _lose_database(network: LocalNetwork) -> None:
    await network.stop(ROBBED)
    network.forget(ROBBED)
    await goes_on(network)
    await network.restart(ROBBED, limit_s=LIMIT_S)
    await reaches(network, ROBBED, await height_of(network, ASKED))


async def _running_round(network: LocalNetwork) -> int:
    async with asyncio.timeout(LIMIT_S):
        while (found := await network.client(ASKED).running_round(TASK)) is None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
    return found.number


async def _model_gets_better(network: LocalNetwork) -> None:
    """Return once a round has committed a version."""
    client = network.client(ASKED)
    version = (await client.task(TASK)).version
    async with asyncio.timeout(LIMIT_S):
        while (await client.task(TASK)).version <= version:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(LOOK_S)
