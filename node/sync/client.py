"""Asks peers, judges what they answer, and turns to another peer when an answer is of no use.

Guards: nothing leaves this file that was not verified. A peer whose answer cannot be right is
blamed; one that is slow, silent or has nothing is only asked later than the others.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

import structlog

from node.ledger.checkpoint import Certificate, read_certificate, verify_certificate
from node.ledger.committee import Seats
from node.ledger.light_client import ChainLink
from node.ledger.tree.snapshot import SNAPSHOT_CHUNK_CODEC, SnapshotChunk
from node.sync.errors import FalseAnswerError
from node.sync.limits import SyncLimits
from node.sync.race import first_of_use
from node.sync.sources import Sources
from node.sync.wire import (
    ANSWER_BYTES_MAX,
    CERTIFICATE_REQUEST_CODEC,
    CHUNK_REQUEST_CODEC,
    COMMITS_REQUEST_CODEC,
    LINK_CODEC,
    LINKS_REQUEST_CODEC,
    MANIFEST_REQUEST_CODEC,
    PIECE_CODEC,
    CertificateRequest,
    ChunkRequest,
    CommitsRequest,
    LinksRequest,
    ManifestRequest,
    Piece,
    SyncProtocols,
)
from p2p.errors import PeerTimeoutError
from p2p.host import Host
from p2p.request import RequestProtocol, ask
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.clock import Clock
from primitives.errors import (
    InvalidCheckpointError,
    MalformedBytesError,
    PeerError,
    RemoteProtocolError,
)
from primitives.ids import ChainId, Height

PAUSE_S: Final = 0.1
"""Between two rounds of asking everybody; doubled each time, up to two seconds."""
PAUSE_MAX_S: Final = 2.0
LOOK_MS: Final = 50
"""Between two looks for a first peer."""
SURVEYED_MAX: Final = 16
"""Peers that are asked for their newest certificate."""

_MS_PER_S: Final = 1_000
_log = structlog.get_logger("sync.client")

T = TypeVar("T")
Ask = Callable[[PeerId], Coroutine[None, None, T | None]]
"""Asks one peer; returns None if it has nothing.

Raises:
    PeerError: it did not answer, or not with the truth.
"""


class SyncClient:
    """Questions to the connected peers of one host."""

    def __init__(self, host: Host, *, chain_id: ChainId, clock: Clock, limits: SyncLimits) -> None:
        self._host = host
        self._chain_id = chain_id
        self._clock = clock
        self._limits = limits
        self._protocols = SyncProtocols(chain_id)
        self.sources = Sources(rest_ms=limits.rest_ms)

    @property
    def peers(self) -> tuple[PeerId, ...]:
        """Return who may be asked."""
        return tuple(peer for peer in self._host.connections.peers if not self._is_left(peer))

    async def await_peers(self) -> bool:
        """Wait for a first peer; tell whether there is one."""
        looks = self._limits.peers_wait_ms // LOOK_MS
        for _ in range(looks):
            if self.peers:
                break
            await asyncio.sleep(LOOK_MS / _MS_PER_S)
        return bool(self.peers)

    async def obtain(
        self, question: Ask[T], *, stagger_ms: int, is_hopeless: Callable[[], bool]
    ) -> T | None:
        """Return the first answer of use, however long that takes; None if there is no hope.

        Args:
            question: to ask.
            stagger_ms: see `first_of_use`.
            is_hopeless: looked at when patience has run out. Without peers there is hope still.
        """
        deadline_ms = self._now_ms + self._limits.patience_ms
        pause_s = PAUSE_S
        while True:
            found = await self.obtain_now(question, stagger_ms=stagger_ms)
            if found is not None:
                return found
            if self._now_ms >= deadline_ms:
                if is_hopeless():
                    return None
                _log.warning("nobody answers", peers=len(self.peers))
                deadline_ms = self._now_ms + self._limits.patience_ms
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def obtain_now(self, question: Ask[T], *, stagger_ms: int) -> T | None:
        """Return the first answer of use of the best few peers; None if none has one."""
        ranked = self.sources.ranked(self.peers, now_ms=self._now_ms)[: self._limits.asked_max]
        runners = [partial(self.attempt, question, peer) for peer in ranked]
        return await first_of_use(runners, stagger_ms=stagger_ms)

    async def survey(self, question: Ask[T]) -> list[T]:
        """Return the answers of all peers, each of which has a moment for it."""
        found: list[T] = []

        async def note(peer: PeerId) -> None:
            answer = await self.attempt(question, peer, within_ms=self._limits.survey_ms)
            if answer is not None:
                found.append(answer)

        async with asyncio.TaskGroup() as group:
            for peer in self.best_peers():
                group.create_task(note(peer), name="survey a peer")
        return found

    def best_peers(self) -> list[PeerId]:
        """Return the peers to ask, the best first, as many as are worth asking at all."""
        return self.sources.ranked(self.peers, now_ms=self._now_ms)[:SURVEYED_MAX]

    async def attempt(
        self, question: Ask[T], peer: PeerId, *, within_ms: int | None = None
    ) -> T | None:
        """Return the answer of one peer, None if it is of no use; note what it was worth."""
        began_ms = self._now_ms
        self.sources.asked(peer)
        try:
            async with asyncio.timeout((within_ms or self._limits.answer_ms) / _MS_PER_S):
                found = await question(peer)
        except TimeoutError:
            self.blame(peer, PeerTimeoutError("an answer took too long", peer=peer_id_text(peer)))
            return None
        except PeerError as error:
            self.blame(peer, error)
            return None
        finally:
            self.sources.done(peer)
        if found is None:
            self.sources.lacked(peer, now_ms=self._now_ms)
        else:
            self.sources.answered(peer, took_ms=self._now_ms - began_ms)
        return found

    async def certificate(
        self, peer: PeerId, request: CertificateRequest, *, seats: Seats
    ) -> Certificate | None:
        """Ask for a certificate of an epoch with these seats.

        Raises:
            PeerError: it did not answer, or not with the truth.
        """
        body = CERTIFICATE_REQUEST_CODEC.encode(request)
        answer = await self._answer(peer, self._protocols.certificate, body)
        if not answer:
            return None
        try:
            certificate = read_certificate(answer[0])
            verify_certificate(
                certificate, chain_id=self._chain_id, epoch=request.epoch, seats=seats
            )
        except InvalidCheckpointError as error:
            raise _lie(f"a certificate: {error}", peer) from error
        if certificate.checkpoint.height <= request.above:
            raise _lie("a certificate that is no news", peer)
        return certificate

    async def links(self, peer: PeerId, request: LinksRequest) -> tuple[ChainLink, ...] | None:
        """Ask for certificates of epochs, which are not verified yet.

        Raises:
            PeerError: it did not answer, or not with links.
        """
        body = LINKS_REQUEST_CODEC.encode(request)
        answer = await self._answer(peer, self._protocols.links, body)
        try:
            links = tuple(map(LINK_CODEC.decode, answer))
        except MalformedBytesError as error:
            raise _lie(f"a link: {error}", peer) from error
        if len(links) > request.count:
            raise _lie(f"{len(links)} links, {request.count} were asked for", peer)
        return links or None

    async def pieces(self, peer: PeerId, request: CommitsRequest) -> AsyncGenerator[Piece, None]:
        """Yield what a peer answers about commits; nothing of it is verified yet.

        Raises:
            PeerError: it did not answer, or not with pieces.
        """
        body = COMMITS_REQUEST_CODEC.encode(request)
        async with aclosing(self._chunks(peer, self._protocols.commits, body)) as chunks:
            async for chunk in chunks:
                try:
                    piece = PIECE_CODEC.decode(chunk)
                except MalformedBytesError as error:
                    raise _lie(f"commits: {error}", peer) from error
                yield piece

    async def manifest(self, peer: PeerId, height: Height | None) -> Certificate | None:
        """Ask which state a peer holds for us; its certificate is not verified yet.

        Raises:
            PeerError: it did not answer, or not with a certificate.
        """
        body = MANIFEST_REQUEST_CODEC.encode(ManifestRequest(height))
        answer = await self._answer(peer, self._protocols.manifest, body)
        if not answer:
            return None
        try:
            certificate = read_certificate(answer[0])
        except InvalidCheckpointError as error:
            raise _lie(f"a snapshot: {error}", peer) from error
        if height is not None and certificate.checkpoint.height != height:
            raise _lie("a snapshot of another height", peer)
        return certificate

    async def chunk(self, peer: PeerId, request: ChunkRequest) -> SnapshotChunk | None:
        """Ask for a chunk of a held state, which is not verified yet.

        Raises:
            PeerError: it did not answer, or not with the chunk.
        """
        body = CHUNK_REQUEST_CODEC.encode(request)
        answer = await self._answer(peer, self._protocols.chunk, body)
        if not answer:
            return None
        try:
            chunk = SNAPSHOT_CHUNK_CODEC.decode(answer[0])
        except MalformedBytesError as error:
            raise _lie(f"a chunk: {error}", peer) from error
        if chunk.low != request.low:
            raise _lie("another chunk than was asked for", peer)
        return chunk

    def blame(self, peer: PeerId, error: PeerError) -> None:
        """Note what a peer did wrong."""
        self.sources.failed(peer, now_ms=self._now_ms)
        # Who has not said what it is may be of another chain, which is told when it does.
        is_known = self._host.introductions.of(peer) is not None and not self._is_left(peer)
        log = _log.warning if is_known or isinstance(error, RemoteProtocolError) else _log.debug
        log("answer refused", peer=peer_id_text(peer), code=error.code, reason=str(error))
        self._host.blame(peer, error)

    def _is_left(self, peer: PeerId) -> bool:
        """Tell whether the host has banned a peer whose connection is not over yet."""
        return self._host.bans.is_banned(peer, now_ms=self._host.clock.monotonic_ms())

    async def _answer(
        self, peer: PeerId, protocol: RequestProtocol, body: bytes
    ) -> Sequence[bytes]:
        async with aclosing(self._chunks(peer, protocol, body)) as chunks:
            return [chunk async for chunk in chunks]

    async def _chunks(
        self, peer: PeerId, protocol: RequestProtocol, body: bytes
    ) -> AsyncGenerator[bytes, None]:
        connection = await self._host.connect(peer)
        size_bytes = 0
        async with aclosing(ask(connection, protocol, body)) as chunks:
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > ANSWER_BYTES_MAX:
                    raise _lie(f"an answer above {ANSWER_BYTES_MAX} bytes", peer)
                yield chunk

    @property
    def _now_ms(self) -> int:
        return self._clock.monotonic_ms()


def _lie(what: str, peer: PeerId) -> FalseAnswerError:
    return FalseAnswerError(what, peer=peer_id_text(peer))
