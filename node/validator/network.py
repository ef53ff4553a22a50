"""Messages between the validators of an epoch, over streams of our own protocol.

Every seat opens one stream to every other one and writes; what it reads came over a stream that the
other opened, so the sender is who the handshake proved. A slow peer costs a bounded lane of its
own: the oldest messages for it are lost, and consensus fetches what it needs. Two kinds of messages
share a stream, told apart by their first byte: those of consensus, and votes for checkpoints.

A seat is a number that means another peer in each epoch, and validators pass from one to the next
at different times. So who a number means is decided by the epoch that the message itself names.
Votes go to the seats of the epoch before as well, and come from them: its end has yet to be
certified.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import structlog

from consensus.driver import EPOCHS_SERVED, Lane
from consensus.messages import MESSAGE_BYTES_MAX
from node.ledger.checkpoint import VOTE_BYTES_MAX
from p2p.host import Host
from p2p.stream import Stream
from p2p.task_group import leave
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.protobuf import length_prefixed
from primitives.errors import PeerError, RemoteProtocolError
from primitives.ids import AuthorityIndex

FRAME_BYTES_MAX: Final = MESSAGE_BYTES_MAX + 1
MESSAGES_WAITING_MAX: Final = 32
"""Before the readers of streams wait, and with them their peers."""

VOTES_WAITING_MAX: Final = 1_024
SEATINGS_KEPT: Final = EPOCHS_SERVED
GENESIS_AT: Final = 4
DIGEST_SIZE_BYTES: Final = 32
EARLY_MAX: Final = 64
EARLY_BYTES_MAX: Final = 1 << 18
"""Of messages that are kept for an epoch that is yet to begin here."""

RETRY_S: Final = 0.25
"""Between two attempts to open a stream; the host itself backs off from dials that fail."""

_log = structlog.get_logger("validator.network")


@enum.unique
class FrameKind(enum.IntEnum):
    """What a frame carries; its first byte."""

    CONSENSUS = 0
    VOTE = 1


class Seating:
    """Who holds the seats of one epoch, in the order of its committee.

    Args:
        genesis: digest of the epoch.
    """

    def __init__(self, genesis: bytes, peers: Sequence[PeerId]) -> None:
        self.genesis = genesis
        self.peers = tuple(peers)
        self._seats = {peer_id: AuthorityIndex(seat) for seat, peer_id in enumerate(peers)}

    def seat_of(self, peer_id: PeerId) -> AuthorityIndex | None:
        """Return the seat of a peer."""
        return self._seats.get(peer_id)

    def peer_at(self, seat: AuthorityIndex) -> PeerId | None:
        """Return the holder of a seat."""
        return self.peers[seat] if 0 <= seat < len(self.peers) else None


def epoch_of(message: bytes) -> bytes:
    """Return the genesis digest of the epoch that an encoded message of consensus names.

    It is the first field of every one, behind a byte each for length and kind and two for its own
    length; of what is no such message these bytes name no epoch.
    """
    return message[GENESIS_AT : GENESIS_AT + DIGEST_SIZE_BYTES]


def is_of(message: bytes, seating: Seating) -> bool:
    """Tell whether a message of consensus is of the epoch of these seats."""
    return epoch_of(message) == seating.genesis


class Link:
    """Our stream to one seat, opened again whenever it is lost.

    Args:
        changed: called when the stream opens or is lost.
    """

    def __init__(
        self, host: Host, peer_id: PeerId, *, protocol: str, changed: Callable[[], None]
    ) -> None:
        self.is_open = False
        self._host = host
        self._peer_id = peer_id
        self._protocol = protocol
        self._changed = changed
        self._stream: Stream | None = None
        self._lane = Lane(self._transmit)

    @property
    def lost_count(self) -> int:
        """Messages that were dropped because the peer was too slow or away."""
        return self._lane.lost_count

    def put(self, frame: bytes) -> None:
        """Send a frame as soon as the peer takes it; never waits."""
        self._lane.put(frame)

    async def run(self) -> None:
        """Keep the stream open until cancelled."""
        while True:
            try:
                await self._speak()
            except PeerError as error:
                peer = peer_id_text(self._peer_id)
                _log.debug("no stream to a validator", peer=peer, reason=str(error))
            await asyncio.sleep(RETRY_S)

    async def _speak(self) -> None:
        stream = await self._host.open_stream(self._peer_id, [self._protocol])
        self._stream = stream
        self._turn_to(is_open=True)
        try:
            async with stream.while_alive():
                await self._lane.run()
        finally:
            self._stream = None
            self._turn_to(is_open=False)
            stream.reset()

    def _turn_to(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self._changed()

    async def _transmit(self, frame: bytes) -> None:
        assert self._stream is not None, "the lane runs while there is a stream"
        self._stream.write(frame)
        await self._stream.drain()


class ValidatorNetwork:
    """Implements `consensus.ports.Network`; use it as an async context manager.

    Args:
        protocol: the name of our streams.

    Attributes:
        votes: encoded votes for checkpoints with the peer that sent each, oldest first.
        watcher: is told how many seats take our stream, when that changes.
    """

    def __init__(self, host: Host, *, protocol: str) -> None:
        self.votes: asyncio.Queue[tuple[PeerId, bytes]] = asyncio.Queue(VOTES_WAITING_MAX)
        self.watcher: Callable[[int], None] | None = None
        self._host = host
        self._protocol = protocol
        self._messages: asyncio.Queue[tuple[AuthorityIndex, bytes]] = asyncio.Queue(
            MESSAGES_WAITING_MAX
        )
        self._seatings: list[Seating] = []
        self._former: frozenset[PeerId] = frozenset()
        self._early: deque[tuple[PeerId, bytes]] = deque(maxlen=EARLY_MAX)
        self._heard: set[Stream] = set()
        self._links: dict[PeerId, Link] = {}
        self._running: dict[PeerId, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Serve the protocol."""
        await self._tasks.__aenter__()
        self._host.handle(self._protocol, self._hear, streams_max=2)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every stream."""
        self._host.handlers.remove(self._protocol)
        self.watcher = None
        self._seatings.clear()
        self._former = frozenset()
        self._relink()
        # A reader that waits for room here would wait for ever, and its peer with it.
        for stream in tuple(self._heard):
            stream.reset()
        await leave(self._tasks, kind, error, trace)

    @property
    def open_count(self) -> int:
        """Seats that take our stream now."""
        return sum(link.is_open for link in self._seat_links())

    @property
    def is_alone(self) -> bool:
        """Tell whether there is no other seat."""
        return not any(True for _ in self._seat_links())

    @property
    def lost_count(self) -> int:
        """Messages that were dropped because a peer was too slow or away."""
        return sum(link.lost_count for link in self._links.values())

    def sit(self, seating: Seating, *, former: Sequence[PeerId] = ()) -> None:
        """Speak with the holders of these seats from now on.

        Args:
            seating: of the epoch that begins; that of the one before is kept.
            former: who had a seat in the epoch before; they get votes in any case.
        """
        self._seatings = [*self._seatings, seating][-SEATINGS_KEPT:]
        self._former = frozenset(former)
        self._relink()
        early = list(self._early)
        self._early.clear()
        for peer_id, message in early:
            seat = seating.seat_of(peer_id)
            if is_of(message, seating) and seat is not None and not self._messages.full():
                self._messages.put_nowait((seat, message))

    def _relink(self) -> None:
        """Open the links that are needed now, and close the others."""
        for peer_id in [peer_id for peer_id in self._links if not self._is_known(peer_id)]:
            del self._links[peer_id]
            self._running.pop(peer_id).cancel()
            self._host.connections.unprotect(peer_id, self._protocol)
        for peer_id in self._known():
            if peer_id != self._host.peer_id and peer_id not in self._links:
                link = Link(self._host, peer_id, protocol=self._protocol, changed=self._changed)
                self._links[peer_id] = link
                name = f"link to {peer_id_text(peer_id)}"
                self._running[peer_id] = self._tasks.create_task(link.run(), name=name)
                self._host.connections.protect(peer_id, self._protocol)

    def peer_at(self, genesis: bytes, seat: AuthorityIndex) -> PeerId | None:
        """Return who holds a seat in the epoch with this genesis digest."""
        seating = self._seating_of(genesis)
        return None if seating is None else seating.peer_at(seat)

    async def broadcast(self, message: bytes) -> None:
        """Send a message of consensus to every other seat of its epoch."""
        seating = self._seating_of(epoch_of(message))
        frame = _frame(FrameKind.CONSENSUS, message)
        for peer_id in () if seating is None else seating.peers:
            link = self._links.get(peer_id)
            if link is not None:
                link.put(frame)

    async def send(self, peer: AuthorityIndex, message: bytes) -> None:
        """Send a message of consensus to one seat of its epoch."""
        peer_id = self.peer_at(epoch_of(message), peer)
        link = None if peer_id is None else self._links.get(peer_id)
        if link is not None:
            link.put(_frame(FrameKind.CONSENSUS, message))

    async def receive(self) -> tuple[AuthorityIndex, bytes]:
        """Wait for the next message of consensus."""
        return await self._messages.get()

    def broadcast_vote(self, vote: bytes) -> None:
        """Send an encoded vote to every other seat, and to those of the epoch before."""
        frame = _frame(FrameKind.VOTE, vote)
        for link in self._links.values():
            link.put(frame)

    def _seat_links(self) -> Iterator[Link]:
        """Yield the links to seats of the running epoch."""
        peers = self._seatings[-1].peers if self._seatings else ()
        return (self._links[peer_id] for peer_id in peers if peer_id in self._links)

    def _seating_of(self, genesis: bytes) -> Seating | None:
        return next((one for one in self._seatings if one.genesis == genesis), None)

    def _known(self) -> Iterator[PeerId]:
        for seating in self._seatings:
            yield from seating.peers
        yield from self._former

    def _is_known(self, peer_id: PeerId) -> bool:
        return peer_id in self._known()

    def _changed(self) -> None:
        if self.watcher is not None:
            self.watcher(self.open_count)

    async def _hear(self, stream: Stream) -> None:
        self._heard.add(stream)
        try:
            async with stream.while_alive():
                while True:
                    frame = await stream.read_frame(FRAME_BYTES_MAX)
                    if not self._is_known(stream.peer_id):
                        # It may have had a seat long ago, or be ahead of us by an epoch.
                        stream.reset()
                        return
                    await self._take(stream.peer_id, frame, peer=stream.peer)
        finally:
            self._heard.discard(stream)

    async def _take(self, peer_id: PeerId, frame: bytes, *, peer: str) -> None:
        kind, message = frame[:1], frame[1:]
        if kind == _CONSENSUS:
            await self._take_message(peer_id, message)
        elif kind == _VOTE and len(message) <= VOTE_BYTES_MAX:
            await self.votes.put((peer_id, message))
        else:
            raise RemoteProtocolError(f"a frame of kind {kind.hex() or 'none'}", peer=peer)

    async def _take_message(self, peer_id: PeerId, message: bytes) -> None:
        seating = self._seating_of(epoch_of(message))
        if seating is None:
            # Of an epoch that is over, or begins here in a moment.
            if len(message) <= EARLY_BYTES_MAX:
                self._early.append((peer_id, message))
            return
        seat = seating.seat_of(peer_id)
        if seat is not None:
            await self._messages.put((seat, message))


_CONSENSUS: Final = bytes((FrameKind.CONSENSUS,))
_VOTE: Final = bytes((FrameKind.VOTE,))


def _frame(kind: FrameKind, message: bytes) -> bytes:
    return length_prefixed(bytes((kind,)) + message)
