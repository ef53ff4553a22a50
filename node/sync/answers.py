"""The answers to peers that catch up, as handlers of the protocols of one chain.

Guards: nothing that an asker says is trusted further than its bounds; what this node does not have,
or holds no longer, is an empty answer.
"""

from collections.abc import AsyncGenerator, Iterator
from functools import partial
from typing import TypeVar

from node.chain.chain import Chain
from node.ledger.checkpoint import CERTIFICATE_CODEC, Certificate
from node.ledger.tree.snapshot import SNAPSHOT_CHUNK_CODEC
from node.storage.state_errors import StatePrunedError
from node.sync.limits import ServingLimits
from node.sync.serving import (
    certificate_for,
    links_for,
    range_pieces,
    spine_pieces,
    stored_blocks,
)
from node.sync.shelf import Shelf
from node.sync.threads import in_thread
from node.sync.wire import (
    CERTIFICATE_REQUEST_CODEC,
    CHUNK_REQUEST_CODEC,
    COMMITS_REQUEST_CODEC,
    LINK_CODEC,
    LINKS_REQUEST_CODEC,
    MANIFEST_REQUEST_CODEC,
    PIECE_CODEC,
    AbsentPiece,
    ChunkRequest,
    SpineRequest,
    SyncProtocols,
)
from p2p.request import Handler, RefusedRequestError, RequestProtocol, Result
from p2p.wire.peer_id import PeerId
from primitives.clock import Clock
from primitives.codec import Codec
from primitives.errors import MalformedBytesError
from primitives.ids import Height

T = TypeVar("T")


class Answers:
    """Answers from one chain, and the states that are held for those who fetch them."""

    def __init__(self, chain: Chain, *, clock: Clock, limits: ServingLimits) -> None:
        self._chain = chain
        self._clock = clock
        self.shelf = Shelf(chain.store, limits=limits)

    def handlers(self) -> tuple[tuple[RequestProtocol, Handler], ...]:
        """Return every protocol with what answers it."""
        protocols = SyncProtocols(self._chain.chain_id)
        return (
            (protocols.certificate, self._certificate),
            (protocols.links, self._links),
            (protocols.commits, self._commits),
            (protocols.manifest, self._manifest),
            (protocols.chunk, self._chunk),
        )

    def tidy(self) -> None:
        """Let go the states that nobody asked about for a while."""
        self.shelf.tidy(now_ms=self._now_ms)

    async def _certificate(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        request = _read(CERTIFICATE_REQUEST_CODEC, body)
        found = await in_thread(partial(certificate_for, request, chain=self._chain))
        if found is not None:
            yield CERTIFICATE_CODEC.encode(found)

    async def _links(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        request = _read(LINKS_REQUEST_CODEC, body)
        links = await in_thread(lambda: tuple(links_for(request, chain=self._chain)))
        for link in links:
            yield LINK_CODEC.encode(link)

    async def _commits(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        request = _read(COMMITS_REQUEST_CODEC, body)
        store = stored_blocks(self._chain, request.epoch)
        pieces: Iterator[bytes]
        if isinstance(request, SpineRequest):
            pieces = spine_pieces(request, store=store)
        else:
            pieces = range_pieces(request, store=store)
        piece = await in_thread(partial(next, pieces, None))
        if piece is None:
            yield PIECE_CODEC.encode(AbsentPiece(self._chain.head.height))
        while piece is not None:
            yield piece
            piece = await in_thread(partial(next, pieces, None))

    async def _manifest(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        request = _read(MANIFEST_REQUEST_CODEC, body)
        found = self._offer() if request.height is None else self._request(request.height)
        if found is not None:
            yield CERTIFICATE_CODEC.encode(found)

    async def _chunk(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        request = _read(CHUNK_REQUEST_CODEC, body)
        if not self.shelf.use(request.height, now_ms=self._now_ms):
            return
        chunk = await in_thread(partial(self._cut, request))
        if chunk is not None:
            yield chunk

    def _cut(self, request: ChunkRequest) -> bytes | None:
        try:
            with self._chain.view(request.height) as view:
                return SNAPSHOT_CHUNK_CODEC.encode(view.cut_chunk(request.low))
        except StatePrunedError:
            # It was let go while this waited for a thread.
            return None

    def _offer(self) -> Certificate | None:
        """Return the certificate of the newest state that we can prove, and hold that state."""
        newest = self._chain.certified
        if newest is None:
            return None
        now_ms = self._now_ms
        height = self.shelf.fresh(now_ms=now_ms)
        if height is None:
            self.shelf.offer(newest.checkpoint.height, now_ms=now_ms)
            height = max(self.shelf.heights, default=None)
        return None if height is None else self._held(height)

    def _request(self, height: Height) -> Certificate | None:
        found = self._held(height)
        if found is None or not self.shelf.request(height, now_ms=self._now_ms):
            return None
        return found

    def _held(self, height: Height) -> Certificate | None:
        self.shelf.use(height, now_ms=self._now_ms)
        found = self._chain.certificate_covering(height)
        return found if found is not None and found.checkpoint.height == height else None

    @property
    def _now_ms(self) -> int:
        return self._clock.monotonic_ms()


def _read(codec: Codec[T], body: bytes) -> T:
    try:
        return codec.decode(body)
    except MalformedBytesError as error:
        raise RefusedRequestError(str(error), result=Result.INVALID_REQUEST) from error
