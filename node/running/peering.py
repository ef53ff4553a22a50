"""The network side of a node: its host, its topics and its search for peers."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from node.config.sections import NetworkSection
from node.mempool.batch import transaction_topic
from node.sync.news import certificate_rules
from p2p.discovery import Discovery, DiscoveryPlan
from p2p.host import Host, HostSettings
from p2p.limits import Limits
from p2p.peer_file import load_peers, save_peers
from p2p.pubsub import PubSub
from p2p.transport import TcpTransport
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from primitives.clock import Clock
from primitives.ids import ChainId

PEERS_FILE: Final = "peers"
CHAIN_NAME: Final = "hanse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering:
    """The parts of a node that talk to others."""

    host: Host
    pubsub: PubSub
    discovery: Discovery


@asynccontextmanager
async def open_peering(
    section: NetworkSection,
    *,
    identity: Identity,
    chain_id: ChainId,
    version: str,
    folder: Path,
    clock: Clock,
) -> AsyncIterator[Peering]:
    """Listen where the operator says; peers are remembered from one run to the next.

    Raises:
        ConfigurationError: an address is none, or cannot be listened on.
        StorageError: the file of peers cannot be used.
    """
    limits = _limits(section.connections_max)
    host = Host(
        identity,
        transports=(TcpTransport(),),
        clock=clock,
        dice=random.SystemRandom(),
        settings=HostSettings(
            limits=limits,
            agent_version=f"hanse/{version}",
            protocol_version=f"{CHAIN_NAME}/{chain_id.hex()[:16]}/1",
            announce=tuple(Multiaddr.parse(text).without_peer() for text in section.announce),
        ),
        peers=load_peers(folder / PEERS_FILE, own=identity.peer_id),
    )
    pubsub = PubSub(host, (transaction_topic(chain_id), certificate_rules(chain_id)))
    plan = DiscoveryPlan(chain=CHAIN_NAME, bootstrap=tuple(map(Multiaddr.parse, section.peers)))
    async with host, pubsub:
        for address in section.listen:
            await host.listen(Multiaddr.parse(address))
        try:
            yield Peering(host=host, pubsub=pubsub, discovery=Discovery(host, plan))
        finally:
            save_peers(folder / PEERS_FILE, host.peers)


def _limits(connections_max: int) -> Limits:
    """Return the bounds of a host that may have so many connections."""
    defaults = Limits()
    if connections_max >= defaults.connections_max:
        return replace(defaults, connections_max=connections_max)
    return replace(
        defaults,
        connections_max=connections_max,
        connections_high=max(1, connections_max * 3 // 4),
        connections_low=max(1, connections_max // 2),
        outbound_reserve=min(defaults.outbound_reserve, max(1, connections_max // 4)),
    )
