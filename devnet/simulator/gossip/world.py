"""What all nodes of one gossip simulation share: time, wires, identities, who is connected."""

from typing import TYPE_CHECKING, Final

from devnet.simulator.gossip.events import Connected, Disconnected, NodeEffect, NodeInput
from devnet.simulator.gossip.ledger import Ledger
from devnet.simulator.gossip.scenario import SYBIL_ADDRESSES, Scenario
from devnet.simulator.kernel.scheduler import Scheduler
from p2p.wire.identity import Identity
from p2p.wire.role import Direction

if TYPE_CHECKING:
    from devnet.simulator.kernel.machine import Machine
    from devnet.simulator.kernel.network import Network

_SYBIL_NET: Final = "93.184.216"


class World:
    """The surroundings of the nodes.

    Args:
        sybils: identities beside the nodes; they share a few addresses.

    Attributes:
        honest: the nodes that follow the protocol; number 0 is the victim of eclipses.
    """

    def __init__(self, scenario: Scenario, scheduler: Scheduler, *, sybils: int) -> None:
        self.scenario = scenario
        self.scheduler = scheduler
        self.ledger = Ledger()
        self.count = scenario.nodes + sybils
        self.honest = tuple(n for n in range(scenario.nodes) if n not in scenario.attackers)
        self.identities = [
            Identity.from_seed(number.to_bytes(32, "little")) for number in range(self.count)
        ]
        self.numbers = {identity.peer_id: number for number, identity in enumerate(self.identities)}
        self.machines: list[Machine[NodeInput, NodeEffect]] = []
        self.network: Network[bytes]
        self._links: set[tuple[int, int]] = set()
        self._bans: set[tuple[int, int]] = set()

    def ip(self, number: int) -> str:
        """Return the address of a node: its own, or one of the few that all sybils share."""
        if number >= self.scenario.nodes:
            return f"{_SYBIL_NET}.{number % SYBIL_ADDRESSES}"
        return f"8.{number >> 8}.{number & 255}.1"

    def is_connected(self, one: int, other: int) -> bool:
        """Tell whether two nodes have a connection."""
        return (one, other) in self._links

    def connect(self, dialer: int, target: int) -> bool:
        """Open a connection, unless there is one or a ban; return whether it was opened."""
        link = (dialer, target)
        is_banned = link in self._bans or (target, dialer) in self._bans
        if dialer == target or link in self._links or is_banned:
            return False
        self._links.add((dialer, target))
        self._links.add((target, dialer))
        self.machines[dialer].submit(Connected(target, Direction.OUTBOUND))
        self.machines[target].submit(Connected(dialer, Direction.INBOUND))
        return True

    def ban(self, judge: int, culprit: int) -> None:
        """Close a connection for good, as a host does with a peer that is graylisted."""
        self._bans.add((judge, culprit))
        self.disconnect(judge, culprit)

    def disconnect(self, one: int, other: int) -> None:
        """Close a connection, if there is one."""
        if (one, other) in self._links:
            self._links.discard((one, other))
            self._links.discard((other, one))
            self.machines[one].submit(Disconnected(other))
            self.machines[other].submit(Disconnected(one))

    def send(self, source: int, target: int, raw: bytes) -> None:
        """Put bytes on the wire, if the two are connected."""
        if (source, target) in self._links:
            self.network.send(source, target, raw)
