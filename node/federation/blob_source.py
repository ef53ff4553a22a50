"""Where blobs that the chain names come from: the store of this node, and its peers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from fl.jobs.bounds import StoredBlob
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import BlobId
from p2p.wire.peer_id import PeerId

DEADLINE_MS: Final = 600_000


class BlobSource(Protocol):
    """Gives blobs by id."""

    async def stored(self, blob: bytes, *, size_bytes_max: int) -> StoredBlob:
        """Return a file with the content of a blob.

        Raises:
            BlobUnavailableError: nobody gave it.
            BlobTooLongError: it is over the limit.
        """
        ...

    async def content(self, blob: bytes, *, size_bytes_max: int) -> bytes:
        """Return the content of a blob; raises as `stored`."""
        ...


class NodeBlobs:
    """The blobs of a node and its peers."""

    def __init__(
        self,
        fetcher: BlobFetcher,
        *,
        holders: Callable[[], Sequence[PeerId]] = tuple,
        deadline_ms: int = DEADLINE_MS,
    ) -> None:
        self._fetcher = fetcher
        self._holders = holders
        self._deadline_ms = deadline_ms

    async def stored(self, blob: bytes, *, size_bytes_max: int) -> StoredBlob:
        """Return a file with the content of a blob; see `BlobSource`."""
        found = await self._fetched(blob, size_bytes_max=size_bytes_max)
        return await self._fetcher.aside(partial(self._fetcher.store.stored, found))

    async def content(self, blob: bytes, *, size_bytes_max: int) -> bytes:
        """Return the content of a blob; see `BlobSource`."""
        found = await self._fetched(blob, size_bytes_max=size_bytes_max)
        return await self._fetcher.aside(partial(self._fetcher.store.read, found))

    async def _fetched(self, blob: bytes, *, size_bytes_max: int) -> BlobId:
        wanted = BlobId(blob)
        await self._fetcher.fetch(
            wanted,
            holders=self._holders(),
            deadline_ms=self._deadline_ms,
            size_bytes_max=size_bytes_max,
        )
        return wanted
