"""Say in a Noise handshake who one is: the identity key, its signature of the static key, muxers.

The signature ties the Noise key, which is made anew, to the identity, which lasts: without it a
peer could pass on what another said. Source: github.com/libp2p/specs, noise, "The libp2p Handshake
Payload".
"""

from dataclasses import dataclass
from typing import Final, Self

from p2p.wire.identity import Identity, verify
from p2p.wire.peer_id import PeerId, decode_public_key, peer_id_of
from p2p.wire.protobuf import bytes_field, expect_bytes, expect_text, read_fields
from primitives.errors import MalformedBytesError

_SIGNED_PREFIX: Final = b"noise-libp2p-static-key:"
_IDENTITY_KEY_FIELD: Final = 1
_SIGNATURE_FIELD: Final = 2
_EXTENSIONS_FIELD: Final = 4
_MUXERS_FIELD: Final = 2
# A handshake message is bounded by `handshake.MESSAGE_SIZE_BYTES_MAX`; these bound the objects
# made of it. The extensions hold muxers and certificate hashes, a handful of each.
_PAYLOAD_FIELDS_MAX: Final = 16
_EXTENSION_FIELDS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class HandshakePayload:
    """What a peer proved and said in its handshake.

    Args:
        muxers: the stream muxers the peer speaks, best first; empty if it does not say.
    """

    peer_id: PeerId
    muxers: tuple[str, ...]

    @classmethod
    def decode(cls, raw: bytes, *, static_key: bytes) -> Self:
        """Return the payload that came with this Noise static key, its signature checked.

        Raises:
            BadSignatureError: the identity did not sign the static key.
            InvalidKeyError: the identity is not an Ed25519 key.
            MalformedBytesError: not a handshake payload, or one without an identity.
        """
        identity_key = signature = b""
        muxers: list[str] = []
        for field, value in read_fields(raw, fields_max=_PAYLOAD_FIELDS_MAX):
            if field == _IDENTITY_KEY_FIELD:
                identity_key = expect_bytes(value)
            elif field == _SIGNATURE_FIELD:
                signature = expect_bytes(value)
            elif field == _EXTENSIONS_FIELD:
                muxers += _decode_muxers(expect_bytes(value))
        if not identity_key:
            raise MalformedBytesError("the payload names no identity")
        public_key = decode_public_key(identity_key)
        verify(public_key, _SIGNED_PREFIX + static_key, signature)
        return cls(peer_id_of(public_key), tuple(muxers))


def encode_payload(identity: Identity, *, static_key: bytes, muxers: tuple[str, ...]) -> bytes:
    """Return our payload, which proves that the Noise static key (public half) is ours."""
    signature = identity.sign(_SIGNED_PREFIX + static_key)
    payload = bytes_field(_IDENTITY_KEY_FIELD, identity.public_key_protobuf)
    payload += bytes_field(_SIGNATURE_FIELD, signature)
    if muxers:
        extensions = b"".join(bytes_field(_MUXERS_FIELD, muxer.encode()) for muxer in muxers)
        payload += bytes_field(_EXTENSIONS_FIELD, extensions)
    return payload


def _decode_muxers(extensions: bytes) -> list[str]:
    fields = read_fields(extensions, fields_max=_EXTENSION_FIELDS_MAX)
    return [expect_text(value) for field, value in fields if field == _MUXERS_FIELD]
