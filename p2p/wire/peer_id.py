"""Name peers by their public key, as libp2p does.

A peer id is the multihash of the public key's protobuf: for an Ed25519 key the identity multihash,
so the id holds the key itself. Ids of other kinds of key can be read and printed, but such
a peer is never accepted. Source: github.com/libp2p/specs, peer-ids.
"""

from functools import lru_cache
from typing import Final, NewType

from p2p.wire.protobuf import bytes_field, expect_bytes, expect_number, number_field, read_fields
from primitives.errors import InvalidKeyError, MalformedBytesError
from primitives.keys import PUBLIC_KEY_SIZE_BYTES
from primitives.multibase import decode_base32, decode_base58btc, encode_base58btc

PeerId = NewType("PeerId", bytes)
"""A multihash: 38 bytes for an Ed25519 key."""

TEXTS_KEPT: Final = 1_024
"""Texts of ids that are remembered: every stream and task names its peer, and base58 is slow."""

_KEY_KIND_ED25519: Final = 1
_IDENTITY_MULTIHASH: Final = 0x00
_SHA2_256_PREFIX: Final = b"\x12\x20"
_IDENTITY_SIZE_BYTES_MAX: Final = 42
# CIDv1 with the multicodec "libp2p-key".
_CID_PREFIX: Final = b"\x01\x72"
_KEY_FIELDS_MAX: Final = 2


def encode_public_key(raw: bytes) -> bytes:
    """Return the protobuf of an Ed25519 public key, 36 bytes."""
    return encode_key(raw)


def encode_key(raw: bytes) -> bytes:
    """Return the protobuf of an Ed25519 key, public or private: its kind and its bytes."""
    return number_field(1, _KEY_KIND_ED25519) + bytes_field(2, raw)


def decode_key(protobuf: bytes) -> bytes:
    """Return the bytes in the protobuf of an Ed25519 key, whose size the caller checks.

    Raises:
        InvalidKeyError: another kind of key, which we do not support.
        MalformedBytesError: not the protobuf of a key.
    """
    kind = -1
    raw = b""
    for field, value in read_fields(protobuf, fields_max=_KEY_FIELDS_MAX):
        if field == 1:
            kind = expect_number(value)
        elif field == 2:
            raw = expect_bytes(value)
    if kind != _KEY_KIND_ED25519:
        raise InvalidKeyError(f"only Ed25519 keys are supported, this is of kind {kind}")
    return raw


def decode_public_key(protobuf: bytes) -> bytes:
    """Return the 32 bytes of the Ed25519 key in a PublicKey protobuf.

    Raises:
        InvalidKeyError: another kind of key, which we do not support.
        MalformedBytesError: not the one encoding of an Ed25519 key.
    """
    raw = decode_key(protobuf)
    if len(raw) != PUBLIC_KEY_SIZE_BYTES:
        raise InvalidKeyError(f"an Ed25519 key has {PUBLIC_KEY_SIZE_BYTES} bytes, not {len(raw)}")
    if encode_public_key(raw) != protobuf:
        # Two encodings of one key would be two peer ids of one peer.
        raise MalformedBytesError("the public key is not in its deterministic encoding")
    return raw


def peer_id_of(public_key: bytes) -> PeerId:
    """Return the id of the peer that holds an Ed25519 key of 32 bytes."""
    protobuf = encode_public_key(public_key)
    return PeerId(bytes((_IDENTITY_MULTIHASH, len(protobuf))) + protobuf)


def public_key_of(peer_id: PeerId) -> bytes:
    """Return the Ed25519 key that an id holds, 32 bytes.

    Raises:
        InvalidKeyError: the id is of another kind of key.
        MalformedBytesError: the id is not well formed.
    """
    check_peer_id(peer_id)
    if peer_id[0] != _IDENTITY_MULTIHASH:
        raise InvalidKeyError("the peer id is a hash of its key, so it is not of an Ed25519 key")
    return decode_public_key(peer_id[2:])


def check_peer_id(raw: bytes) -> PeerId:
    """Return the bytes as a peer id.

    Raises:
        MalformedBytesError: neither an identity nor a sha2-256 multihash of fitting size.
    """
    is_identity = (
        len(raw) > 2
        and raw[0] == _IDENTITY_MULTIHASH
        and raw[1] == len(raw) - 2 <= _IDENTITY_SIZE_BYTES_MAX
    )
    if is_identity or (len(raw) == 34 and raw.startswith(_SHA2_256_PREFIX)):
        return PeerId(raw)
    raise MalformedBytesError(f"{len(raw)} bytes are not a peer id")


def parse_peer_id(text: str) -> PeerId:
    """Return the id with this text: base58btc ("12D3KooW...", "Qm...") or a CIDv1 ("bafz...").

    Raises:
        MalformedBytesError: the text is neither.
    """
    try:
        if text.startswith("b"):
            raw = decode_base32(text)
            if not raw.startswith(_CID_PREFIX):
                raise MalformedBytesError(f"{text!r} is not the content id of a peer")
            return check_peer_id(raw[len(_CID_PREFIX) :])
        return check_peer_id(decode_base58btc("z" + text))
    except ValueError as error:
        raise MalformedBytesError(f"{text!r} is not a peer id: {error}") from error


@lru_cache(maxsize=TEXTS_KEPT)
def peer_id_text(peer_id: PeerId) -> str:
    """Return the base58btc text by which people know the peer."""
    return encode_base58btc(peer_id)[1:]
