"""Hand sealed updates to those who may open them, and fetch and open those of others.

An envelope is a public blob of its own, whose id the chain does not know. So peers are asked which
envelopes there are for the root that the chain does know; what they answer is a hint, and only what
opens to exactly that root counts. Whoever opened one passes it on. A trainer that seals to some
validators only harms itself: its update needs a quorum of holders.

Anybody may make up ids, and a validator has seconds to find an update. So peers take turns with one
hint each; an id that nobody has costs three seconds; and whoever gave it is in doubt for a while,
which means that its hints are tried in places of their own, where they delay nobody else's.

Which envelopes there are is remembered by pins, so it outlives the process.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
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
ANSWER_S: Final = 3
"""For an answer about envelopes; who is silent must not use up the time of the whole search."""
TRIES_MAX: Final = 4
"""Envelopes that are fetched at a time, over all searches."""
DOUBTFUL_TRIES_MAX: Final = 2
"""The same, of peers in doubt. Both together leave places of the fetcher for models."""
TRIED_MAX: Final = 32
"""Envelopes of one root that are fetched in vain before we give up."""
FIND_MS: Final = 3_000
"""For finding somebody who has an envelope; one that comes has until the deadline of the search."""
DOUBT_MS: Final = 30_000
"""How long a peer is in doubt; an honest one may have been slow."""
DOUBTED_MAX: Final = 256
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
        self._places = asyncio.Semaphore(TRIES_MAX)
        self._doubtful_places = asyncio.Semaphore(DOUBTFUL_TRIES_MAX)
        self._doubted: dict[PeerId, int] = {}
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
                # A disk without room refuses this: what is still pinned must be found again.
                self._store.unpin(blob, reason)
                del self._envelopes[reason]

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
        tasks = asyncio.TaskGroup()
        search = _Search(
            sealed,
            opener,
            tasks,
            deadline_ms=deadline_ms,
            size_bytes_max=size_bytes_max,
            pin=pin,
        )
        try:
            async with asyncio.timeout(deadline_ms / 1_000), tasks:
                search.start(self._keep_looking(search, holders), name="envelope search")
        except TimeoutError as error:
            raise BlobUnavailableError(
                f"no envelope of {sealed.root.hex()} within {deadline_ms} ms: {search.reason}"
            ) from error
        if search.failure is not None:
            raise search.failure

    async def _keep_looking(self, search: "_Search", holders: Sequence[PeerId]) -> None:
        while not self._store.has(search.sealed.root):
            await self._look(search, holders)
            await asyncio.sleep(PAUSE_S)
        search.end()

    async def _look(self, search: "_Search", holders: Sequence[PeerId]) -> None:
        """Ask everybody once and try one envelope of each; wait for those that nobody doubts."""
        asked = [peer for peer in dict.fromkeys(holders) if peer != self._host.peer_id][:PEERS_MAX]
        answers = await self._ask_all(asked, search)
        known = (blob for blob in self.known(search.sealed) if blob not in search.tried)
        hints: dict[BlobId, list[PeerId]] = {blob: [] for blob in known}
        for peer in asked:
            envelope = search.choose(answers.get(peer, ()))
            if envelope is not None:
                hints.setdefault(envelope, []).append(peer)
        waited: list[asyncio.Task[None]] = []
        for envelope, peers in hints.items():
            if not self._is_in_doubt(peers):
                work = self._try_soon(envelope, peers, search)
                waited.append(search.start(work, name="envelope try"))
            elif search.behind.isdisjoint(peers):
                search.behind.update(peers)
                work = self._try_in_doubt(envelope, peers, search)
                search.start(work, name="doubtful envelope try")
        if waited:
            await asyncio.wait(waited)

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
            async with asyncio.timeout(ANSWER_S):
                connection = await self._host.connect(peer)
                raw = await ask_once(connection, self._protocol, body)
            answer = _decoded(raw, peer)
        except TimeoutError:
            search.reason = f"{peer_id_text(peer)}: no answer in {ANSWER_S} s"
            return ()
        except PeerError as error:
            search.reason = f"{error.peer}: {error}"
            self._host.blame(peer, error)
            return ()
        return tuple(BlobId(envelope) for envelope in answer.envelopes)

    async def _try_soon(self, envelope: BlobId, peers: Sequence[PeerId], search: "_Search") -> None:
        async with self._places:
            # They may have come in doubt while this waited, and then it waits behind others.
            if not self._is_in_doubt(peers):
                await self._try(envelope, peers, search)

    async def _try_in_doubt(
        self, envelope: BlobId, peers: Sequence[PeerId], search: "_Search"
    ) -> None:
        try:
            async with self._doubtful_places:
                await self._try(envelope, peers, search)
        finally:
            search.behind.difference_update(peers)

    async def _try(self, envelope: BlobId, peers: Sequence[PeerId], search: "_Search") -> None:
        limit = min(ENVELOPE_SIZE_BYTES_MAX, search.size_bytes_max + HEADERS_SIZE_BYTES_MAX)
        try:
            await self._fetcher.fetch(
                envelope,
                holders=peers,
                deadline_ms=search.deadline_ms,
                size_bytes_max=limit,
                find_ms=FIND_MS,
            )
            await self._aside(partial(self._open, envelope, search))
            self._trust(peers)
            search.end()
        except (BadBlobError, BadEnvelopeError) as error:
            # Its maker may have sealed to others only, so who passes it on is not to blame.
            search.give_up(envelope, reason=str(error))
        except BlobUnavailableError as error:
            search.misses[envelope] += 1
            search.reason = str(error)
            self._doubt(peers)
        except HanseError as error:
            search.end(error)

    def _is_in_doubt(self, peers: Sequence[PeerId]) -> bool:
        """Tell whether all who hinted at an envelope hinted in vain lately; nobody did at ours."""
        now_ms = self._host.clock.monotonic_ms()
        return bool(peers) and all(self._doubted.get(peer, 0) > now_ms for peer in peers)

    def _doubt(self, peers: Sequence[PeerId]) -> None:
        until_ms = self._host.clock.monotonic_ms() + DOUBT_MS
        self._trust(peers)
        self._doubted |= dict.fromkeys(peers, until_ms)
        while len(self._doubted) > DOUBTED_MAX:
            del self._doubted[next(iter(self._doubted))]

    def _trust(self, peers: Sequence[PeerId]) -> None:
        for peer in peers:
            self._doubted.pop(peer, None)

    def _open(self, envelope: BlobId, search: "_Search") -> None:
        sealed = search.sealed
        size_bytes = self._store.manifest(envelope).size_bytes
        if size_bytes > search.size_bytes_max + HEADERS_SIZE_BYTES_MAX:
            # A hint may name what is here for another reason, of whatever size.
            raise BadEnvelopeError(f"{size_bytes} bytes, over the limit")
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
        self,
        sealed: SealedRoot,
        opener: Opener,
        tasks: asyncio.TaskGroup,
        *,
        deadline_ms: int,
        size_bytes_max: int,
        pin: str | None,
    ) -> None:
        self.sealed = sealed
        self.opener = opener
        self.deadline_ms = deadline_ms
        self.size_bytes_max = size_bytes_max
        self.pin = pin
        self.tried: set[BlobId] = set()
        self.misses: Counter[BlobId] = Counter()
        self.behind: set[PeerId] = set()
        self.failure: HanseError | None = None
        self.reason = "nobody knows one"
        self._group = tasks
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        """Do something until the search ends."""
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def choose(self, envelopes: Sequence[BlobId]) -> BlobId | None:
        """Return which envelope of one peer has its turn; what nobody had comes last."""
        left = (envelope for envelope in envelopes if envelope not in self.tried)
        return min(left, key=lambda envelope: self.misses[envelope], default=None)

    def give_up(self, envelope: BlobId, *, reason: str) -> None:
        """Remember an envelope that is of no use; after too many, the search has failed."""
        _log.debug("envelope refused", envelope=envelope.hex(), reason=reason)
        self.reason = f"envelope {envelope.hex()}: {reason}"
        self.tried.add(envelope)
        if len(self.tried) >= TRIED_MAX:
            text = f"{TRIED_MAX} envelopes of {self.sealed.root.hex()} do not open to it"
            self.end(BlobUnavailableError(text))

    def end(self, failure: HanseError | None = None) -> None:
        """Stop all that runs, since the update is here or never will be."""
        self.failure = failure
        for task in tuple(self._running):
            if task is not asyncio.current_task():
                task.cancel()


def _round_prefix(task: int, round_number: int) -> str:
    return f"{PIN_PREFIX}{task}/{round_number}/"


def _decoded(raw: bytes, peer: PeerId) -> SealedAnswer:
    try:
        return SEALED_ANSWER_CODEC.decode(raw)
    except MalformedBytesError as error:
        raise RemoteProtocolError(f"envelopes: {error}", peer=peer_id_text(peer)) from error
