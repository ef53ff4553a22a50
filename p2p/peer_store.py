"""Remember peers across runs: where they were, when we last spoke, how they behaved.

Invariant: a signed record is kept only if it is newer than the one before, and the store is bounded
(CVE-2023-40583 was one without a bound): who never answered goes first, then who only came to us,
since identities cost nothing, then who has been away the longest. Nothing here does I/O; `encode`
and `decode` are for whoever owns the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Self

import msgspec

from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, check_peer_id
from p2p.wire.records import ENVELOPE_SIZE_BYTES_MAX, PeerRecord
from primitives.codec import Codec
from primitives.errors import HanseError, MalformedBytesError

PEERS_MAX: Final = 1_024
ADDRESSES_PER_PEER_MAX: Final = 8
STORE_SIZE_BYTES_MAX: Final = PEERS_MAX * (ENVELOPE_SIZE_BYTES_MAX + 4_096)


@dataclass(slots=True)
class StoredPeer:
    """One peer.

    Attributes:
        addresses: where it may be, the best first, without its id.
        envelope: its newest signed record; empty if we have none.
        seen_ms: wall time when we last heard of it.
        answered_ms: wall time when we were last connected; 0 for never.
        failures: dials that failed since then.
        is_reached: whether we ever dialled it and it answered; it survives a restart.
    """

    peer_id: PeerId
    addresses: tuple[Multiaddr, ...] = ()
    envelope: bytes = b""
    record_seq: int = -1
    seen_ms: int = 0
    answered_ms: int = 0
    failures: int = 0
    is_reached: bool = False


class _Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    peer_id: Annotated[bytes, msgspec.Meta(max_length=64)]
    addresses: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=ADDRESSES_PER_PEER_MAX)]
    envelope: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_SIZE_BYTES_MAX)]
    seen_ms: Annotated[int, msgspec.Meta(ge=0)]
    answered_ms: Annotated[int, msgspec.Meta(ge=0)]
    failures: Annotated[int, msgspec.Meta(ge=0)]
    is_reached: bool


class _Table(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    rows: Annotated[tuple[_Row, ...], msgspec.Meta(max_length=PEERS_MAX)]


_CODEC: Final = Codec(_Table, size_bytes_max=STORE_SIZE_BYTES_MAX)


class PeerStore:
    """The peers one node knows; never itself."""

    def __init__(self, own: PeerId) -> None:
        self._own = own
        self._peers: dict[PeerId, StoredPeer] = {}

    def __len__(self) -> int:
        """Count the peers."""
        return len(self._peers)

    def __iter__(self) -> Iterator[StoredPeer]:
        """Yield the peers, in the order they became known."""
        return iter(tuple(self._peers.values()))

    def get(self, peer_id: PeerId) -> StoredPeer | None:
        """Return what is known of a peer."""
        return self._peers.get(peer_id)

    def add_addresses(
        self, peer_id: PeerId, addresses: tuple[Multiaddr, ...], *, now_ms: int
    ) -> None:
        """Note where a peer may be; what is newest comes first, what is too much is dropped."""
        peer = self._entry(peer_id)
        if peer is None:
            return
        bare = tuple(address.without_peer() for address in addresses)
        peer.addresses = tuple(dict.fromkeys(bare + peer.addresses))[:ADDRESSES_PER_PEER_MAX]
        peer.seen_ms = max(peer.seen_ms, now_ms)

    def add_record(
        self, envelope: bytes, *, subject: PeerId | None = None, now_ms: int
    ) -> PeerRecord | None:
        """Take a signed record; return it if it is news.

        Args:
            envelope: the record, signed.
            subject: whose record we expect; that of another peer is left out.
            now_ms: wall time.

        Raises:
            BadSignatureError: it is not signed by the peer it speaks of.
            InvalidKeyError: the signer has no Ed25519 key.
            MalformedBytesError: not a signed peer record.
        """
        record = PeerRecord.open(envelope)
        if subject is not None and record.peer_id != subject:
            return None
        known = self._peers.get(record.peer_id)
        if known is not None and known.record_seq >= record.seq:
            return None
        peer = self._entry(record.peer_id)
        if peer is None:
            return None
        peer.record_seq = record.seq
        peer.envelope = envelope
        bare = dict.fromkeys(address.without_peer() for address in record.addresses)
        peer.addresses = tuple(bare)[:ADDRESSES_PER_PEER_MAX]
        peer.seen_ms = max(peer.seen_ms, now_ms)
        return record

    def answered(self, peer_id: PeerId, *, now_ms: int) -> None:
        """Note that we are connected, whoever dialled."""
        peer = self._entry(peer_id)
        if peer is not None:
            peer.seen_ms = peer.answered_ms = now_ms
            peer.failures = 0

    def reached(self, peer_id: PeerId) -> None:
        """Note that a peer answered where we dialled it; only such peers are hard to displace."""
        peer = self._entry(peer_id)
        if peer is not None:
            peer.is_reached = True

    def failed(self, peer_id: PeerId) -> None:
        """Note that a dial failed."""
        peer = self._peers.get(peer_id)
        if peer is not None:
            peer.failures += 1

    def encode(self) -> bytes:
        """Return the store as bytes that `decode` reads."""
        rows = tuple(
            _Row(
                peer.peer_id,
                tuple(address.encode() for address in peer.addresses),
                peer.envelope,
                peer.seen_ms,
                peer.answered_ms,
                peer.failures,
                peer.is_reached,
            )
            for peer in self
        )
        return _CODEC.encode(_Table(rows))

    @classmethod
    def decode(cls, raw: bytes, *, own: PeerId) -> Self:
        """Return the store with these bytes; a row that is damaged is left out.

        Raises:
            MalformedBytesError: not a peer store.
        """
        store = cls(own)
        for row in _CODEC.decode(raw).rows:
            try:
                store._restore(row)
            except HanseError:
                continue
        return store

    def _restore(self, row: _Row) -> None:
        peer_id = check_peer_id(row.peer_id)
        addresses = tuple(map(Multiaddr.decode, row.addresses))
        seq = -1
        if row.envelope:
            record = PeerRecord.open(row.envelope)
            if record.peer_id != peer_id:
                raise MalformedBytesError("a row holds the record of another peer")
            seq = record.seq
        peer = self._entry(peer_id)
        if peer is not None:
            peer.addresses, peer.envelope, peer.record_seq = addresses, row.envelope, seq
            peer.seen_ms, peer.answered_ms = row.seen_ms, row.answered_ms
            peer.failures, peer.is_reached = row.failures, row.is_reached

    def _entry(self, peer_id: PeerId) -> StoredPeer | None:
        if peer_id == self._own:
            return None
        peer = self._peers.get(peer_id)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                worst = min(
                    self._peers.values(),
                    key=lambda known: (known.is_reached, known.answered_ms, known.seen_ms),
                )
                del self._peers[worst.peer_id]
            peer = self._peers[peer_id] = StoredPeer(peer_id)
        return peer
