"""Joins a chain by a snapshot: the state of a certified checkpoint, in an empty folder.

    genesis, or a trusted checkpoint
      ---> closing certificates ---> the certificate of a state that a peer holds
      ---> chunks of it from several peers, each proven against its root ---> a ledger to open

Guards: nothing is written that is not proven by certificates from what the operator trusts. What
has arrived is durable with the certificate of its state, so a join that was interrupted asks for
that very state first, and begins with a newer one only if nobody gives anything of it any more.
"""

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from node.chain.certified import newest_certificate
from node.chain.limits import DEFAULT_LIMITS as CHAIN_DEFAULTS
from node.chain.limits import ChainLimits
from node.chain.opening import LEDGER_NAME, open_ledger
from node.chain.record import COMMIT_RECORD_CODEC, restored_record
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.genesis import chain_id_of
from node.storage.batch import WriteBatch
from node.storage.chain_tables import CERTIFICATES, CERTIFIED_HEIGHTS, EPOCH_LINKS
from node.storage.environment import Environment
from node.storage.meta_pages import DATA_NAME
from node.storage.state_restore import Arrival, StateRestorer
from node.storage.state_tables import PROGRESS, PROGRESS_KEY
from node.storage.state_view import newest_version
from node.storage.writer import Writer
from node.sync.chunk_plan import is_cut_short, next_low
from node.sync.client import SyncClient
from node.sync.errors import FalseAnswerError, LedgerExistsError, NoSnapshotError
from node.sync.limits import DEFAULT_LIMITS, SyncLimits
from node.sync.threads import in_thread
from node.sync.trust import TrustedAnchor, TrustWalk
from node.sync.wire import LINKS_MAX, ChunkRequest, LinksRequest
from p2p.host import Host
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.clock import Clock
from primitives.errors import InvalidCheckpointError, InvalidProofError
from primitives.ids import Digest, Height, TimestampMs

LINKS_WRITTEN_MAX: Final = 256
"""In one write."""
RETRY_S: Final = 1.0

_log = structlog.get_logger("sync.snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the ledger will be, and whose it is.

    Args:
        folder: of the node; there must be no ledger in it, or one that is half restored.
        genesis: the genesis file.
        node_id: of the node.
        limits: of the chain that will be opened there.
        anchor: a checkpoint to trust instead of genesis, which is better if it is recent.
    """

    folder: Path
    genesis: bytes
    node_id: bytes
    limits: ChainLimits = CHAIN_DEFAULTS
    anchor: TrustedAnchor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a join put in place.

    Args:
        checkpoint: whose state it is.
        chunks: that were fetched; a join that went on after a restart fetched fewer.
        peers: that gave some.
    """

    checkpoint: Checkpoint
    chunks: int
    peers: int


class Stage(enum.Enum):
    """How far the ledger of a node is."""

    EMPTY = enum.auto()
    """There is none, or there is a file without a state, as a join leaves it that got nothing."""
    UNFINISHED = enum.auto()
    """There are chunks of a snapshot that was not put together yet."""
    WHOLE = enum.auto()


def stage_of(place: Place, *, clock: Clock) -> Stage:
    """Return how far the ledger in a folder is; the file alone does not tell.

    Raises:
        StorageError: it cannot be opened.
    """
    if not (place.folder / LEDGER_NAME / DATA_NAME).exists():
        return Stage.EMPTY
    with _opened(place, clock=clock) as environment, environment.snapshot() as snapshot:
        if newest_version(snapshot) is not None:
            return Stage.WHOLE
        is_begun = snapshot.get(PROGRESS, PROGRESS_KEY) is not None
        return Stage.UNFINISHED if is_begun else Stage.EMPTY


async def join_by_snapshot(
    place: Place, host: Host, *, clock: Clock, limits: SyncLimits = DEFAULT_LIMITS
) -> Joined:
    """Fetch a state from peers into the folder of a node; `Chain.open` opens it afterwards.

    Raises:
        LedgerExistsError: there is a state in the folder already.
        NoSnapshotError: no peer gave a whole one in time; what arrived is kept for the next try.
        InvalidCheckpointError: the trusted checkpoint is none of this chain, or too old.
        StorageError: something did not become durable.
    """
    environment = await in_thread(partial(_opened, place, clock=clock))
    with environment, Writer.start(environment) as writer:
        with environment.snapshot() as snapshot:
            newest = newest_version(snapshot)
        if newest is not None:
            raise LedgerExistsError(path=place.folder / LEDGER_NAME, height=newest[0])
        client = SyncClient(host, chain_id=chain_id_of(place.genesis), clock=clock, limits=limits)
        joining = _Joining(environment, writer, client=client, limits=limits)
        walk = TrustWalk.start(
            place.genesis, anchor=place.anchor, now_ms=TimestampMs(clock.wall_ms())
        )
        return await joining.run(walk, clock=clock)


def set_aside(folder: Path, *, height: int) -> Path:
    """Make room for a snapshot beside a ledger that is too far behind; return where that is now.

    Nothing is deleted. The ledger must be closed.

    Args:
        folder: of the node.
        height: of the ledger, which is part of its new name.
    """
    aside = folder / f"{LEDGER_NAME}-at-{height}"
    number = 1
    while aside.exists():
        number += 1
        aside = folder / f"{LEDGER_NAME}-at-{height}-{number}"
    return (folder / LEDGER_NAME).rename(aside)


def _opened(place: Place, *, clock: Clock) -> Environment:
    return open_ledger(
        place.folder,
        genesis=place.genesis,
        node_id=place.node_id,
        clock=clock,
        limits=place.limits,
    )


class _Joining:
    """One join, while the ledger is open."""

    def __init__(
        self, environment: Environment, writer: Writer, *, client: SyncClient, limits: SyncLimits
    ) -> None:
        self._environment = environment
        self._writer = writer
        self._client = client
        self._limits = limits
        self._chunks = 0
        self._givers: dict[PeerId, None] = {}

    async def run(self, walk: TrustWalk, *, clock: Clock) -> Joined:
        deadline_ms = clock.monotonic_ms() + self._limits.patience_ms
        chunks_before, is_over = 0, False
        while True:
            # What is newer is chosen only once nobody has given anything of what has begun.
            begun = None if is_over else await in_thread(self._begun)
            target = await self._choose(walk, begun)
            if target is not None:
                restorer = await in_thread(partial(self._begin, target))
                if await self._fetch(target, restorer):
                    await in_thread(partial(self._finish, walk, target, restorer))
                    return self._joined(target.checkpoint)
            if self._chunks > chunks_before:
                # As long as something comes, there is no reason to give up.
                chunks_before = self._chunks
                deadline_ms = clock.monotonic_ms() + self._limits.patience_ms
            is_over = clock.monotonic_ms() >= deadline_ms
            if is_over and begun is None:
                raise NoSnapshotError(waited_ms=self._limits.patience_ms)
            await asyncio.sleep(RETRY_S)

    def _begun(self) -> Checkpoint | None:
        """Return whose state an earlier attempt has chunks of, None if there are none."""
        with self._environment.snapshot() as snapshot:
            progress = snapshot.get(PROGRESS, PROGRESS_KEY)
            certificate = newest_certificate(snapshot)
        if progress is None or certificate is None:
            return None
        checkpoint = certificate.checkpoint
        return checkpoint if checkpoint.state_root == progress.target else None

    def _begin(self, target: Certificate) -> StateRestorer:
        """Keep whose state is fetched from now on, in place of any other, and go on with it."""
        checkpoint = target.checkpoint
        batch = WriteBatch()
        with self._environment.snapshot() as snapshot:
            for height, number in snapshot.scan(CERTIFIED_HEIGHTS):
                batch.delete(CERTIFIED_HEIGHTS, height)
                batch.delete(CERTIFICATES, number)
        batch.put(CERTIFICATES, checkpoint.number, target)
        batch.put(CERTIFIED_HEIGHTS, checkpoint.height, checkpoint.number)
        self._writer.write(batch)
        return StateRestorer.open(self._environment, self._writer, target=checkpoint.state_root)

    def _joined(self, checkpoint: Checkpoint) -> Joined:
        _log.info("joined by snapshot", height=checkpoint.height, chunks=self._chunks)
        return Joined(checkpoint=checkpoint, chunks=self._chunks, peers=len(self._givers))

    async def _choose(self, walk: TrustWalk, begun: Checkpoint | None) -> Certificate | None:
        """Return the proven certificate of the state that has begun, or of the newest without one.

        None if no peer offers that state, or none can prove it.
        """
        # What is older than the walk cannot be proven any more: its committee is behind us.
        height = begun.height if begun is not None and begun.epoch >= walk.epoch else None

        async def ask(peer: PeerId) -> tuple[Certificate, PeerId] | None:
            offer = await self._client.manifest(peer, height)
            return None if offer is None else (offer, peer)

        await self._client.await_peers()
        offers = await self._client.survey(ask)
        for offer, peer in sorted(offers, key=lambda found: -found[0].checkpoint.height):
            if await self._client.attempt(partial(self._prove, walk, offer), peer):
                return offer
        return None

    async def _prove(self, walk: TrustWalk, offer: Certificate, peer: PeerId) -> Certificate:
        """Prove a certificate; the peer that shows it has to show the way to it as well."""
        epoch = offer.checkpoint.epoch
        try:
            while walk.epoch < epoch:
                request = LinksRequest(walk.epoch, min(LINKS_MAX, epoch - walk.epoch))
                links = await self._client.links(peer, request) or ()
                before = walk.epoch
                walk.pass_epochs(links)
                if walk.epoch == before:
                    raise FalseAnswerError("a state of an epoch it cannot prove", peer=_name(peer))
            walk.verify(offer)
        except InvalidCheckpointError as error:
            raise FalseAnswerError(f"a snapshot: {error}", peer=_name(peer)) from error
        return offer

    async def _fetch(self, target: Certificate, restorer: StateRestorer) -> bool:
        """Fetch chunks from all who hold the state; tell whether it is whole."""

        async def ask(peer: PeerId) -> PeerId | None:
            offer = await self._client.manifest(peer, target.checkpoint.height)
            is_same = offer is not None and offer.checkpoint == target.checkpoint
            return peer if is_same else None

        holders = await self._client.survey(ask)
        fetching = _Fetching(target.checkpoint.height, restorer, client=self._client)
        async with asyncio.TaskGroup() as group:
            for peer in holders[: self._limits.snapshot_peers_max]:
                group.create_task(fetching.work(peer, self._note), name="fetch chunks")
        return not restorer.gaps

    def _note(self, peer: PeerId) -> None:
        self._chunks += 1
        self._givers[peer] = None

    def _finish(self, walk: TrustWalk, target: Certificate, restorer: StateRestorer) -> None:
        """Store what proves the certificate, then make its state the state."""
        for start in range(0, len(walk.links), LINKS_WRITTEN_MAX):
            batch = WriteBatch()
            for link in walk.links[start : start + LINKS_WRITTEN_MAX]:
                batch.put(EPOCH_LINKS, link.certificate.checkpoint.epoch, link)
            self._writer.write(batch)
        checkpoint = target.checkpoint
        record = COMMIT_RECORD_CODEC.encode(restored_record(checkpoint))
        restorer.finish(checkpoint.height, record=record)


class _Fetching:
    """The chunks of one state, from several peers at a time."""

    def __init__(self, height: Height, restorer: StateRestorer, *, client: SyncClient) -> None:
        self._height = height
        self._restorer = restorer
        self._client = client
        self._under_way: dict[PeerId, bytes] = {}
        self._changed = asyncio.Event()
        self._disk = asyncio.Lock()

    async def work(self, peer: PeerId, note: Callable[[PeerId], None]) -> None:
        """Fetch chunks from one peer until nothing is missing, or it fails."""
        while self._restorer.gaps:
            low = next_low(self._restorer.gaps, self._under_way.values())
            if low is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            self._under_way[peer] = low
            try:
                arrival = await self._client.attempt(partial(self._ask, low), peer)
            finally:
                del self._under_way[peer]
                self._changed.set()
            if arrival is None:
                return
            if arrival is Arrival.STORED:
                note(peer)

    async def _ask(self, low: bytes, peer: PeerId) -> Arrival | None:
        """Fetch and store a chunk; None if the peer holds the state no longer."""
        request = ChunkRequest(self._height, Digest(low))
        chunk = await self._client.chunk(peer, request)
        if chunk is None:
            return None
        if is_cut_short(chunk):
            # It may be true: with a few places at a time a peer could keep us busy for ever.
            raise FalseAnswerError("a chunk that ends too early", peer=_name(peer))
        try:
            async with self._disk:
                return await in_thread(partial(self._restorer.accept, chunk))
        except InvalidProofError as error:
            raise FalseAnswerError(f"a chunk: {error}", peer=_name(peer)) from error


def _name(peer: PeerId) -> str:
    return peer_id_text(peer)
