"""Compare the states of nodes: at one height there is one root, or something is very wrong.

Nodes are never at the same height when they are asked, so each tells the root of every commit as
it executes it, until there is a height that all of them have told.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from devnet.local.errors import DivergedError
from devnet.local.network import LocalNetwork
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import CommitNotice, Topic

LIMIT_S: Final = 10.0
LOOK_S: Final = 0.02
HEIGHTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """A height, its root, and who computed it; nobody if no height was told by all."""

    height: int
    state_root: str
    nodes: tuple[str, ...]


@dataclass(slots=True)
class _Told:
    """What nodes told so far: by node the root of each height."""

    roots: dict[str, dict[int, str]] = field(default_factory=dict)

    def shared_height(self) -> int | None:
        """Return the highest height that all have told."""
        heights = [set(own) for own in self.roots.values()]
        shared = set.intersection(*heights) if heights else set()
        return max(shared, default=None)


async def compare(network: LocalNetwork, *, limit_s: float = LIMIT_S) -> Agreement:
    """Return a height at which all nodes that answer have one root.

    Raises:
        DivergedError: two of them have different roots.
    """
    # A node that has told nothing yet keeps all others waiting.
    told = _Told({name: {} for name in network.alive()})
    async with asyncio.TaskGroup() as group:
        listening = [
            group.create_task(_listen(name, network.client(name), told), name=f"roots of {name}")
            for name in list(told.roots)
        ]
        height = await _shared(told, limit_s=limit_s)
        for task in listening:
            task.cancel()
    if height is None:
        return Agreement(0, "", ())
    return _judged(height, {name: own[height] for name, own in told.roots.items()})


async def _shared(told: _Told, *, limit_s: float) -> int | None:
    for _ in range(round(limit_s / LOOK_S)):
        height = told.shared_height()
        if height is not None:
            return height
        await asyncio.sleep(LOOK_S)
    return None


async def _listen(name: str, client: NodeClient, told: _Told) -> None:
    try:
        head = await client.head()
        async with client.stream() as stream:
            await stream.subscribe(Topic.COMMITS)
            own = told.roots[name]
            own[head.height] = head.state_root
            async for notice in stream:
                if isinstance(notice, CommitNotice) and len(own) < HEIGHTS_MAX:
                    own[notice.height] = notice.state_root
    except (NodeUnreachableError, NodeAnswerError):
        # A node that does not answer has no say; who needs all of them counts.
        told.roots.pop(name, None)


def _judged(height: int, roots: Mapping[str, str]) -> Agreement:
    different = sorted(set(roots.values()))
    if len(different) > 1:
        shown = ", ".join(f"{name} {root[:16]}" for name, root in sorted(roots.items()))
        raise DivergedError(f"states differ at height {height}: {shown}")
    return Agreement(height, different[0], tuple(sorted(roots)))
