"""Nodes and what they start are killed at random moments of rounds, which end as the rules say."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from devnet.local.drive import Drive
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from devnet.local.story import Story
from node.running.clock import SystemClock
from tests.chaos.checks import nobody_was_slashed
from tests.chaos.rounds import TOY, asked, holds_together

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]

ROUNDS: Final = 12
KILLS: Final = 20
WORKER: Final = "toy_worker"
VERIFIER: Final = "node.signatures"
NODE: Final = "node"
VICTIMS: Final = (NODE, WORKER, NODE, VERIFIER)


async def test_kills_at_twenty_moments_of_rounds_end_none_of_them(tmp_path: Path) -> None:
    study = replace(TOY, train_s=8)
    plan = make_plan(Wish(nodes=5, validators=4, rounds=ROUNDS, study=study))
    drive = Drive(tmp_path / "net", plan, SystemClock())
    killed: Counter[str] = Counter()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_kill_at_random(drive, killed), name="killer")
            story = await drive.run()
        async with asked(drive) as network:
            await nobody_was_slashed(network)
            await holds_together(network, story, folder=tmp_path)
    finally:
        if drive.network is not None:
            await drive.network.stop()
    _check(story)
    assert killed[NODE] == KILLS // 2
    assert min(killed[WORKER], killed[VERIFIER]) >= 2


def _check(story: Story) -> None:
    assert len(story.rounds) == ROUNDS
    assert {one.outcome for one in story.rounds} <= {"committed", "null"}
    assert any(one.outcome == "committed" for one in story.rounds)
    versions = [one.version for one in story.rounds]
    assert versions == sorted(versions)


async def _kill_at_random(drive: Drive, killed: Counter[str]) -> None:
    dice = random.Random(11)
    while drive.campaign is None:  # noqa: ASYNC110 - it is a moment of another task
        await asyncio.sleep(0.1)
    async with asked(drive) as network:
        for turn in range(KILLS):
            await asyncio.sleep(dice.random() * 2)
            name, victim = f"node-{dice.randrange(5)}", VICTIMS[turn % len(VICTIMS)]
            if victim == NODE:
                await network.kill(name)
                await network.restart(name)
                killed[NODE] += 1
            else:
                killed[victim] += _kill_child(network, name, word=victim.encode())


def _kill_child(network: LocalNetwork, name: str, *, word: bytes) -> bool:
    """Kill the process of a node whose command line has a word; False if there is none now."""
    running = network.supervisor.running(name)
    assert running is not None
    for path in Path(f"/proc/{running.pid}/task").glob("*/children"):
        for child in path.read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if word in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    return True
    return False
