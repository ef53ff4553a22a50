"""Hand sealed updates to those who may open them, and fetch and open those of others.

An envelope is a public blob of its own, whose id the chain does not know. So peers are asked which
envelopes there are for the root that the chain does know; what they answer is a hint, and only what
opens to exactly that root counts. Whoever opened one passes it on. A trainer that seals to some
validators only harms itself: its update needs a quorum of holders.

Which envelopes there are is remembered by pins, so it outlives the process.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import structlog

from fl.rules.update.root import blob_root
from node.blobs.errors import BadBlobError, BadEnvelopeError, BlobUnavailableError
from node.blobs.fetcher import BlobFetcher
from node.blobs.manifest import Access, BlobId, blob_id
from node.blobs.messages import (
    ENVELOPES_PER_ANSWER_MAX,
    SEALED_ANSWER_CODEC,
    SEALED_REQUEST_CODEC,
    SealedAnswer,
    SealedRequest,
    sealed_protocol,
)
from node.blobs.sealing import ENVELOPE_SIZE_BYTES_MAX
from node.chain.names import protocol
from p2p.request import RefusedRequestError, RequestServer, Result, ask_once
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import HanseError, MalformedBytesError, PeerError, RemoteProtocolError
from primitives.ids import ChainId

PIN_PREFIX: Final = "sealed/"
HEADERS_SIZE_BYTES_MAX: Final = 16_384
"""What an envelope adds to its content."""
PEERS_MAX: Final = 64
ASKED_MAX: Final = 8
"""Peers that are asked for envelopes at a time."""
TRIES_MAX: Final = 4
"""Envelopes of one root that are fetched at a time; one that nobody has delays no other."""
TRIED_MAX: Final = 32
"""Envelopes of one root that are fetched in vain before we give up."""
ENVELOPE_TIMEOUT_MS: Final = 30_000
"""For one envelope; those that failed are tried again after it, until the deadline."""
PAUSE_S: Final = 1

Opener: TypeAlias = Callable[[bytes], bytes]
"""Returns what is in an envelope, or raises `BadEnvelopeError`."""

_log: Final = structlog.get_logger("node.blobs.sealed")


@dataclass(frozen=True, slots=True)
class SealedRoot:
    """An update that was revealed: its task, its round, and the id of its blob."""

    task: int
    round: int
    root: BlobId

    @property
    def reason(self) -> str:
        """Return why an envelope of it is pinned."""
        return f"{_round_prefix(self.task, self.round)}{self.root.hex()}/"


class SealedUpdates:
    """The envelopes that one node knows."""

    def __init__(self, fetcher: BlobFetcher, *, chain_id: ChainId) -> None:
        self._fetcher = fetcher
        self._store = fetcher.store
        self._host = fetcher.host
        self._aside = fetcher.aside
        self._envelopes: dict[str, BlobId] = fetcher.store.pinned(PIN_PREFIX)
        self._protocol = sealed_protocol(protocol(chain_id, "sealed"))
        server = RequestServer(self._protocol, self._answer, clock=self._host.clock)
        self._host.handle(self._protocol.name, server.serve)

    def offer(self, sealed: SealedRoot, envelope: bytes) -> BlobId:
        """Keep an envelope and give it to whoever asks; blocks on the disk.

        Raises:
            StorageError: it cannot be kept.
        """
        cid = self._store.put(envelope, access=Access.PUBLIC)
        found = blob_id(cid)
        self._keep(sealed, found)
        return found

    def forget(self, task: int, *, before: int) -> None:
        """Let the envelopes of the rounds before one go, which are over; blocks on the disk."""
        for reason, blob in self._beginning(f"{PIN_PREFIX}{task}/"):
            if int(reason.split("/")[2]) < before:
                del self._envelopes[reason]
                self._store.unpin(blob, reason)

    def known(self, sealed: SealedRoot) -> tuple[BlobId, ...]:
        """Return the envelopes of an update that are here."""
        return tuple(blob for _, blob in self._beginning(sealed.reason))

    async def fetch(
        self,
        sealed: SealedRoot,
        *,
        opener: Opener,
        holders: Sequence[PeerId],
        deadline_ms: int,
        size_bytes_max: int,
        pin: str | None = None,
    ) -> None:
        """Have the update in the store, private, before returning; at once if it is there.

        Args:
            sealed: which one.
            opener: with our key.
            holders: whom to ask, the trainer's node first.
            deadline_ms: from now.
            size_bytes_max: of the update.
            pin: why the update must stay.

        Raises:
            BlobUnavailableError: nobody had an envelope that opens to it, in time.
            StorageError: it cannot be kept.
        """
        if self._store.has(sealed.root):
            return
        search = _Search(sealed, opener, size_bytes_max=size_bytes_max, pin=pin)
        try:
            async with asyncio.timeout(deadline_ms / 1_000):
                while True:
                    if await self._look(search, holders):
                        return
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError as error:
            raise BlobUnavailableError(
                f"no envelope of {sealed.root.hex()} within {deadline_ms} ms: {search.reason}"
            ) from error

    async def _look(self, search: "_Search", holders: Sequence[PeerId]) -> bool:
        """Ask everybody once and try what they know; tell whether the update is here then."""
        hints: dict[BlobId, list[PeerId]] = {blob: [] for blob in self.known(search.sealed)}
        asked = [peer for peer in dict.fromkeys(holders) if peer != self._host.peer_id][:PEERS_MAX]
        answers = await self._ask_all(asked, search)
        # In the order of the holders: what a stranger makes up is tried after what the trainer has.
        for peer in asked:
            for envelope in answers.get(peer, ()):
                hints.setdefault(envelope, []).append(peer)
        places = asyncio.Semaphore(TRIES_MAX)
        async with asyncio.TaskGroup() as tries:
            search.tries = [
                tries.create_task(self._try(envelope, peers, search, places), name="envelope try")
                for envelope, peers in hints.items()
                if envelope not in search.tried
            ]
        if search.failure is not None:
            raise search.failure
        return self._store.has(search.sealed.root)

    async def _ask_all(
        self, peers: Sequence[PeerId], search: "_Search"
    ) -> dict[PeerId, tuple[BlobId, ...]]:
        answers: dict[PeerId, tuple[BlobId, ...]] = {}
        places = asyncio.Semaphore(ASKED_MAX)

        async def ask(peer: PeerId) -> None:
            async with places:
                answers[peer] = await self._ask(peer, search)

        async with asyncio.TaskGroup() as askers:
            for peer in peers:
                askers.create_task(ask(peer), name="envelope asker")
        return answers

    async def _ask(self, peer: PeerId, search: "_Search") -> tuple[BlobId, ...]:
        sealed = search.sealed
        body = SEALED_REQUEST_CODEC.encode(SealedRequest(sealed.task, sealed.round, sealed.root))
        try:
            connection = await self._host.connect(peer)
            raw = await ask_once(connection, self._protocol, body)
            answer = _decoded(raw, peer)
        except PeerError as error:
            search.reason = f"{error.peer}: {error}"
            self._host.blame(peer, error)
            return ()
        return tuple(BlobId(envelope) for envelope in answer.envelopes)

    async def _try(
        self,
        envelope: BlobId,
        peers: Sequence[PeerId],
        search: "_Search",
        places: asyncio.Semaphore,
    ) -> None:
        limit = min(ENVELOPE_SIZE_BYTES_MAX, search.size_bytes_max + HEADERS_SIZE_BYTES_MAX)
        async with places:
            try:
                await self._fetcher.fetch(
                    envelope, holders=peers, deadline_ms=ENVELOPE_TIMEOUT_MS, size_bytes_max=limit
                )
                await self._aside(partial(self._open, envelope, search))
                search.end()
            except (BadBlobError, BadEnvelopeError) as error:
                # Its maker may have sealed to others only, so who passes it on is not to blame.
                search.give_up(envelope, reason=str(error))
            except BlobUnavailableError as error:
                search.reason = str(error)
            except HanseError as error:
                search.end(error)

    def _open(self, envelope: BlobId, search: "_Search") -> None:
        sealed = search.sealed
        content = search.opener(self._store.read(envelope))
        found = blob_root(content)
        if blob_id(found) != sealed.root:
            raise BadEnvelopeError(f"it holds {found}")
        self._store.put(content, access=Access.PRIVATE, pin=search.pin)
        self._keep(sealed, envelope)

    def _keep(self, sealed: SealedRoot, envelope: BlobId) -> None:
        reason = f"{sealed.reason}{envelope.hex()}"
        self._store.pin(envelope, reason)
        self._envelopes[reason] = envelope

    def _beginning(self, prefix: str) -> list[tuple[str, BlobId]]:
        return [item for item in tuple(self._envelopes.items()) if item[0].startswith(prefix)]

    async def _answer(self, asker: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        del asker
        try:
            request = SEALED_REQUEST_CODEC.decode(body)
        except MalformedBytesError as error:
            raise RefusedRequestError(str(error), result=Result.INVALID_REQUEST) from error
        known = self.known(SealedRoot(request.task, request.round, BlobId(request.root)))
        yield SEALED_ANSWER_CODEC.encode(SealedAnswer(known[:ENVELOPES_PER_ANSWER_MAX]))


class _Search:
    """The search for one update."""

    def __init__(
        self, sealed: SealedRoot, opener: Opener, *, size_bytes_max: int, pin: str | None
    ) -> None:
        self.sealed = sealed
        self.opener = opener
        self.size_bytes_max = size_bytes_max
        self.pin = pin
        self.tried: set[BlobId] = set()
        self.failure: HanseError | None = None
        self.tries: list[asyncio.Task[None]] = []
        self.reason = "nobody knows one"

    def give_up(self, envelope: BlobId, *, reason: str) -> None:
        """Remember an envelope that is of no use; after too many, the search has failed."""
        _log.debug("envelope refused", envelope=envelope.hex(), reason=reason)
        self.reason = f"envelope {envelope.hex()}: {reason}"
        self.tried.add(envelope)
        if len(self.tried) >= TRIED_MAX:
            text = f"{TRIED_MAX} envelopes of {self.sealed.root.hex()} do not open to it"
            self.end(BlobUnavailableError(text))

    def end(self, failure: HanseError | None = None) -> None:
        """Stop all that is tried, since the update is here or never will be."""
        self.failure = failure
        for task in self.tries:
            if task is not asyncio.current_task():
                task.cancel()


def _round_prefix(task: int, round_number: int) -> str:
    return f"{PIN_PREFIX}{task}/{round_number}/"


def _decoded(raw: bytes, peer: PeerId) -> SealedAnswer:
    try:
        return SEALED_ANSWER_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise RemoteProtocolError(f"envelopes: {error}", peer=peer_id_text(peer)) from error
