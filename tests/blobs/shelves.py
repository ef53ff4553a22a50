"""Stores, hosts and contents for tests of blobs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fl.rules.update.root import CHUNK_SIZE_BYTES
from node.blobs.aside import at_once
from node.blobs.bounds import BYTES_MAX, BlobBounds
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.sealed import SealedUpdates
from node.blobs.server import BlobServer
from node.blobs.store import BlobStore
from p2p.host import Host
from primitives.hashing import Domain, tagged_hash
from primitives.ids import ChainId
from tests.p2p.town import Town, meet

CHAIN = ChainId(tagged_hash(Domain.CHAIN, b"blobs"))
NODE = b"this node"
CHUNK = CHUNK_SIZE_BYTES


class Watch:
    """A clock that a test moves."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        self.now_ms += 1
        return self.now_ms


def content(size_bytes: int, *, seed: int = 0) -> bytes:
    """Return bytes that differ from place to place."""
    block = b"".join((seed * 7_919 + n).to_bytes(4, "big") for n in range(1_024))
    parts = -(-size_bytes // len(block))
    return b"".join(n.to_bytes(4, "big") + block[4:] for n in range(parts))[:size_bytes]


@contextmanager
def opened(
    folder: Path, *, clock: Watch | None = None, bytes_max: int = BYTES_MAX, node: bytes = NODE
) -> Iterator[BlobStore]:
    bounds = BlobBounds(bytes_max=bytes_max, file_bytes_max=bytes_max)
    with BlobStore.open(
        folder, chain_id=CHAIN, node_id=node, clock=clock or Watch(), bounds=bounds
    ) as store:
        yield store


@dataclass
class Keeper:
    """A host with a store that serves and fetches."""

    host: Host
    store: BlobStore
    fetcher: BlobFetcher
    sealed: SealedUpdates

    def put(self, raw: bytes, *, access: Access = Access.PUBLIC) -> BlobId:
        return blob_id(self.store.put(raw, access=access))


@dataclass
class Quarter:
    """A town where people keep blobs."""

    folder: Path
    town: Town
    stack: AsyncExitStack
    keepers: list[Keeper] = field(default_factory=list)

    async def keeper(self, number: int) -> Keeper:
        host = await self.stack.enter_async_context(self.town.open(number))
        store = self.stack.enter_context(opened(self.folder / str(number)))
        BlobServer(host, store, chain_id=CHAIN, aside=at_once)
        fetcher = BlobFetcher(host, store, chain_id=CHAIN, aside=at_once)
        keeper = Keeper(host, store, fetcher, SealedUpdates(fetcher, chain_id=CHAIN))
        for other in self.keepers:
            await meet(host, other.host)
        self.keepers.append(keeper)
        return keeper

    async def stranger(self, number: int) -> Host:
        """Return a host that serves nothing yet, connected to all keepers."""
        host = await self.stack.enter_async_context(self.town.open(number))
        for keeper in self.keepers:
            await meet(host, keeper.host)
        return host


@asynccontextmanager
async def quarter(folder: Path) -> AsyncIterator[Quarter]:
    async with AsyncExitStack() as stack:
        yield Quarter(folder, Town(), stack)
