"""The peers that a node remembers, within bounds and across runs."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.peer_store import ADDRESSES_PER_PEER_MAX, PEERS_MAX, PeerStore, StoredPeer
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId
from p2p.wire.records import PeerRecord
from primitives.errors import BadSignatureError, MalformedBytesError
from tests.p2p.town import identity_of, peer_of, place_of

OWN = peer_of(99)
HOME, WORK = place_of("10.0.0.1"), place_of("10.0.0.2")


def record_of(number: int, *, seq: int = 1, addresses: tuple[Multiaddr, ...] = (HOME,)) -> bytes:
    return PeerRecord(peer_of(number), seq, addresses).seal(identity_of(number))


def stored(store: PeerStore, number: int) -> StoredPeer:
    peer = store.get(peer_of(number))
    assert peer is not None
    return peer


def test_newest_addresses_come_first_without_a_peer_id_and_are_bounded() -> None:
    store = PeerStore(OWN)
    for port in range(1, 2 * ADDRESSES_PER_PEER_MAX):
        address = Multiaddr.of_tcp("10.0.0.1", port).with_peer(peer_of(1))
        store.add_addresses(peer_of(1), (address,), now_ms=port)
    peer = stored(store, 1)
    assert len(peer.addresses) == ADDRESSES_PER_PEER_MAX
    assert peer.addresses[0] == Multiaddr.of_tcp("10.0.0.1", 2 * ADDRESSES_PER_PEER_MAX - 1)
    assert peer.seen_ms == 2 * ADDRESSES_PER_PEER_MAX - 1
    store.add_addresses(peer_of(1), peer.addresses[-1:], now_ms=0)
    assert len(set(peer.addresses)) == ADDRESSES_PER_PEER_MAX


def test_node_does_not_remember_itself() -> None:
    store = PeerStore(OWN)
    store.add_addresses(OWN, (HOME,), now_ms=1)
    store.answered(OWN, now_ms=1)
    store.reached(OWN)
    store.failed(OWN)
    assert store.add_record(record_of(99), now_ms=1) is None
    assert len(store) == 0


def test_record_is_kept_only_if_it_is_newer() -> None:
    store = PeerStore(OWN)
    assert store.add_record(record_of(1, seq=5), now_ms=1) is not None
    for seq in (4, 5):
        assert store.add_record(record_of(1, seq=seq, addresses=(WORK,)), now_ms=2) is None
    assert stored(store, 1).addresses == (HOME,)
    newer = record_of(1, seq=6, addresses=(WORK, WORK.with_peer(peer_of(1))))
    assert store.add_record(newer, now_ms=3) is not None
    assert (stored(store, 1).addresses, stored(store, 1).envelope) == ((WORK,), newer)


def test_record_of_another_peer_than_expected_is_left_out() -> None:
    store = PeerStore(OWN)
    assert store.add_record(record_of(1), subject=peer_of(2), now_ms=1) is None
    assert len(store) == 0
    assert store.add_record(record_of(1), subject=peer_of(1), now_ms=1) is not None


def test_record_that_was_changed_is_refused() -> None:
    raw = bytearray(record_of(1))
    raw[-1] ^= 1
    with pytest.raises(BadSignatureError):
        PeerStore(OWN).add_record(bytes(raw), now_ms=1)


def test_failures_count_until_the_peer_answers() -> None:
    store = PeerStore(OWN)
    store.failed(peer_of(1))
    assert len(store) == 0
    store.add_addresses(peer_of(1), (HOME,), now_ms=1)
    store.failed(peer_of(1))
    store.failed(peer_of(1))
    assert stored(store, 1).failures == 2
    store.answered(peer_of(1), now_ms=7)
    assert (stored(store, 1).failures, stored(store, 1).answered_ms) == (0, 7)


def test_who_never_answered_goes_first_and_who_was_reached_last() -> None:
    store = PeerStore(OWN)
    store.reached(peer_of(1))
    store.answered(peer_of(2), now_ms=1)
    for number in range(PEERS_MAX - 2):
        store.add_addresses(PeerId(b"%d" % number), (HOME,), now_ms=10 + number)
    store.add_addresses(PeerId(b"new"), (HOME,), now_ms=0)
    assert len(store) == PEERS_MAX
    assert store.get(PeerId(b"0")) is None, "it was seen longest ago"
    assert store.get(PeerId(b"new")) is not None
    for number in range(PEERS_MAX + 1):
        store.answered(PeerId(b"crowd %d" % number), now_ms=100 + number)
    assert store.get(peer_of(2)) is None
    assert store.get(peer_of(1)) is not None
    assert len(list(store)) == PEERS_MAX


def test_store_survives_a_restart() -> None:
    store = PeerStore(OWN)
    store.add_record(record_of(1, seq=5), now_ms=3)
    store.add_addresses(peer_of(2), (HOME, WORK), now_ms=4)
    store.answered(peer_of(1), now_ms=6)
    store.failed(peer_of(2))
    store.reached(peer_of(2))
    again = PeerStore.decode(store.encode(), own=OWN)
    assert list(again) == list(store)
    assert again.add_record(record_of(1, seq=5), now_ms=9) is None, "the sequence survives too"
    assert len(PeerStore.decode(store.encode(), own=peer_of(1))) == 1, "never itself"


def test_peer_reached_in_the_last_run_outlives_a_crowd_that_only_came_to_us() -> None:
    store = PeerStore(OWN)
    store.add_addresses(peer_of(1), (HOME,), now_ms=1)
    store.answered(peer_of(1), now_ms=1)
    store.reached(peer_of(1))
    again = PeerStore.decode(store.encode(), own=OWN)
    for number in range(PEERS_MAX + 1):
        again.answered(PeerId(b"crowd %d" % number), now_ms=100 + number)
    assert again.get(peer_of(1)) is not None


def test_damaged_rows_are_left_out() -> None:
    store = PeerStore(OWN)
    for number in (1, 2, 3, 4):
        store.add_record(record_of(number), now_ms=number)
    stored(store, 1).envelope = stored(store, 1).envelope[:-1] + b"\x00"
    stored(store, 2).envelope = stored(store, 3).envelope
    store.answered(PeerId(b"no peer id"), now_ms=1)
    again = PeerStore.decode(store.encode(), own=OWN)
    assert [peer.peer_id for peer in again] == [peer_of(3), peer_of(4)]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_store_or_refused_with_the_declared_error(raw: bytes) -> None:
    with suppress(MalformedBytesError):
        PeerStore.decode(raw, own=OWN)
