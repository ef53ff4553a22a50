import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.protobuf import bytes_field, length_prefixed, number_field
from p2p.wire.records import ENVELOPE_SIZE_BYTES_MAX, RECORD_ADDRESSES_MAX, PeerRecord
from primitives.errors import (
    BadSignatureError,
    HanseError,
    InvalidKeyError,
    MalformedBytesError,
)
from tests.p2p.published import published

IDENTITY = Identity.from_seed(b"\x01" * 32)
OTHER = Identity.from_seed(b"\x02" * 32)
ADDRESS = Multiaddr.parse("/ip4/127.0.0.1/tcp/4001")
RECORD = PeerRecord(IDENTITY.peer_id, 7, (ADDRESS,))


def payload_of(addresses: list[bytes], *, peer_id: bytes = IDENTITY.peer_id) -> bytes:
    wrapped = (bytes_field(3, bytes_field(1, address)) for address in addresses)
    return bytes_field(1, peer_id) + number_field(2, 7) + b"".join(wrapped)


def envelope_of(
    payload: bytes,
    *,
    signer: Identity = IDENTITY,
    domain: bytes = b"libp2p-peer-record",
    payload_type: bytes = b"\x03\x01",
) -> bytes:
    signed = b"".join(map(length_prefixed, (domain, payload_type, payload)))
    return (
        bytes_field(1, signer.public_key_protobuf)
        + bytes_field(2, payload_type)
        + bytes_field(3, payload)
        + bytes_field(5, signer.sign(signed))
    )


def test_the_envelope_is_that_of_js() -> None:
    row: dict[str, Any] = published("signed_peer_record")
    identity = Identity.from_seed(bytes.fromhex(row["seed"]))
    addresses = tuple(map(Multiaddr.parse, row["addrs"]))
    record = PeerRecord(identity.peer_id, row["seq"], addresses)
    assert record.seal(identity).hex() == row["envelope"]
    assert PeerRecord.open(bytes.fromhex(row["envelope"])) == record


@settings(max_examples=50)
@given(
    st.integers(min_value=0, max_value=2**64 - 1),
    st.lists(st.integers(min_value=0, max_value=65535), max_size=4),
)
def test_a_record_survives_its_envelope(seq: int, ports: list[int]) -> None:
    addresses = tuple(Multiaddr.parse(f"/ip4/10.0.0.1/tcp/{port}") for port in ports)
    record = PeerRecord(IDENTITY.peer_id, seq, addresses)
    assert PeerRecord.open(record.seal(IDENTITY)) == record


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_changed_bit_is_refused_or_changes_nothing(place: int, bit: int) -> None:
    envelope = bytearray(RECORD.seal(IDENTITY))
    envelope[place % len(envelope)] ^= 1 << bit
    try:
        record = PeerRecord.open(bytes(envelope))
    except (MalformedBytesError, InvalidKeyError, BadSignatureError):
        return
    assert record == RECORD


def test_a_record_signed_by_another_peer_is_refused() -> None:
    with pytest.raises(BadSignatureError, match="by another peer"):
        PeerRecord.open(envelope_of(payload_of([]), signer=OTHER))


@pytest.mark.parametrize(
    ("envelope", "error", "reason"),
    [
        (b"", MalformedBytesError, "does not hold a peer record"),
        (envelope_of(payload_of([]), payload_type=b"\x03\x02"), MalformedBytesError, "not hold"),
        (envelope_of(payload_of([]), domain=b"libp2p-routing-state"), BadSignatureError, "hold"),
        (envelope_of(payload_of([]))[38:], InvalidKeyError, "kind -1"),
        (envelope_of(payload_of([]))[:-66], BadSignatureError, "a signature 64"),
        (number_field(1, 1), MalformedBytesError, "got a number"),
        (envelope_of(payload_of([])) + number_field(9, 1) * 5, MalformedBytesError, "8 fields"),
        (bytes(ENVELOPE_SIZE_BYTES_MAX + 1), MalformedBytesError, "at most 8192 bytes"),
        (envelope_of(payload_of([], peer_id=b"me")), MalformedBytesError, "not a peer id"),
        (envelope_of(b""), MalformedBytesError, "not a peer id"),
        (envelope_of(payload_of([b"x"] * 50)), MalformedBytesError, "more than 40 fields"),
        (envelope_of(number_field(1, 1)), MalformedBytesError, "got a number"),
    ],
)
def test_a_malformed_envelope_is_refused(
    envelope: bytes, error: type[HanseError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        PeerRecord.open(envelope)


def test_fields_that_are_not_known_are_skipped() -> None:
    payload = payload_of([]) + bytes_field(9, b"from the future")
    envelope = envelope_of(payload) + number_field(12, 1)
    assert PeerRecord.open(envelope) == PeerRecord(IDENTITY.peer_id, 7, ())


def test_an_address_that_cannot_be_read_does_not_spoil_the_others() -> None:
    webrtc = bytes.fromhex("9802")
    payload = payload_of([webrtc, ADDRESS.encode(), b""])
    assert PeerRecord.open(envelope_of(payload)).addresses == (ADDRESS,)


def test_addresses_beyond_the_bound_are_dropped() -> None:
    addresses = [Multiaddr.parse(f"/ip4/10.0.0.1/tcp/{port}") for port in range(35)]
    payload = payload_of([address.encode() for address in addresses])
    opened = PeerRecord.open(envelope_of(payload))
    assert list(opened.addresses) == list(itertools.islice(addresses, RECORD_ADDRESSES_MAX))
