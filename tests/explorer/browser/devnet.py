"""A live network of four nodes that train, one of which flips the signs of its updates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from devnet.local.drive import Drive
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan, parse_shares
from devnet.local.story import Story
from node.running.clock import SystemClock
from tests.chaos.rounds import TOY, asked

TASK: Final = 0
NODES: Final = 4
ROUNDS: Final = 4
ATTACKER: Final = f"node-{NODES - 1}"
READY_S: Final = 120.0
LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Devnet:
    """The network, and the run that trains on it.

    Args:
        trained: ends when all rounds are over.
    """

    network: LocalNetwork
    trained: "asyncio.Task[Story]"

    def origin(self, name: str = "node-0") -> str:
        """Return where the API of a node is."""
        return self.network.record.node(name).url

    def account(self, name: str) -> str:
        return self.network.record.node(name).account

    async def story(self) -> Story:
        """Wait until all rounds are over; return what happened."""
        return await asyncio.shield(self.trained)

    async def running_round(self) -> int:
        """Return the number of the round that runs, or of the one that comes next."""
        return (await self.network.client("node-0").task(TASK)).rounds


@asynccontextmanager
async def devnet(folder: Path) -> AsyncIterator[Devnet]:
    """Found and start the network; its rounds run while it is asked."""
    wish = Wish(
        nodes=NODES,
        attackers=parse_shares("signflip:1"),
        rounds=ROUNDS,
        at_once=NODES,
        study=replace(TOY, worker_module="tests.explorer.browser.slow_worker"),
    )
    drive = Drive(folder / "net", make_plan(wish), SystemClock())
    async with asyncio.TaskGroup() as group:
        trained = group.create_task(drive.run(), name="devnet")
        try:
            async with asyncio.timeout(READY_S):
                while drive.campaign is None:
                    assert not trained.done(), "the run ended before it had a task"
                    await asyncio.sleep(LOOK_S)
            async with asked(drive) as network:
                yield Devnet(network, trained)
        finally:
            trained.cancel()
            if drive.network is not None:
                await drive.network.stop()
