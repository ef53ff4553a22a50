"""Keep the running hash and key of a Noise handshake, and what every step mixes into them.

Both sides mix the same bytes in the same order; a bit that differs anywhere, even in the clear,
makes the next encrypted part fail. Source: the Noise Protocol Framework, revision 34, section 5.
"""

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from p2p.noise.cipher import pack_nonce
from primitives.errors import MalformedBytesError

# Exactly as long as a hash, so Noise takes the name itself for the first hash and key.
_PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"


class SymmetricState:
    """The part of a handshake that does not know the pattern.

    Attributes:
        handshake_hash: of all that was mixed in; at the end the same on both sides, and of this
            connection alone.
    """

    __slots__ = ("_chaining_key", "_cipher", "_nonce", "handshake_hash")

    def __init__(self) -> None:
        self.handshake_hash = _PROTOCOL_NAME
        self._chaining_key = _PROTOCOL_NAME
        self._cipher: ChaCha20Poly1305 | None = None
        self._nonce = 0
        # libp2p's prologue is empty, and even so it is mixed in.
        self.mix_hash(b"")

    def mix_hash(self, raw: bytes) -> None:
        """Bind the bytes to all that follows."""
        self.handshake_hash = hashlib.sha256(self.handshake_hash + raw).digest()

    def mix_key(self, secret: bytes) -> None:
        """Make all that follows readable only to those who know this secret, too."""
        self._chaining_key, key = _derive(self._chaining_key, secret)
        self._cipher = ChaCha20Poly1305(key)
        self._nonce = 0

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return the ciphertext, 16 bytes longer, and bind it to all that follows."""
        assert self._cipher is not None
        ciphertext = self._cipher.encrypt(self._next_nonce(), plaintext, self.handshake_hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Return the plaintext, and bind the ciphertext to all that follows.

        Raises:
            MalformedBytesError: the other side, with the same state, did not encrypt this.
        """
        assert self._cipher is not None
        try:
            plaintext = self._cipher.decrypt(self._next_nonce(), ciphertext, self.handshake_hash)
        except InvalidTag as error:
            raise MalformedBytesError("a handshake message does not authenticate") from error
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[bytes, bytes]:
        """Return the key from dialer to listener and the key of the other direction."""
        return _derive(self._chaining_key, b"")

    def _next_nonce(self) -> bytes:
        nonce = pack_nonce(self._nonce)
        self._nonce += 1
        return nonce


def _derive(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Return the two outputs of the HKDF of Noise."""
    extracted = hmac.digest(chaining_key, secret, "sha256")
    first = hmac.digest(extracted, b"\x01", "sha256")
    return first, hmac.digest(extracted, first + b"\x02", "sha256")
