"""The blobs of this node as duties need them: the store, the fetcher, and what is sealed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from fl.jobs.bounds import StoredBlob
from node.blobs.errors import NoSuchBlobError
from node.blobs.manifest import Access, BlobId
from node.blobs.sealed import Opener, SealedRoot
from node.blobs.sealing import RandomBytes, open_envelope, seal
from node.blobs.store import BlobStore
from node.duties.ports import Audience, SealedUpdate
from p2p.wire.peer_id import PeerId
from primitives.cid import Cid
from primitives.ids import Address, Digest
from primitives.keys import PrivateKey, PublicKey

_ACCESS: Final = {Audience.EVERYBODY: Access.PUBLIC, Audience.NOBODY: Access.PRIVATE}

CROWDED_PERCENT: Final = 80
"""Of the room, taken by what must stay: the rest is for the round that comes next."""

Recipients = Callable[[Sequence[Address]], Sequence[tuple[Address, PublicKey]]]
"""Returns the consensus keys of operators; whoever has none any more is left out."""


class Fetcher(Protocol):
    """What gets public blobs; `node.blobs.fetcher.BlobFetcher` is one."""

    async def fetch(
        self,
        blob: BlobId,
        *,
        holders: Sequence[PeerId] = (),
        deadline_ms: int,
        size_bytes_max: int,
        access: Access = Access.PUBLIC,
    ) -> None:
        """Have a blob in the store before returning."""
        ...


class Envelopes(Protocol):
    """What exchanges sealed updates; `node.blobs.sealed.SealedUpdates` is one."""

    def offer(self, sealed: SealedRoot, envelope: bytes) -> BlobId:
        """Keep an envelope and give it to whoever asks."""
        ...

    def known(self, sealed: SealedRoot) -> tuple[BlobId, ...]:
        """Return the envelopes of an update that are here."""
        ...

    def forget(self, task: int, *, before: int) -> None:
        """Let the envelopes of the rounds before one go."""
        ...

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
        """Have an update in the store before returning."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """With whom this node exchanges updates, and as whom.

    Args:
        operator: the account of this node.
        consensus_key: that opens what was sealed for its seat; None: it never has one.
        recipients: the consensus keys of seats.
        peers: who may have an envelope, the likeliest first.
        random_bytes: a secret source.
    """

    operator: Address
    consensus_key: PrivateKey | None
    recipients: Recipients
    peers: Callable[[], Sequence[PeerId]]
    random_bytes: RandomBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRoom:
    """A `BlobRoom` on a store; all that touches the disk for long runs in a thread.

    Args:
        deadline_ms: of one fetch; whoever still wants the blob then asks again.
    """

    store: BlobStore
    fetcher: Fetcher
    envelopes: Envelopes
    circle: Circle
    deadline_ms: int = 20_000

    def has(self, blob: Digest) -> bool:
        """Tell whether the whole blob is here."""
        return self.store.has(BlobId(blob))

    def read(self, blob: Digest, *, size_bytes_max: int) -> bytes:
        """Return a blob that is here.

        Raises:
            NoSuchBlobError: it is not here, or longer.
        """
        size_bytes = self.store.manifest(BlobId(blob)).size_bytes
        if size_bytes > size_bytes_max:
            raise NoSuchBlobError(f"{blob.hex()} has {size_bytes} bytes > limit {size_bytes_max}")
        return self.store.read(BlobId(blob))

    async def stored(self, blob: Digest) -> StoredBlob:
        """Return the file of a blob that is here."""
        return await asyncio.to_thread(self.store.stored, BlobId(blob))

    async def spoiled(self, blob: Digest) -> None:
        """Drop the file of a blob that the worker found damaged; harmless if there is none."""
        with suppress(NoSuchBlobError):
            await asyncio.to_thread(self.store.spoiled, BlobId(blob))

    async def keep(self, made: StoredBlob, *, audience: Audience, reason: str) -> Digest:
        """Take in a file that the worker wrote, and remove it there."""
        blob = Cid.decode(made.cid).digest
        put = partial(self.store.put_file, access=_ACCESS[audience], expected=made.cid)
        await asyncio.to_thread(put, Path(made.path), pin=_pin(reason, blob))
        await asyncio.to_thread(Path(made.path).unlink, missing_ok=True)
        return blob

    async def put(self, content: bytes, *, audience: Audience, reason: str) -> Digest:
        """Take in content that is in memory, and keep it for a reason."""
        cid = await asyncio.to_thread(self.store.put, content, access=_ACCESS[audience])
        await self.pin(cid.digest, reason)
        return cid.digest

    async def pin(self, blob: Digest, reason: str) -> None:
        """Keep a blob that is here for one more reason."""
        await asyncio.to_thread(self.store.pin, BlobId(blob), _pin(reason, blob))

    async def open_up(self, blob: Digest) -> None:
        """Let everybody have a blob."""
        await asyncio.to_thread(self.store.publish, BlobId(blob))

    async def let_go(self, reason: str) -> None:
        """Keep blobs no longer for a reason."""
        await asyncio.to_thread(self._let_go, reason)

    def reasons(self) -> frozenset[str]:
        """Return the reasons for which anything is kept."""
        return frozenset(pin.rpartition("/")[0] for pin in self.store.pinned(""))

    def is_crowded(self) -> bool:
        """Tell whether what must stay takes nearly all the room."""
        stat = self.store.total
        return stat.pinned_bytes * 100 > stat.bytes_max * CROWDED_PERCENT

    async def forget_envelopes(self, task: int, *, before: int) -> None:
        """Let the envelopes of the rounds before one go."""
        await asyncio.to_thread(partial(self.envelopes.forget, task, before=before))

    async def fetch(self, blob: Digest, *, size_bytes_max: int, reason: str) -> None:
        """Get a public blob from whoever has it.

        Raises:
            BlobUnavailableError: nobody gave it in time.
        """
        await self.fetcher.fetch(
            BlobId(blob), deadline_ms=self.deadline_ms, size_bytes_max=size_bytes_max
        )
        await self.pin(blob, reason)

    async def fetch_sealed(self, update: SealedUpdate, *, size_bytes_max: int, reason: str) -> None:
        """Get an update that was sealed for the seat of this node.

        Raises:
            BlobUnavailableError: nobody gave one that opens to its root.
        """
        await self.envelopes.fetch(
            _named(update),
            opener=self._open,
            holders=self.circle.peers(),
            deadline_ms=self.deadline_ms,
            size_bytes_max=size_bytes_max,
            pin=_pin(reason, update.root),
        )

    async def offer(self, update: SealedUpdate) -> None:
        """Seal an update that is here for those who have seats, and give it to them."""
        await asyncio.to_thread(self._offer, update)

    def is_offered(self, update: SealedUpdate) -> bool:
        """Tell whether it lies sealed here."""
        return bool(self.envelopes.known(_named(update)))

    def _offer(self, update: SealedUpdate) -> None:
        content = self.store.read(BlobId(update.root))
        recipients = self.circle.recipients(update.seats)
        envelope = seal(content, recipients=recipients, rng=self.circle.random_bytes)
        self.envelopes.offer(_named(update), envelope)

    def _open(self, envelope: bytes) -> bytes:
        circle = self.circle
        assert circle.consensus_key is not None, "who has a seat has a consensus key"
        return open_envelope(envelope, operator=circle.operator, consensus_key=circle.consensus_key)

    def _let_go(self, reason: str) -> None:
        for pin, blob in self.store.pinned(_prefix(reason)).items():
            self.store.unpin(blob, pin)


def _named(update: SealedUpdate) -> SealedRoot:
    return SealedRoot(update.task, update.round, BlobId(update.root))


def _prefix(reason: str) -> str:
    return f"{reason}/"


def _pin(reason: str, blob: Digest) -> str:
    # A reason of its own for each blob, so that all blobs of a reason can be found.
    return f"{_prefix(reason)}{blob.hex()}"
