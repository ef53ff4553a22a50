"""Hold the Ed25519 key that makes a peer who it is, and check what other peers signed.

libp2p signs plain bytes under prefixes of its own, without the domain tags of `primitives.keys`; a
peer key is therefore never a validator key.
"""

from typing import Final, Self

import nacl.exceptions
from nacl import bindings
from typing_extensions import override

from p2p.wire.peer_id import (
    PeerId,
    decode_key,
    encode_key,
    encode_public_key,
    peer_id_of,
    peer_id_text,
)
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError
from primitives.keys import PUBLIC_KEY_SIZE_BYTES, SEED_SIZE_BYTES, SIGNATURE_SIZE_BYTES

_SECRET_SIZE_BYTES: Final = SEED_SIZE_BYTES + PUBLIC_KEY_SIZE_BYTES
_OLD_SECRET_SIZE_BYTES: Final = _SECRET_SIZE_BYTES + PUBLIC_KEY_SIZE_BYTES


class Identity:
    """The secret of one peer; it is never shown or compared."""

    __slots__ = ("_secret", "peer_id", "public_key")

    def __init__(self, *, secret: bytes, public_key: bytes) -> None:
        self._secret = secret
        self.public_key = public_key
        self.peer_id: PeerId = peer_id_of(public_key)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the identity that RFC 8032 derives from a seed of 32 bytes.

        Raises:
            InvalidKeyError: the seed has another size.
        """
        if len(seed) != SEED_SIZE_BYTES:
            raise InvalidKeyError(f"a seed has {SEED_SIZE_BYTES} bytes, this has {len(seed)}")
        public_key, secret = bindings.crypto_sign_seed_keypair(seed)
        return cls(secret=secret, public_key=public_key)

    @classmethod
    def decode(cls, protobuf: bytes) -> Self:
        """Return the identity in a PrivateKey protobuf, the form that libp2p programs store.

        Raises:
            InvalidKeyError: another kind of key, or a public half that does not fit the seed.
            MalformedBytesError: not a PrivateKey protobuf.
        """
        secret = decode_key(protobuf)
        if len(secret) not in (_SECRET_SIZE_BYTES, _OLD_SECRET_SIZE_BYTES):
            raise MalformedBytesError(f"a private key has {_SECRET_SIZE_BYTES} bytes")
        identity = cls.from_seed(secret[:SEED_SIZE_BYTES])
        # The old form of 96 bytes repeats the public key.
        halves = secret[SEED_SIZE_BYTES:]
        if halves != identity.public_key * (len(halves) // PUBLIC_KEY_SIZE_BYTES):
            raise InvalidKeyError("the public half does not belong to the seed")
        return identity

    def encode(self) -> bytes:
        """Return the PrivateKey protobuf, 68 bytes: whoever reads it is this peer."""
        return encode_key(self._secret)

    @property
    def public_key_protobuf(self) -> bytes:
        """The PublicKey protobuf, 36 bytes."""
        return encode_public_key(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of exactly these bytes, 64 bytes, the same every time."""
        signed: bytes = bindings.crypto_sign(message, self._secret)
        return signed[:SIGNATURE_SIZE_BYTES]

    @override
    def __repr__(self) -> str:
        """Show which peer this is, without the secret."""
        return f"Identity({peer_id_text(self.peer_id)})"


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check that an Ed25519 key signed exactly these bytes.

    Raises:
        BadSignatureError: it did not, or the key or the signature has another form.
    """
    if len(signature) != SIGNATURE_SIZE_BYTES or len(public_key) != PUBLIC_KEY_SIZE_BYTES:
        raise BadSignatureError("a key has 32 bytes and a signature 64")
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except nacl.exceptions.BadSignatureError as error:
        raise BadSignatureError("the signature does not hold") from error
