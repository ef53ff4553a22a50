"""Signatures, and the id that a message has on every node."""

import hashlib

import msgspec
import pytest

from p2p.gossip.policy import (
    MessageIdRule,
    Origin,
    check_origin,
    check_signature,
    check_unsigned,
    message_id_function,
    signed_message,
    unsigned_message,
)
from p2p.gossip.rpc import WireMessage, decode_rpc
from p2p.gossip.rpc_fields import publish_field
from p2p.wire.protobuf import bytes_field
from primitives.errors import BadSignatureError, HanseError, InvalidKeyError, MalformedBytesError
from tests.p2p.gossip.bench import RAW, identity_of, peer_of
from tests.p2p.published import DIALER, published

GOLDEN = published("gossipsub")
SIGNED = GOLDEN["strict_sign"]
SECP256K1 = b"\x00\x25\x08\x02\x12\x21\x02" + bytes(32)
RSA_KEY = b"\x08\x00\x12\x82\x01" + bytes(130)
RSA = b"\x12\x20" + hashlib.sha256(RSA_KEY).digest()
SEQNO = int(SIGNED["seqno"], 16)


def from_js(name: str) -> WireMessage:
    (message,) = decode_rpc(publish_field(bytes.fromhex(SIGNED[name]))).messages
    return message


def ours() -> WireMessage:
    return signed_message(b"block 1", topic=RAW, seqno=SEQNO, identity=DIALER.identity)


def test_signed_message_has_the_bytes_of_js() -> None:
    assert ours().publish_field.hex() == SIGNED["rpc_publish"]
    assert ours() == from_js("message_without_key")


@pytest.mark.parametrize("name", ["message_without_key", "message_with_key"])
def test_signed_message_of_js_is_accepted(name: str) -> None:
    message = from_js(name)
    assert check_origin(message) == Origin(DIALER.identity.peer_id, SEQNO)
    check_signature(message)


def test_ids_are_those_of_the_vectors() -> None:
    spec = message_id_function(MessageIdRule.SPEC, topic=RAW)
    topic20 = message_id_function(MessageIdRule.TOPIC20, topic=RAW)
    sha256 = message_id_function(MessageIdRule.SHA256, topic=RAW)
    assert spec(ours()).hex() == SIGNED["message_id_from_seqno"]
    unsigned = unsigned_message(b"block 1", topic=RAW)
    assert topic20(unsigned).hex() == GOLDEN["strict_no_sign"]["message_id_topic20"]
    assert topic20(ours()) == topic20(unsigned), "the id does not tell who published"
    assert sha256(unsigned) == hashlib.sha256(b"block 1").digest()


def test_same_payload_has_another_id_on_another_topic() -> None:
    ids = {
        message_id_function(MessageIdRule.TOPIC20, topic=topic)(unsigned_message(b"x", topic=topic))
        for topic in (b"a", b"b", b"ax")
    }
    assert len(ids) == 3


def test_signature_covers_fields_of_later_versions() -> None:
    later = bytes_field(9, b"later")
    plain = ours()
    with pytest.raises(BadSignatureError):
        check_signature(msgspec.structs.replace(plain, unknown=later))


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b"block 2"},
        {"topic": b"chain/blocks/2"},
        {"seqno": bytes(8)},
        {"signature": bytes(64)},
        {"signature": b"short"},
        {"author": peer_of(5)},
    ],
)
def test_changed_message_is_refused(change: dict[str, bytes]) -> None:
    with pytest.raises(BadSignatureError):
        check_signature(msgspec.structs.replace(ours(), **change))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"author": None}, MalformedBytesError),
        ({"seqno": None}, MalformedBytesError),
        ({"signature": None}, MalformedBytesError),
        ({"seqno": bytes(7)}, MalformedBytesError),
        ({"author": b"no peer id"}, MalformedBytesError),
        ({"author": b"\x12\x20" + bytes(32)}, InvalidKeyError),
        ({"author": SECP256K1}, InvalidKeyError),
        ({"author": SECP256K1, "key": SECP256K1[2:]}, InvalidKeyError),
        ({"author": RSA, "key": RSA_KEY}, InvalidKeyError),
        ({"author": SECP256K1, "key": RSA_KEY}, BadSignatureError),
        ({"author": RSA, "key": SECP256K1[2:]}, BadSignatureError),
        ({"key": identity_of(5).public_key_protobuf}, BadSignatureError),
    ],
)
def test_origin_that_is_not_well_formed_is_refused(
    change: dict[str, bytes | None], error: type[HanseError]
) -> None:
    with pytest.raises(error):
        check_origin(msgspec.structs.replace(ours(), **change))


@pytest.mark.parametrize("field", ["author", "seqno", "signature", "key"])
def test_unsigned_message_names_no_author_not_even_an_empty_one(field: str) -> None:
    message = unsigned_message(b"x", topic=RAW)
    check_unsigned(message)
    with pytest.raises(MalformedBytesError):
        check_unsigned(msgspec.structs.replace(message, **{field: b""}))


def test_signature_of_a_message_without_one_does_not_hold() -> None:
    with pytest.raises(BadSignatureError):
        check_signature(unsigned_message(b"x", topic=RAW))
