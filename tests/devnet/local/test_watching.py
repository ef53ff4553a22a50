"""Who watches a network from outside learns of every round, also of one that ended unheard."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from devnet.local.network import LocalNetwork
from devnet.local.watching import Watcher
from node.federation import calls
from node.rpc.client import NodeClient
from tests.rpc.offers import create_task
from tests.rpc.played import Played
from tests.rpc.stage import Stage, open_stage


@dataclass(frozen=True)
class OneNode:
    """A network of which only one node is looked at."""

    stage: Stage

    def alive(self) -> Sequence[str]:
        return ("node-0",)

    def client(self, _name: str) -> NodeClient:
        return self.stage.client


@pytest.mark.asyncio
async def test_round_that_ended_before_anybody_listened_is_told(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        played = Played(stage, trainers=("alice",))
        await played.register()
        await stage.send(create_task(rounds=2), sender="alice")
        await stage.send(calls.open_round(0), sender="validator-0")
        await played.end()
        watcher = Watcher(cast(LocalNetwork, OneNode(stage)), 0)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            running = group.create_task(watcher.run())
            assert await watcher.ended.get() == 0
            running.cancel()
