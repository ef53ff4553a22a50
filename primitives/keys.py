"""Sign and verify with Ed25519 (RFC 8032), seal to its keys, and name public keys as did:key.

A signature covers the tagged hash of the message, so it is worth nothing in another domain.

All nodes must agree on which signatures are valid, and Ed25519 libraries differ on keys and
signatures with a small-order part. `PublicKey.from_raw` therefore admits only canonical points of
the prime-order subgroup; for these, and for S below the group order, the equation without cofactor
that libsodium checks has one answer. tests/vectors/keys.json holds the cases where builds could
differ. Source: Chalkias et al., "Taming the many EdDSAs", 2020; the did:key method, W3C CCG.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import nacl.exceptions
from nacl import bindings
from typing_extensions import override

from primitives.errors import BadSealError, BadSignatureError, InvalidKeyError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import DIGEST_SIZE_BYTES
from primitives.multibase import decode_base58btc, encode_base58btc

SEED_SIZE_BYTES: Final = 32
PUBLIC_KEY_SIZE_BYTES: Final = 32
SIGNATURE_SIZE_BYTES: Final = 64
SEAL_SIZE_BYTES: Final = 48
"""How much longer a sealed message is: an ephemeral public key and an authenticator."""

_DID_KEY_PREFIX: Final = "did:key:"
# The multicodec "ed25519-pub", 0xed, as an unsigned varint.
_ED25519_PUB: Final = b"\xed\x01"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The 32 bytes that verify one signer; bytes from outside enter through `from_raw`."""

    raw: bytes

    @classmethod
    def from_raw(cls, raw: bytes) -> Self:
        """Return the key with these bytes.

        Raises:
            InvalidKeyError: not 32 bytes, not a canonical point, or not of prime order.
        """
        if len(raw) != PUBLIC_KEY_SIZE_BYTES:
            raise InvalidKeyError(
                f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes, these are {len(raw)}"
            )
        if not bindings.crypto_core_ed25519_is_valid_point(raw):
            raise InvalidKeyError("not a canonical point of prime order")
        return cls(raw)

    @classmethod
    def from_did_key(cls, text: str) -> Self:
        """Return the key that a "did:key:z6Mk..." names.

        Raises:
            InvalidKeyError: the text is not the did:key of a usable Ed25519 key.
        """
        if not text.startswith(_DID_KEY_PREFIX):
            raise InvalidKeyError(f"a did:key starts with {_DID_KEY_PREFIX!r}")
        try:
            prefixed = decode_base58btc(text[len(_DID_KEY_PREFIX) :])
        except ValueError as error:
            raise InvalidKeyError(f"not a did:key: {error}") from error
        if not prefixed.startswith(_ED25519_PUB):
            raise InvalidKeyError("the did:key is not of an Ed25519 key")
        return cls.from_raw(prefixed[len(_ED25519_PUB) :])

    @property
    def did_key(self) -> str:
        """The key as "did:key:z6Mk..."."""
        return _DID_KEY_PREFIX + encode_base58btc(_ED25519_PUB + self.raw)

    def verify(self, domain: Domain, message: bytes, signature: bytes) -> None:
        """Check that this key signed the message in the domain.

        Raises:
            BadSignatureError: it did not, or the signature has another form.
        """
        if len(signature) != SIGNATURE_SIZE_BYTES:
            # The library reads what follows as the message, so the signer could vary the length.
            raise BadSignatureError(
                f"a signature has {SIGNATURE_SIZE_BYTES} bytes, this has {len(signature)}"
            )
        try:
            bindings.crypto_sign_open(signature + tagged_hash(domain, message), self.raw)
        except nacl.exceptions.BadSignatureError as error:
            raise BadSignatureError(f"not signed by {self.did_key} as {domain.value}") from error

    def verify_foreign(self, message: bytes, signature: bytes) -> None:
        """Check that this key signed exactly these bytes, as a format of others asks for it.

        Raises:
            BadSignatureError: it did not, or the signature has another form.
        """
        if len(signature) != SIGNATURE_SIZE_BYTES:
            raise BadSignatureError(
                f"a signature has {SIGNATURE_SIZE_BYTES} bytes, this has {len(signature)}"
            )
        try:
            bindings.crypto_sign_open(signature + message, self.raw)
        except nacl.exceptions.BadSignatureError as error:
            raise BadSignatureError(f"not signed by {self.did_key}") from error

    def seal(self, message: bytes, *, ephemeral_seed: bytes) -> bytes:
        """Return a message that only the holder of the private key can read, from nobody.

        The format is that of libsodium's `crypto_box_seal`, to the X25519 key of this key.

        Args:
            message: of any size.
            ephemeral_seed: 32 secret random bytes that are used for nothing else.
        """
        recipient = bindings.crypto_sign_ed25519_pk_to_curve25519(self.raw)
        public, secret = bindings.crypto_box_seed_keypair(ephemeral_seed)
        nonce = bindings.crypto_generichash_blake2b_salt_personal(
            public + recipient, digest_size=bindings.crypto_box_NONCEBYTES
        )
        return public + bindings.crypto_box(message, nonce, recipient, secret)


class PrivateKey:
    """The secret of one signer; it is never shown, compared, or encoded."""

    __slots__ = ("_public", "_secret")

    def __init__(self, *, secret: bytes, public: PublicKey) -> None:
        self._secret = secret
        self._public = public

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key that RFC 8032 derives from a seed of 32 bytes.

        Raises:
            InvalidKeyError: the seed has another size.
        """
        if len(seed) != SEED_SIZE_BYTES:
            raise InvalidKeyError(f"a seed has {SEED_SIZE_BYTES} bytes, this has {len(seed)}")
        public, secret = bindings.crypto_sign_seed_keypair(seed)
        return cls(secret=secret, public=PublicKey(public))

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes]) -> Self:
        """Return a new key from a source of randomness that takes a size and returns bytes."""
        return cls.from_seed(random_bytes(SEED_SIZE_BYTES))

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return self._public

    def sign(self, domain: Domain, message: bytes) -> bytes:
        """Return the signature of the message in the domain, 64 bytes, the same every time."""
        signed: bytes = bindings.crypto_sign(tagged_hash(domain, message), self._secret)
        return signed[:SIGNATURE_SIZE_BYTES]

    def sign_foreign(self, message: bytes) -> bytes:
        """Return the plain signature of a message in a format of others, such as a JWT.

        Raises:
            ValueError: the message is as long as a digest, and so could be one of ours.
        """
        if len(message) == DIGEST_SIZE_BYTES:
            raise ValueError("32 bytes could be the tagged hash of something else")
        signed: bytes = bindings.crypto_sign(message, self._secret)
        return signed[:SIGNATURE_SIZE_BYTES]

    def unseal(self, sealed: bytes) -> bytes:
        """Return a message that was sealed to this key.

        Raises:
            BadSealError: it was not, or it was changed.
        """
        secret = bindings.crypto_sign_ed25519_sk_to_curve25519(self._secret)
        public = bindings.crypto_sign_ed25519_pk_to_curve25519(self._public.raw)
        try:
            return bindings.crypto_box_seal_open(sealed, public, secret)
        except (nacl.exceptions.CryptoError, nacl.exceptions.TypeError) as error:
            raise BadSealError(f"not sealed to {self._public.did_key}") from error

    @override
    def __repr__(self) -> str:
        """Show which key this is, without the secret."""
        return f"PrivateKey(public={self._public.did_key})"
