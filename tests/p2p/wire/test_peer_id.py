import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.wire.peer_id import (
    PeerId,
    check_peer_id,
    decode_public_key,
    encode_public_key,
    parse_peer_id,
    peer_id_of,
    peer_id_text,
    public_key_of,
)
from p2p.wire.protobuf import bytes_field, number_field
from primitives.errors import InvalidKeyError, MalformedBytesError
from primitives.multibase import encode_base32
from tests.p2p.published import published

KEYS = st.binary(min_size=32, max_size=32)
KEY = bytes(range(32))
# The id of a peer with an RSA key, as public IPFS has them.
RSA_TEXT = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


@pytest.mark.parametrize("row", published("identity"))
def test_peer_ids_are_those_of_js(row: dict[str, str]) -> None:
    key = bytes.fromhex(row["public_key"])
    peer_id = PeerId(bytes.fromhex(row["peer_id_bytes"]))
    assert encode_public_key(key).hex() == row["public_key_protobuf"]
    assert peer_id_of(key) == peer_id
    assert peer_id_text(peer_id) == row["peer_id"]
    assert parse_peer_id(row["peer_id"]) == peer_id
    assert parse_peer_id(row["peer_id_cid"]) == peer_id


@given(KEYS)
def test_an_id_holds_the_key(key: bytes) -> None:
    peer_id = peer_id_of(key)
    assert public_key_of(peer_id) == key
    assert decode_public_key(encode_public_key(key)) == key
    assert check_peer_id(peer_id) == parse_peer_id(peer_id_text(peer_id)) == peer_id


def test_a_hashed_id_can_be_read_and_printed_but_has_no_key() -> None:
    peer_id = parse_peer_id(RSA_TEXT)
    assert (len(peer_id), peer_id[:2]) == (34, b"\x12\x20")
    assert peer_id_text(peer_id) == RSA_TEXT
    assert parse_peer_id(encode_base32(b"\x01\x72" + peer_id)) == peer_id
    with pytest.raises(InvalidKeyError, match="hash of its key"):
        public_key_of(peer_id)


def test_an_id_that_holds_a_key_of_another_kind_has_no_key_for_us() -> None:
    secp256k1 = number_field(1, 2) + bytes_field(2, bytes(33))
    peer_id = check_peer_id(bytes((0, len(secp256k1))) + secp256k1)
    with pytest.raises(InvalidKeyError, match="of kind 2"):
        public_key_of(peer_id)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x02a",
        b"\x00\x01ab",
        b"\x00" + bytes((43,)) + bytes(43),
        b"\x12\x20" + bytes(31),
        b"\x12\x20" + bytes(33),
        b"\x12\x21" + bytes(33),
        b"\x13\x40" + bytes(64),
    ],
)
def test_bytes_that_are_no_peer_id_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        check_peer_id(raw)
    with pytest.raises(MalformedBytesError):
        public_key_of(PeerId(raw))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12D3KooW",
        "0OIl",
        "z12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5",
        "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5 ",
        "BAFZAAJAIAEJCBCUI4POXICPRSX6VFWZNHS5F24WKM4E36HMUCIN7G5EIAG2A6324",
        "bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324a",
        encode_base32(b"\x01\x55" + hashlib.sha256(b"content").digest()),
        "b\u00e4",
        "1" * 5000,
    ],
)
def test_text_that_is_no_peer_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedBytesError):
        parse_peer_id(text)


@pytest.mark.parametrize(
    ("protobuf", "error", "reason"),
    [
        (b"", InvalidKeyError, "of kind -1"),
        (bytes_field(2, KEY), InvalidKeyError, "of kind -1"),
        (number_field(1, 0) + bytes_field(2, bytes(270)), InvalidKeyError, "of kind 0"),
        (number_field(1, 3) + bytes_field(2, KEY), InvalidKeyError, "of kind 3"),
        (number_field(1, 1), InvalidKeyError, "not 0"),
        (number_field(1, 1) + bytes_field(2, KEY[:31]), InvalidKeyError, "not 31"),
        (bytes_field(2, KEY) + number_field(1, 1), MalformedBytesError, "deterministic"),
        (encode_public_key(KEY) + number_field(3, 1), MalformedBytesError, "more than 2 fields"),
        (bytes_field(1, b"\x01") + bytes_field(2, KEY), MalformedBytesError, "got bytes"),
        (number_field(1, 1) + number_field(2, 1), MalformedBytesError, "got a number"),
    ],
)
def test_a_public_key_has_one_encoding_and_one_kind(
    protobuf: bytes, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        decode_public_key(protobuf)


@given(st.binary(max_size=40))
def test_no_other_bytes_are_a_public_key(raw: bytes) -> None:
    try:
        key = decode_public_key(raw)
    except (InvalidKeyError, MalformedBytesError):
        return
    assert encode_public_key(key) == raw
