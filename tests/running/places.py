"""Folders of nodes as an operator would have them, of a chain with one validator."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.app import Foundation, read_genesis_file
from node.config.load import load_config
from node.ledger.genesis import chain_id_of
from node.rpc.log_ring import LogRing
from node.running.clock import SystemClock
from node.running.own_keys import OwnKeys
from node.running.peering import open_peering

VALIDATOR, FULL = "node-0", "node-1"


async def founded(folder: Path) -> Path:
    """Write the folders of a validator and of a full node."""
    plan = make_plan(Wish(nodes=2, validators=1, trainers=0, rounds=0))
    await LocalNetwork.create(folder, plan, clock=SystemClock())
    return folder


def foundation_of(home: Path, environ: Mapping[str, str] = os.environ) -> Foundation:
    """Read what a node stands on, as its process does."""
    config, clock = load_config(home, environ), SystemClock()
    return Foundation(
        config=config,
        keys=OwnKeys.open(config, environ=environ),
        genesis=read_genesis_file(config),
        logs=LogRing(clock),
        clock=clock,
    )


@asynccontextmanager
async def friend_at(home: Path) -> AsyncIterator[None]:
    """Be a peer that serves nothing, so that nobody waits long for a first one."""
    friend = foundation_of(home)
    async with (
        open_peering(
            friend.config.network,
            identity=friend.keys.peer,
            chain_id=chain_id_of(friend.genesis),
            version="0",
            folder=home,
            clock=friend.clock,
        ) as peering,
        asyncio.TaskGroup() as tasks,
    ):
        searching = tasks.create_task(peering.discovery.run())
        try:
            yield
        finally:
            searching.cancel()
