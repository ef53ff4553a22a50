"""A peer without a seat that asks every node of a network for what it gives away.

It has the keys and the code of a full node, but a peer id of its own, since that node runs as well.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from devnet.local.founding import account_key, network_password
from devnet.local.network import LocalNetwork
from fl.rules.update.root import blob_root
from node.blobs.errors import BadEnvelopeError, BlobUnavailableError
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import BlobId, blob_id
from node.blobs.sealed import SealedRoot, SealedUpdates
from node.blobs.sealing import check_envelope, open_envelope
from node.blobs.store import BlobStore
from node.config.sections import NetworkSection
from node.keystore.key_file import KeyKind, open_key
from node.running.peering import open_peering
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import parse_peer_id
from primitives.ids import Address, ChainId
from primitives.keys import PrivateKey

TRY_MS: Final = 500
"""Much less than a round takes: what is tried while one ends proves nothing."""

CONTROL_MS: Final = 20_000
SIZE_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatKeys:
    """What opens an envelope: an operator's address and a consensus key."""

    operator: Address
    consensus: PrivateKey

    @classmethod
    def of(cls, network: LocalNetwork, name: str) -> "SeatKeys":
        """Return those of a node, which it has whether it is a validator or not."""
        node = network.record.node(name)
        return cls(
            operator=Address(account_key(network.folder, node).public.raw),
            consensus=open_key(
                network.folder / name / "keys" / "consensus.key",
                password=network_password(network.folder),
                kind=KeyKind.CONSENSUS,
            ),
        )

    def open(self, envelope: bytes) -> bytes:
        """Return what is in an envelope.

        Raises:
            BadEnvelopeError: these keys do not open it.
        """
        return open_envelope(envelope, operator=self.operator, consensus_key=self.consensus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spy:
    """What it can get, it gets; its store keeps that."""

    keys: SeatKeys
    store: BlobStore
    fetcher: BlobFetcher
    sealed: SealedUpdates

    async def reads(self, root: BlobId, *, limit_ms: int = TRY_MS) -> bool:
        """Tell whether anybody gives away an update as it is."""
        try:
            await self.fetcher.fetch(root, deadline_ms=limit_ms, size_bytes_max=SIZE_BYTES_MAX)
        except BlobUnavailableError:
            return False
        return True

    async def opens(self, sealed: SealedRoot) -> bool:
        """Tell whether an envelope that anybody gives away opens to an update with its keys."""
        try:
            await self.sealed.fetch(
                sealed,
                opener=self.keys.open,
                holders=self.fetcher.host.connections.peers,
                deadline_ms=TRY_MS,
                size_bytes_max=SIZE_BYTES_MAX,
            )
        except BlobUnavailableError:
            return False
        return True

    def envelopes(self) -> list[bytes]:
        """Return the envelopes that it got."""
        here = filter(self.store.has, (blob_id(stat.cid) for stat in self.store.listing()))
        return [content for content in map(self.store.read, here) if _is_envelope(content)]


@asynccontextmanager
async def spying(network: LocalNetwork, name: str, *, folder: Path) -> AsyncIterator[Spy]:
    """Give a spy with the keys of a node, connected to all nodes."""
    chain_id = ChainId(bytes.fromhex(network.record.chain_id))
    identity = Identity.from_seed(secrets.token_bytes(32))
    peering = partial(open_peering, NetworkSection(listen=()), identity=identity, version="1")
    await asyncio.to_thread(folder.mkdir)
    with BlobStore.open(
        folder / "blobs",
        chain_id=chain_id,
        node_id=identity.public_key,
        clock=network.clock,
    ) as store:
        async with peering(chain_id=chain_id, folder=folder, clock=network.clock) as opened:
            for node in network.record.nodes:
                peer_id = parse_peer_id(node.peer_id)
                await opened.host.connect(peer_id, [Multiaddr.parse(node.endpoint)])
            fetcher = BlobFetcher(opened.host, store, chain_id=chain_id)
            yield Spy(
                keys=SeatKeys.of(network, name),
                store=store,
                fetcher=fetcher,
                sealed=SealedUpdates(fetcher, chain_id=chain_id),
            )


def root_of(content: bytes) -> BlobId:
    """Return the id of a content, as the chain names updates."""
    return blob_id(blob_root(content))


def _is_envelope(content: bytes) -> bool:
    try:
        check_envelope(content)
    except BadEnvelopeError:
        return False
    return True
