"""Give public blobs away: manifests and chunks by id, and which ids are here.

Guards: what is private is answered as what is unknown, so nobody learns that it exists. An answer
costs at most `LEAVES_PER_REQUEST_MAX` chunks of the disk, read one at a time as the asker takes
them.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from node.blobs.aside import Aside, in_thread
from node.blobs.errors import NoSuchBlobError
from node.blobs.manifest import MANIFEST_CODEC, BlobId
from node.blobs.messages import (
    BLOB_REQUEST_CODEC,
    HAVE_CODEC,
    OpenBlob,
    blob_protocol,
    have_protocol,
)
from node.blobs.store import BlobStore
from node.chain.names import protocol
from p2p.host import Host
from p2p.request import RefusedRequestError, RequestServer, Result
from p2p.wire.peer_id import PeerId
from primitives.errors import MalformedBytesError
from primitives.ids import ChainId

ANSWERS_MAX: Final = 32
"""Answers that read from the disk at a time; more wait, whoever asks."""


class BlobServer:
    """Answers for one store on one host."""

    def __init__(
        self, host: Host, store: BlobStore, *, chain_id: ChainId, aside: Aside = in_thread
    ) -> None:
        self._store = store
        self._aside = aside
        self._places = asyncio.Semaphore(ANSWERS_MAX)
        blob = blob_protocol(protocol(chain_id, "blob"))
        have = have_protocol(protocol(chain_id, "have"))
        clock = host.clock
        host.handle(blob.name, RequestServer(blob, self._answer, clock=clock).serve)
        host.handle(have.name, RequestServer(have, self._tell, clock=clock).serve)

    async def _answer(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        try:
            request = BLOB_REQUEST_CODEC.decode(body)
        except MalformedBytesError as error:
            raise _malformed(error) from error
        blob = BlobId(request.blob)
        if not self._store.is_public(blob):
            raise _unknown()
        if isinstance(request, OpenBlob):
            yield self._manifest(blob)
            places = range(request.leaves)
        else:
            places = range(request.first, request.first + request.count)
        for index in places:
            chunks = await self._leaf(blob, index)
            if not chunks:
                return
            yield chunks[0]

    async def _tell(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        try:
            request = HAVE_CODEC.decode(body)
        except MalformedBytesError as error:
            raise _malformed(error) from error
        yield bytes(self._store.is_public(BlobId(blob)) for blob in request.blobs)

    def _manifest(self, blob: BlobId) -> bytes:
        try:
            return MANIFEST_CODEC.encode(self._store.manifest(blob))
        except NoSuchBlobError as error:
            raise _unknown() from error

    async def _leaf(self, blob: BlobId, index: int) -> list[bytes]:
        async with self._places:
            try:
                return await self._aside(lambda: self._store.leaves(blob, first=index, count=1))
            except NoSuchBlobError as error:
                # It went while we were at it.
                raise _unknown() from error


def _unknown() -> RefusedRequestError:
    return RefusedRequestError("no such blob")


def _malformed(error: MalformedBytesError) -> RefusedRequestError:
    return RefusedRequestError(str(error), result=Result.INVALID_REQUEST)
