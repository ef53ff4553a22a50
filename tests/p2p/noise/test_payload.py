import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.noise.payload import HandshakePayload, encode_payload
from p2p.wire.protobuf import bytes_field, number_field
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError
from tests.p2p.published import DIALER, LISTENER, PublishedSide

MUXERS = st.lists(st.text(max_size=20), max_size=5).map(tuple)


@pytest.mark.parametrize("side", [DIALER, LISTENER])
def test_payloads_are_those_of_js(side: PublishedSide) -> None:
    muxers = ("/yamux/1.0.0",)
    encoded = encode_payload(side.identity, static_key=side.static_public, muxers=muxers)
    assert encoded == side.payload
    decoded = HandshakePayload.decode(encoded, static_key=side.static_public)
    assert decoded == HandshakePayload(side.identity.peer_id, muxers)


@given(MUXERS, st.binary(min_size=32, max_size=32))
def test_a_payload_is_read_as_it_was_written(muxers: tuple[str, ...], static_key: bytes) -> None:
    encoded = encode_payload(DIALER.identity, static_key=static_key, muxers=muxers)
    decoded = HandshakePayload.decode(encoded, static_key=static_key)
    assert decoded == HandshakePayload(DIALER.identity.peer_id, muxers)
    with pytest.raises(BadSignatureError):
        HandshakePayload.decode(encoded, static_key=bytes(31) + b"\1")


def test_extensions_are_merged_and_the_unknown_is_skipped() -> None:
    certificate_hash = bytes_field(1, bytes(34))
    raw = (
        number_field(7, 1)
        + bytes_field(4, certificate_hash + bytes_field(2, b"/a"))
        + DIALER.payload
        + bytes_field(3, b"data of old versions")
        + bytes_field(4, number_field(9, 9))
    )
    decoded = HandshakePayload.decode(raw, static_key=DIALER.static_public)
    assert decoded.muxers == ("/a", "/yamux/1.0.0")


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_changed_bit_never_changes_who_it_is(place: int, bit: int) -> None:
    raw = bytearray(DIALER.payload)
    raw[place % len(raw)] ^= 1 << bit
    try:
        decoded = HandshakePayload.decode(bytes(raw), static_key=DIALER.static_public)
    except (BadSignatureError, InvalidKeyError, MalformedBytesError):
        return
    assert decoded.peer_id == DIALER.identity.peer_id
