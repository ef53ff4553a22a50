"""The network side of a node: its host, its topics and its search for peers."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from node.config.sections import NetworkSection
from node.mempool.batch import transaction_topic
from node.sync.news import certificate_rules
from p2p.connection import Connection
from p2p.discovery import Discovery, DiscoveryPlan
from p2p.host import Host, HostSettings
from p2p.identify_message import IdentifyMessage
from p2p.limits import Limits
from p2p.peer_file import load_peers, save_peers
from p2p.pubsub import PubSub
from p2p.transport import TcpTransport
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.clock import Clock
from primitives.ids import ChainId

PEERS_FILE: Final = "peers"
CHAIN_NAME: Final = "hanse"
PARTING_S: Final = 2.0
"""Before we leave a peer of another chain: it has to learn the same of us to tell its operator."""
APART_MS: Final = 60_000
"""Not longer, since its operator will mend it."""
TOLD_MAX: Final = 1_024
"""Bound on the peers whose line was logged; the oldest is forgotten first."""

_PROTOCOL_VERSION: Final = re.compile(rf"{CHAIN_NAME}/([0-9a-f]{{16}})/[0-9]+")

_log: Final = structlog.get_logger("peering")


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

    A peer of another chain is told in one line of the log, and left.

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
            protocol_version=f"{CHAIN_NAME}/{_genesis_of(chain_id)}/1",
            announce=tuple(Multiaddr.parse(text).without_peer() for text in section.announce),
        ),
        peers=load_peers(folder / PEERS_FILE, own=identity.peer_id),
    )
    host.watch(ChainWatch(host, chain_id))
    pubsub = PubSub(host, (transaction_topic(chain_id), certificate_rules(chain_id)))
    plan = DiscoveryPlan(chain=CHAIN_NAME, bootstrap=tuple(map(Multiaddr.parse, section.peers)))
    async with host, pubsub:
        for address in section.listen:
            await host.listen(Multiaddr.parse(address))
        try:
            yield Peering(host=host, pubsub=pubsub, discovery=Discovery(host, plan))
        finally:
            save_peers(folder / PEERS_FILE, host.peers)


class ChainWatch:
    """Parts with peers of other chains: nothing they serve is of use, and they take up slots."""

    def __init__(self, host: Host, chain_id: ChainId) -> None:
        self._host = host
        self._genesis = _genesis_of(chain_id)
        self._told: dict[PeerId, None] = {}

    def peer_connected(self, connection: Connection) -> None:
        """Wait until the peer says what it is."""

    def peer_disconnected(self, peer_id: PeerId) -> None:
        """Remember what was told: it may come again."""

    def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
        """Compare the chain that a node names with ours; others than nodes name none."""
        named = _PROTOCOL_VERSION.fullmatch(message.protocol_version or "")
        if named is None or named[1] == self._genesis:
            return
        self._tell(peer_id, named[1])
        # A ban without a strike: behind the same address may be peers of our chain.
        self._host.bans.ban(
            peer_id,
            until_ms=self._host.clock.monotonic_ms() + APART_MS,
            reason=f"of another chain: its genesis is {named[1]}",
        )
        for connection in self._host.connections:
            if connection.peer_id == peer_id:
                connection.start_task(_part(connection), name="leave another chain")

    def _tell(self, peer_id: PeerId, genesis: str) -> None:
        if peer_id in self._told:
            return
        if len(self._told) >= TOLD_MAX:
            del self._told[next(iter(self._told))]
        self._told[peer_id] = None
        _log.warning(
            "peer is of another chain; check network.genesis and network.peers",
            peer=peer_id_text(peer_id),
            its_genesis=genesis,
            our_genesis=self._genesis,
        )


async def _part(connection: Connection) -> None:
    await asyncio.sleep(PARTING_S)
    await connection.close()


def _genesis_of(chain_id: ChainId) -> str:
    """Return the beginning of a chain id, which is the hash of the genesis file."""
    return chain_id.hex()[:16]


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
