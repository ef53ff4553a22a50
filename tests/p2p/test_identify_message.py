"""The identify message: what is written is read back, and what others write is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.identify_message import (
    ADDRESSES_MAX,
    PART_SIZE_BYTES_MAX,
    PARTS_MAX,
    PROTOCOL_SIZE_BYTES_MAX,
    PROTOCOLS_MAX,
    SENT_PART_SIZE_BYTES_MAX,
    VERSION_SIZE_BYTES_MAX,
    IdentifyMessage,
)
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.protobuf import bytes_field, length_prefixed
from primitives.errors import MalformedBytesError
from tests.p2p.town import peer_of

TEXTS = st.none() | st.text(
    st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=40
)
ADDRESSES = st.builds(
    Multiaddr.of_tcp,
    st.ip_addresses().map(str),
    st.integers(1, 65_535),
)
MESSAGES = st.builds(
    IdentifyMessage,
    public_key=st.none() | st.binary(min_size=1, max_size=64),
    addresses=st.lists(ADDRESSES, max_size=4, unique=True).map(tuple),
    protocols=st.lists(st.text(min_size=1, max_size=60), max_size=8, unique=True).map(tuple),
    observed=st.none() | ADDRESSES,
    protocol_version=TEXTS,
    agent_version=TEXTS,
    signed_record=st.none() | st.binary(min_size=1, max_size=600),
)
HOME = Multiaddr.of_tcp("10.0.0.1", 4_001)


def stream_of(*parts: bytes) -> bytes:
    return b"".join(map(length_prefixed, parts))


@given(MESSAGES)
def test_what_is_written_is_read_back(message: IdentifyMessage) -> None:
    parts = message.encode_parts()
    assert all(len(part) <= SENT_PART_SIZE_BYTES_MAX for part in parts)
    assert IdentifyMessage.decode_stream(stream_of(*parts)) == message


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_the_declared_error(raw: bytes) -> None:
    try:
        message = IdentifyMessage.decode_stream(raw)
    except MalformedBytesError:
        return
    assert len(message.addresses) <= ADDRESSES_MAX
    assert len(message.protocols) <= PROTOCOLS_MAX


@given(MESSAGES, st.data())
def test_flipped_byte_gives_another_message_or_the_declared_error(
    message: IdentifyMessage, data: st.DataObject
) -> None:
    raw = bytearray(stream_of(*message.encode_parts()))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        IdentifyMessage.decode_stream(bytes(raw))
    except MalformedBytesError:
        return


def test_large_message_comes_in_parts_that_rust_takes() -> None:
    protocols = tuple(f"/{'x' * 90}/{number}" for number in range(200))
    parts = IdentifyMessage(protocols=protocols).encode_parts()
    assert 4 < len(parts) <= PARTS_MAX
    assert IdentifyMessage.decode_stream(stream_of(*parts)).protocols == protocols


def test_empty_message_is_one_empty_part() -> None:
    assert IdentifyMessage().encode_parts() == [b""]
    assert IdentifyMessage.decode_stream(b"\x00") == IdentifyMessage()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01",
        b"\x80",
        b"\x80\x00",
        stream_of(b"") * (PARTS_MAX + 1),
        length_prefixed(bytes(PART_SIZE_BYTES_MAX + 1)),
        stream_of(b"\x08\x01"),
        stream_of(bytes_field(3, b"\xff")),
    ],
    ids=[
        "nothing",
        "cut off",
        "half a length",
        "long form of a length",
        "eleven parts",
        "a part above 8 KiB",
        "a number for a key",
        "a protocol that is no text",
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        IdentifyMessage.decode_stream(raw)


def test_lists_are_cut_to_their_bounds() -> None:
    addresses = tuple(Multiaddr.of_tcp("10.0.0.1", port) for port in range(1, 151))
    protocols = tuple(f"/{number}" for number in range(300))
    message = IdentifyMessage(addresses=addresses, protocols=protocols)
    read = IdentifyMessage.decode_stream(stream_of(*message.encode_parts()))
    assert read.addresses == addresses[:ADDRESSES_MAX]
    assert read.protocols == protocols[:PROTOCOLS_MAX]


def test_long_protocols_are_left_out_and_long_versions_cut() -> None:
    message = IdentifyMessage(
        protocols=("/short", "/" + "x" * PROTOCOL_SIZE_BYTES_MAX),
        agent_version="v" * (VERSION_SIZE_BYTES_MAX + 1),
    )
    read = IdentifyMessage.decode_stream(stream_of(*message.encode_parts()))
    assert read.protocols == ("/short",)
    assert read.agent_version == "v" * VERSION_SIZE_BYTES_MAX


def test_version_that_would_reach_a_terminal_is_made_harmless() -> None:
    raw = bytes_field(6, b"\x1b[2Jevil\xff\n")
    assert IdentifyMessage.decode(raw).agent_version == "?[2Jevil\ufffd?"


def test_one_bad_address_does_not_spoil_the_others() -> None:
    raw = bytes_field(2, b"\xff\xff") + bytes_field(2, HOME.encode()) + bytes_field(4, b"\xff")
    message = IdentifyMessage.decode(raw)
    assert (message.addresses, message.observed) == ((HOME,), None)


def test_peer_id_at_the_end_of_an_address_is_cut_off() -> None:
    peer_only = Multiaddr((("p2p", str(Multiaddr(()).with_peer(peer_of(1)))[5:]),))
    raw = (
        bytes_field(2, HOME.with_peer(peer_of(1)).encode())
        + bytes_field(2, peer_only.encode())
        + bytes_field(4, HOME.with_peer(peer_of(2)).encode())
    )
    message = IdentifyMessage.decode(raw)
    assert (message.addresses, message.observed) == ((HOME,), HOME)


def test_parts_add_to_lists_and_replace_the_rest() -> None:
    first = IdentifyMessage(agent_version="old", protocols=("/a", "/b"), addresses=(HOME,))
    second = IdentifyMessage(agent_version="new", protocols=("/b", "/c"), signed_record=b"r")
    assert first.merge(second) == IdentifyMessage(
        agent_version="new", protocols=("/a", "/b", "/c"), addresses=(HOME,), signed_record=b"r"
    )


def test_push_replaces_what_it_names_and_never_the_key() -> None:
    known = IdentifyMessage(public_key=b"key", protocols=("/a",), addresses=(HOME,))
    pushed = IdentifyMessage(public_key=b"other", protocols=("/b",), agent_version="new")
    assert known.update(pushed) == IdentifyMessage(
        public_key=b"key", protocols=("/b",), addresses=(HOME,), agent_version="new"
    )
