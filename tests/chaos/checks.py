"""What must hold whatever is done to a network: it goes on, agrees, and nobody signed twice."""

import asyncio
from typing import Final

from devnet.local.agreement import Agreement, compare
from devnet.local.errors import NotReadyError
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part
from node.rpc.errors import NodeAnswerError, NodeUnreachableError

LOOK_S: Final = 0.1
LIMIT_S: Final = 180.0
"""Other tests may have the machine; nothing here waits for long if it has it to itself."""

UNDER_WAY_S: Final = 1.0
UNDER_WAY_MAX: Final = 3
"""Commits that may still be executed where no side has a quorum."""


async def height_of(network: LocalNetwork, name: str) -> int:
    """Return how far a node is; 0 if it does not answer."""
    try:
        return (await network.client(name).head()).height
    except (NodeUnreachableError, NodeAnswerError):
        return 0


async def goes_on(
    network: LocalNetwork, *names: str, by: int = 3, limit_s: float = LIMIT_S
) -> None:
    """Return once nodes, all that run without a name, executed so many more commits."""
    async with asyncio.TaskGroup() as group:
        for name in names or network.alive():
            group.create_task(_rises(network, name, by=by, limit_s=limit_s), name=name)


async def reaches(
    network: LocalNetwork, name: str, height: int, *, limit_s: float = LIMIT_S
) -> None:
    """Return once a node executed the commit at a height."""
    try:
        async with asyncio.timeout(limit_s):
            while await height_of(network, name) < height:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(LOOK_S)
    except TimeoutError as error:
        words = network.supervisor.last_words(name)
        raise NotReadyError(f"{name} does not reach {height}; it says:\n{words}") from error


async def stands_still(network: LocalNetwork, *, for_s: float) -> None:
    """Check that no validator executes more, once nodes are parted, than what was under way."""
    names = [node.name for node in network.record.nodes if node.plan.is_a(Part.VALIDATOR)]
    await asyncio.sleep(UNDER_WAY_S)
    before = [await height_of(network, name) for name in names]
    await asyncio.sleep(for_s)
    after = [await height_of(network, name) for name in names]
    assert max(after) - min(before) <= UNDER_WAY_MAX


async def agrees(network: LocalNetwork) -> Agreement:
    """Return where all nodes that run have one state root; it is compared at a recent height."""
    found = await compare(network, limit_s=LIMIT_S)
    assert set(found.nodes) == set(network.alive()), "every node answers for the height"
    assert found.height > 0
    return found


async def nobody_was_slashed(network: LocalNetwork) -> None:
    """Check that no validator lost stake or its seat: two signatures in one place cost both."""
    found = await network.client(network.alive()[0]).validators()
    founders = [node for node in network.record.nodes if node.plan.is_a(Part.VALIDATOR)]
    assert {one.operator for one in found.validators} == {node.account for node in founders}
    assert len({one.stake for one in found.validators}) == 1
    assert len({one.standing for one in found.validators}) == 1
    assert all(one.seat is not None for one in found.validators)


def others(network: LocalNetwork, name: str) -> tuple[str, ...]:
    """Return the names of the nodes that run, but for one."""
    return tuple(one for one in network.alive() if one != name)


async def _rises(network: LocalNetwork, name: str, *, by: int, limit_s: float) -> None:
    await reaches(network, name, await height_of(network, name) + by, limit_s=limit_s)
