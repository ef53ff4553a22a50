"""The network of the in-process devnet: one bounded queue of arrivals per node."""

import asyncio

import msgspec

from primitives.ids import AuthorityIndex

ARRIVALS_MAX = 1_024


class MemoryNetwork:
    """Carries messages between nodes of one process, in order, each after the same delay.

    Attributes:
        lost_count: messages for nodes that had too many waiting.
    """

    def __init__(self, size: int, *, latency_ms: int = 0) -> None:
        self.lost_count = 0
        self._latency_s = latency_ms / 1_000
        self._arrivals: list[asyncio.Queue[_Arrival]] = [
            asyncio.Queue(maxsize=ARRIVALS_MAX) for _ in range(size)
        ]

    def end(self, own: AuthorityIndex) -> "NetworkEnd":
        """Return a node's end of the network."""
        return NetworkEnd(self, own)

    def carry(self, sender: AuthorityIndex, peer: int, message: bytes) -> None:
        """Put a message on its way; a node that does not keep up loses it."""
        due_s = asyncio.get_running_loop().time() + self._latency_s
        try:
            self._arrivals[peer].put_nowait(_Arrival(due_s, sender, message))
        except asyncio.QueueFull:
            self.lost_count += 1

    def carry_to_all(self, sender: AuthorityIndex, message: bytes) -> None:
        """Put a message on its way to everybody else."""
        for peer in range(len(self._arrivals)):
            if peer != sender:
                self.carry(sender, peer, message)

    async def arrival(self, own: AuthorityIndex) -> tuple[AuthorityIndex, bytes]:
        """Wait for a node's next message; who sent it is certain."""
        arrival = await self._arrivals[own].get()
        await asyncio.sleep(max(0, arrival.due_s - asyncio.get_running_loop().time()))
        return arrival.sender, arrival.message


class _Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message on its way, due in seconds of the event loop's clock."""

    due_s: float
    sender: AuthorityIndex
    message: bytes


class NetworkEnd:
    """Implements `consensus.ports.Network` for one node."""

    def __init__(self, network: MemoryNetwork, own: AuthorityIndex) -> None:
        self._network = network
        self._own = own

    async def broadcast(self, message: bytes) -> None:
        """Send to everybody else."""
        self._network.carry_to_all(self._own, message)

    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        """Send to one node."""
        self._network.carry(self._own, peer, message)

    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        """Wait for the next message."""
        return await self._network.arrival(self._own)
