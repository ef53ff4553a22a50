"""Fetch blobs by id from whoever has them, several peers at a time, and resume what was cut short.

Guards: nothing enters the store that does not prove itself, see `BlobStore`. A peer that sends a
manifest or a chunk that is not what it says is a liar and is banned at once, for the connection
proves that it was this peer; one that merely has nothing or is slow is passed over. Memory is one
span for each asker, time is the deadline, and disk is the limit that the caller sets.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from node.blobs.aside import Aside, in_thread
from node.blobs.errors import BadBlobError, BlobTooLongError, BlobUnavailableError
from node.blobs.fetch_plan import SPAN_LEAVES, FetchPlan, Span
from node.blobs.manifest import MANIFEST_CODEC, Access, BlobId
from node.blobs.messages import (
    BLOB_REQUEST_CODEC,
    HAVE_CODEC,
    IDS_PER_REQUEST_MAX,
    BlobRequest,
    HaveRequest,
    OpenBlob,
    ReadLeaves,
    blob_protocol,
    have_protocol,
)
from node.blobs.store import BlobStore
from node.chain.names import protocol
from p2p.connection import Connection
from p2p.errors import PeerTimeoutError
from p2p.host import Host
from p2p.request import ask, ask_once
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import (
    HanseError,
    MalformedBytesError,
    PeerError,
    RemoteProtocolError,
)
from primitives.hashing import sha256
from primitives.ids import ChainId

FETCHES_MAX: Final = 8
"""Blobs that are fetched at a time; more wait."""
ASKERS_MAX: Final = 6
"""Peers that are asked for one blob at a time."""
PEERS_MAX: Final = 64
"""Peers that are tried for one blob before the first is asked again."""
SPAN_TIMEOUT_S: Final = 10
"""For one span: who is slower than 200 KiB/s makes way for others, and gets another turn later."""
PAUSE_S: Final = 1
"""Before the first peer is asked again."""

_log: Final = structlog.get_logger("node.blobs.fetcher")


class _LyingPeerError(RemoteProtocolError):
    """Blame a peer whose bytes are not what they must be; there is no honest way to that."""

    code = "blob_lie"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    blob: BlobId
    holders: Sequence[PeerId]
    size_bytes_max: int
    access: Access
    find_ms: int | None


class BlobFetcher:
    """Fetches into one store through one host.

    Args:
        peers: whom to ask besides the holders that a caller names; by default all connected ones.
    """

    def __init__(
        self,
        host: Host,
        store: BlobStore,
        *,
        chain_id: ChainId,
        peers: Callable[[], Sequence[PeerId]] | None = None,
        aside: Aside = in_thread,
    ) -> None:
        self.host = host
        self.store = store
        self.aside = aside
        self.protocol = blob_protocol(protocol(chain_id, "blob"))
        self._have = have_protocol(protocol(chain_id, "have"))
        self._peers = peers or (lambda: host.connections.peers)
        self._places = asyncio.Semaphore(FETCHES_MAX)
        self._turns: dict[BlobId, asyncio.Lock] = {}
        self._waiting: dict[BlobId, int] = {}

    async def fetch(
        self,
        blob: BlobId,
        *,
        holders: Sequence[PeerId] = (),
        deadline_ms: int,
        size_bytes_max: int,
        access: Access = Access.PUBLIC,
        find_ms: int | None = None,
    ) -> None:
        """Have a blob in the store as a whole before returning; at once if it is there.

        Args:
            blob: its id, as contracts name it.
            holders: whom to ask first.
            deadline_ms: from now.
            size_bytes_max: a longer blob is refused before any of its chunks is fetched.
            access: who may have it from us.
            find_ms: give up before the deadline if nobody shows within this, from its turn on, that
                it has the blob, or if nothing of it comes for `SPAN_TIMEOUT_S` then.

        Raises:
            BlobUnavailableError: nobody gave it in time; a later call resumes.
            BlobTooLongError: it is longer than the limit.
            StorageError: it cannot be kept.
        """
        wanted = _Wanted(
            blob=blob,
            holders=holders,
            size_bytes_max=size_bytes_max,
            access=access,
            find_ms=find_ms,
        )
        fetching: _Fetching | None = None
        try:
            async with asyncio.timeout(deadline_ms / 1_000):
                with self._queued(blob) as turn:
                    async with turn, self._places:
                        if self.store.has(blob):
                            return
                        fetching = _Fetching(self, wanted, peers=self._peers)
                        await fetching.run()
        except TimeoutError as error:
            reason = "others were fetched first" if fetching is None else fetching.reason
            raise BlobUnavailableError(
                f"no peer gave blob {blob.hex()} within {deadline_ms} ms: {reason}"
            ) from error

    async def which(self, peer: PeerId, blobs: Sequence[BlobId]) -> frozenset[BlobId]:
        """Return which of these blobs a peer says it gives away.

        Raises:
            PeerError: it cannot be reached, or does not answer as it should.
        """
        asked = tuple(blobs[:IDS_PER_REQUEST_MAX])
        connection = await self.host.connect(peer)
        raw = await ask_once(connection, self._have, HAVE_CODEC.encode(HaveRequest(asked)))
        if len(raw) != len(asked) or raw.strip(b"\0\1"):
            error = RemoteProtocolError(
                f"{len(raw)} bytes for {len(asked)} ids", peer=peer_id_text(peer)
            )
            self.host.blame(peer, error)
            raise error
        return frozenset(blob for blob, is_here in zip(asked, raw, strict=True) if is_here)

    @contextmanager
    def _queued(self, blob: BlobId) -> Iterator[asyncio.Lock]:
        """Yield what one fetch of a blob at a time may hold; the others find it there."""
        turn = self._turns.setdefault(blob, asyncio.Lock())
        self._waiting[blob] = self._waiting.get(blob, 0) + 1
        try:
            yield turn
        finally:
            self._waiting[blob] -= 1
            if not self._waiting[blob]:
                del self._waiting[blob], self._turns[blob]


class _Fetching:
    """One blob under way."""

    def __init__(
        self, fetcher: BlobFetcher, wanted: _Wanted, *, peers: Callable[[], Sequence[PeerId]]
    ) -> None:
        self._host = fetcher.host
        self._store = fetcher.store
        self._aside = fetcher.aside
        self._protocol = fetcher.protocol
        self._wanted = wanted
        self._peers = peers
        self._liars: set[PeerId] = set()
        self._plan: FetchPlan | None = None
        self._moved = asyncio.Event()
        self._failure: HanseError | None = None
        self._using = ExitStack()
        self._patience: asyncio.Timeout | None = None
        self.reason = "there is nobody to ask"

    async def run(self) -> None:
        """Ask peers, in turn and again, until the blob is whole.

        Raises:
            BlobUnavailableError: what comes of it is not worth the rest of the time.
            BlobTooLongError: it is longer than the limit.
            StorageError: it cannot be kept.
        """
        find_ms = self._wanted.find_ms
        find_s = None if find_ms is None else find_ms / 1_000
        try:
            with self._using:
                async with asyncio.timeout(find_s) as self._patience:
                    await self._run()
        except TimeoutError as error:
            text = f"blob {self._wanted.blob.hex()} does not come: {self.reason}"
            raise BlobUnavailableError(text) from error

    def _note_arrival(self) -> None:
        """Go on with a blob that comes, until its deadline."""
        patience = self._patience
        if patience is not None and patience.when() is not None and not patience.expired():
            patience.reschedule(asyncio.get_running_loop().time() + SPAN_TIMEOUT_S)

    async def _run(self) -> None:
        while True:
            candidates = self._candidates()
            async with asyncio.TaskGroup() as askers:
                tasks = [
                    askers.create_task(self._work(candidates), name=f"blob asker {number}")
                    for number in range(min(ASKERS_MAX, len(candidates)))
                ]
                askers.create_task(self._dismiss(tasks), name="end of askers")
            if self._failure is not None:
                raise self._failure
            if self._is_over:
                return
            await asyncio.sleep(PAUSE_S)

    @property
    def _is_over(self) -> bool:
        return self._store.has(self._wanted.blob)

    def _candidates(self) -> list[PeerId]:
        """Return whom to ask: holders first, then all others, each blob in an order of its own."""
        others = sorted(self._peers(), key=lambda peer: sha256(self._wanted.blob + peer))
        ordered = dict.fromkeys([*self._wanted.holders, *others])
        kept = (peer for peer in ordered if peer not in self._liars and peer != self._host.peer_id)
        return list(kept)[:PEERS_MAX]

    async def _dismiss(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait until the blob is whole or nobody is left, then stop those who still wait."""
        while not (self._failure or self._is_over or all(task.done() for task in tasks)):
            self._moved.clear()
            await self._moved.wait()
        for task in tasks:
            task.cancel()

    async def _work(self, candidates: list[PeerId]) -> None:
        try:
            while candidates and not self._failure and not self._is_over:
                await self._try(candidates.pop(0))
        finally:
            # The task is done only after this, so the one who counts must look again later.
            asyncio.get_running_loop().call_soon(self._moved.set)

    async def _try(self, peer: PeerId) -> None:
        try:
            await self._take_from(peer)
        except _LyingPeerError as lie:
            self._liars.add(peer)
            self.reason = f"{lie.peer} lied: {lie}"
            _log.warning("peer lied about a blob", peer=lie.peer, reason=str(lie))
            self._host.ban(peer, reason=str(lie))
        except PeerError as error:
            self.reason = f"{error.peer}: {error}"
            self._host.blame(peer, error)
        except HanseError as error:
            self._failure = error

    async def _take_from(self, peer: PeerId) -> None:
        connection = await self._host.connect(peer)
        if self._plan is None:
            await self._open(connection)
        while not self._is_over:
            assert self._plan is not None, "opening makes a plan"
            span = self._plan.take()
            if span is None:
                self._moved.clear()
                await self._moved.wait()
                continue
            request = ReadLeaves(self._wanted.blob, span.first, span.count)
            async with self._asked(connection, request) as chunks:
                await self._fill(chunks, span, connection)

    async def _open(self, connection: Connection) -> None:
        """Learn from a peer what the blob is made of, and take the chunks that come with it."""
        request = OpenBlob(self._wanted.blob, SPAN_LEAVES)
        async with self._asked(connection, request) as chunks:
            raw = await anext(chunks, None)
            if raw is None:
                raise RemoteProtocolError("no manifest came", peer=_name(connection))
            missing = await self._begin(raw, connection)
            if self._plan is not None:
                # Somebody else was faster, and these chunks are given out already.
                return
            self._note_arrival()
            self._using.enter_context(self._store.in_use(self._wanted.blob))
            self._plan = FetchPlan(missing)
            if missing and missing[0] == 0 and (span := self._plan.take()) is not None:
                await self._fill(chunks, span, connection)

    async def _begin(self, raw: bytes, connection: Connection) -> tuple[int, ...]:
        wanted = self._wanted
        try:
            manifest = MANIFEST_CODEC.decode(raw)
            return await self._aside(
                partial(
                    self._store.begin,
                    wanted.blob,
                    manifest,
                    access=wanted.access,
                    size_bytes_max=wanted.size_bytes_max,
                )
            )
        except BlobTooLongError:
            raise
        except (MalformedBytesError, BadBlobError) as error:
            raise _LyingPeerError(f"manifest: {error}", peer=_name(connection)) from error

    async def _fill(
        self, chunks: AsyncGenerator[bytes, None], span: Span, connection: Connection
    ) -> None:
        """Store the chunks of a span as they come from a peer; what does not come goes back."""
        assert self._plan is not None, "a span is of a plan"
        found: dict[int, bytes] = {}
        kept: frozenset[int] = frozenset()
        try:
            try:
                peer = _name(connection)
                await _receive(chunks, span, found=found, peer=peer, arrived=self._note_arrival)
            finally:
                # A slow peer is passed over, and what it did bring is not asked for again.
                await self._keep(found, connection)
                kept = frozenset(found)
        finally:
            self._plan.ended(span, kept=kept)
            self._moved.set()

    async def _keep(self, found: dict[int, bytes], connection: Connection) -> None:
        if not found:
            return
        try:
            await self._aside(partial(self._store.add_leaves, self._wanted.blob, found))
        except BadBlobError as error:
            raise _LyingPeerError(str(error), peer=_name(connection)) from error

    def _asked(
        self, connection: Connection, request: BlobRequest
    ) -> "aclosing[AsyncGenerator[bytes, None]]":
        return aclosing(ask(connection, self._protocol, BLOB_REQUEST_CODEC.encode(request)))


async def _receive(
    chunks: AsyncGenerator[bytes, None],
    span: Span,
    *,
    found: dict[int, bytes],
    peer: str,
    arrived: Callable[[], None],
) -> None:
    """Take the chunks of a span as they come, and tell of each.

    Raises:
        PeerTimeoutError: they come too slowly.
        RemoteProtocolError: fewer came.
        PeerError: the peer failed otherwise.
    """
    try:
        async with asyncio.timeout(SPAN_TIMEOUT_S):
            for index in span.places:
                chunk = await anext(chunks, None)
                if chunk is None:
                    break
                found[index] = chunk
                arrived()
    except TimeoutError as error:
        raise PeerTimeoutError(
            f"{len(found)} of {span.count} chunks came in {SPAN_TIMEOUT_S} s", peer=peer
        ) from error
    if len(found) < span.count:
        raise RemoteProtocolError(f"{len(found)} chunks came, not {span.count}", peer=peer)


def _name(connection: Connection) -> str:
    return peer_id_text(connection.peer_id)
