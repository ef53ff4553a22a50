"""Toy rounds on real processes, and what the chain says of them when they are over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cli.replay import Replay
from devnet.local.drive import Drive
from devnet.local.load import make_load
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part, Wish, make_plan
from devnet.local.story import Story
from devnet.local.study import Study
from fl.rules.effects import Purpose
from node.rpc.schemas import Event, Json
from node.rpc.texts import account_text, parse_address
from node.running.clock import SystemClock
from tests.chaos.checks import agrees

TASK: Final = 0
EVENTS_MAX: Final = 1_000
TOY: Final = Study(
    source="synthetic:notes?organisations=8&examples=400&test=20",
    held_out=10,
    tested=5,
    train_s=60,
    score_s=20,
    worker_module="tests.chaos.toy_worker",
)
_PURPOSES: Final = tuple(Purpose)


@asynccontextmanager
async def trained(folder: Path, wish: Wish) -> AsyncIterator[tuple[Story, LocalNetwork]]:
    """Run all rounds; the network runs on meanwhile, to be asked."""
    drive = Drive(folder / "net", make_plan(wish), SystemClock())
    try:
        story = await drive.run()
        async with asked(drive) as network:
            yield story, network
    finally:
        if drive.network is not None:
            await drive.network.stop()


@asynccontextmanager
async def asked(drive: Drive) -> AsyncIterator[LocalNetwork]:
    """Give the network of a run that is over, to be asked."""
    assert drive.network is not None
    network = LocalNetwork.read(drive.network.folder, clock=drive.clock)
    # Whoever starts a node again must outlive it.
    network.supervisor = drive.network.supervisor
    async with network.opened():
        yield network


async def replays(network: LocalNetwork, name: str, *, folder: Path, version: int) -> int:
    """Make a version again from what one node gives, as `hanse model verify` does; return it."""
    genesis = (network.folder / "genesis").read_bytes()
    replay = Replay(network.client(name), genesis, folder=folder, note=lambda *_: None)
    return await replay.run(TASK, version, start=False, source=None)


async def holds_together(network: LocalNetwork, story: Story, *, folder: Path) -> None:
    """Check that all nodes have one state, and that a validator's blobs give the last model."""
    async with asyncio.TaskGroup() as group:
        # A full node follows certificates, which commits without transactions do not get.
        group.create_task(make_load(network, per_s=20, seconds=4, names=network.names[:1]))
        await agrees(network)
    version = story.rounds[-1].version
    if version:
        name = network.names_of(Part.VALIDATOR)[-1]
        assert await replays(network, name, folder=folder, version=version) == version


async def events(network: LocalNetwork, number: int) -> list[Event]:
    """Return all that the rounds contract told from the first commit of a round to its last."""
    client = network.client(network.names[0])
    history = await client.round_history(TASK, number)
    page = await client.events(
        "rounds",
        first_height=history.first_height,
        last_height=history.last_height,
        limit=EVENTS_MAX,
    )
    assert page.is_complete
    return [one.event for one in page.events]


async def payments(network: LocalNetwork, number: int) -> list[tuple[str, Purpose, int]]:
    """Return who was paid by a round, what for, and how much, as the chain's events say."""
    return [
        (
            account_text(parse_address(str(one.fields["to"]))),
            _PURPOSES[int(one.fields["purpose"]) - 1],
            int(one.fields["amount"]),
        )
        for one in await events(network, number)
        if one.name == "Paid"
    ]


async def gained(network: LocalNetwork, name: str, number: int) -> int:
    """Return by how much a round left a node richer, by all but what seats are paid."""
    history = await network.client(network.names[0]).round_history(TASK, number)
    before = await _worth(network, name, height=history.first_height - 1)
    after = await _worth(network, name, height=history.last_height)
    account = network.record.node(name).account
    wages = sum(
        amount
        for who, why, amount in await payments(network, number)
        if (who, why) == (account, Purpose.VALIDATION)
    )
    return after - before - wages


async def task_after(network: LocalNetwork, number: int) -> Json:
    """Return the task as the last commit of a round left it; the next round begins after it."""
    client = network.client(network.names[0])
    height = (await client.round_history(TASK, number)).last_height
    return await client.view("rounds", "task_of", str(TASK), height=height)


async def owed(network: LocalNetwork) -> dict[str, int]:
    """Return what every trainer has earned with updates, vested or not, by name."""
    client = network.client(network.names[0])
    found = {}
    for node in network.record.nodes:
        standing = await client.standing(TASK, node.account)
        found[node.name] = int(standing.vested) + int(standing.vesting)
    return found


async def _worth(network: LocalNetwork, name: str, *, height: int) -> int:
    """Return what a node has and what the task owes it, vested or not, at a height."""
    client, who = network.client(network.names[0]), network.record.node(name).account
    balance = (await client.account(who, height=height)).balance
    since = await client.view("identity", "registered_at", who, height=height)
    vesting = await client.view("rounds", "vesting_of", str(TASK), who, since, height=height)
    return int(balance) + int(vesting["vested"]) + sum(map(int, vesting["amounts"]))
