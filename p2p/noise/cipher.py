"""Encrypt what follows the handshake: frames of at most 65535 bytes, one key for each direction.

A nonce is never used twice: each direction counts its frames, and neither side can skip one, so a
frame that was lost, repeated, moved or changed does not authenticate and ends the connection.
Source: github.com/libp2p/specs, noise; ChaCha20Poly1305 of RFC 8439 as in the Noise framework,
section 12.3: four zero bytes, then the counter, little endian; no associated bytes.
"""

from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from p2p.errors import HandshakeError

TAG_SIZE_BYTES: Final = 16
LENGTH_SIZE_BYTES: Final = 2
FRAME_SIZE_BYTES_MAX: Final = 65535
"""The most that two bytes of length can say; the length itself does not count."""

PLAINTEXT_SIZE_BYTES_MAX: Final = FRAME_SIZE_BYTES_MAX - TAG_SIZE_BYTES
NONCE_MAX: Final = 2**64 - 2
"""The last nonce; Noise keeps the one after it for itself."""

pack_nonce: Final = Struct("<4xQ").pack
pack_length: Final = Struct(">H").pack


class Sealer:
    """Encrypts what we send.

    Args:
        key: 32 bytes, of this direction of this connection alone.
        nonce: of the first frame; the handshake leaves it at 0.
    """

    __slots__ = ("_encrypt", "_nonce", "_peer")

    def __init__(self, key: bytes, *, peer: str, nonce: int = 0) -> None:
        self._encrypt = ChaCha20Poly1305(key).encrypt
        self._nonce = nonce
        self._peer = peer

    def seal(self, plaintext: bytes) -> bytes:
        """Return the frames that carry the bytes, in order; no bytes need no frame.

        Writes of up to `PLAINTEXT_SIZE_BYTES_MAX` bytes become one frame.

        Raises:
            HandshakeError: the nonces are used up, after 2^64 frames.
        """
        size_bytes = len(plaintext)
        if 0 < size_bytes <= PLAINTEXT_SIZE_BYTES_MAX:
            return self._seal_frame(plaintext, size_bytes)
        whole = memoryview(plaintext)
        parts = (
            whole[start : start + PLAINTEXT_SIZE_BYTES_MAX]
            for start in range(0, size_bytes, PLAINTEXT_SIZE_BYTES_MAX)
        )
        return b"".join(self._seal_frame(part, len(part)) for part in parts)

    def _seal_frame(self, plaintext: bytes | memoryview, size_bytes: int) -> bytes:
        nonce = self._nonce
        if nonce > NONCE_MAX:
            raise HandshakeError("no nonce is left to encrypt with", peer=self._peer)
        self._nonce = nonce + 1
        ciphertext = self._encrypt(pack_nonce(nonce), plaintext, None)
        return pack_length(size_bytes + TAG_SIZE_BYTES) + ciphertext


class Opener:
    """Decrypts what we receive; holds less than one frame between two calls.

    Args:
        key: 32 bytes, of the other direction of this connection alone.
        nonce: of the first frame; the handshake leaves it at 0.
    """

    __slots__ = ("_body", "_decrypt", "_length_start", "_missing", "_nonce", "_peer")

    def __init__(self, key: bytes, *, peer: str, nonce: int = 0) -> None:
        self._decrypt = ChaCha20Poly1305(key).decrypt
        self._nonce = nonce
        self._peer = peer
        # The frame at hand: one byte of its length, or what came of its body and what is missing.
        self._length_start = b""
        self._body = bytearray()
        self._missing = 0

    def open(self, chunk: bytes) -> bytes:
        """Return what the frames said that this chunk completes, in order.

        Raises:
            HandshakeError: a frame is not what the peer sealed next. The connection has to end.
        """
        plaintexts = self.open_frames(chunk)
        return plaintexts[0] if len(plaintexts) == 1 else b"".join(plaintexts)

    def open_frames(self, chunk: bytes) -> list[bytes]:
        """Return what `open` returns, frame by frame, which saves a copy.

        Raises:
            HandshakeError: a frame is not what the peer sealed next. The connection has to end.
        """
        plaintexts: list[bytes] = []
        offset = 0
        if self._missing:
            offset = self._continue_frame(chunk, plaintexts)
        elif self._length_start:
            chunk = self._length_start + chunk
            self._length_start = b""
        size_bytes = len(chunk)
        view = memoryview(chunk)
        while size_bytes - offset >= LENGTH_SIZE_BYTES:
            start = offset + LENGTH_SIZE_BYTES
            offset = start + (chunk[offset] << 8 | chunk[offset + 1])
            if offset > size_bytes:
                self._body += view[start:]
                self._missing = offset - size_bytes
                return plaintexts
            plaintexts.append(self._open_frame(view[start:offset]))
        if offset < size_bytes:
            self._length_start = chunk[offset:]
        return plaintexts

    def _continue_frame(self, chunk: bytes, plaintexts: list[bytes]) -> int:
        """Take from the chunk what the frame at hand lacks; return how many bytes that were."""
        taken = min(self._missing, len(chunk))
        self._body += chunk[:taken]
        self._missing -= taken
        if not self._missing:
            plaintexts.append(self._open_frame(self._body))
            self._body.clear()
        return taken

    def _open_frame(self, frame: memoryview | bytearray) -> bytes:
        nonce = self._nonce
        if nonce > NONCE_MAX:
            raise HandshakeError("no nonce is left to decrypt with", peer=self._peer)
        self._nonce = nonce + 1
        try:
            return self._decrypt(pack_nonce(nonce), frame, None)
        except InvalidTag as error:
            # A frame shorter than a tag ends here as well.
            raise HandshakeError("a frame does not authenticate", peer=self._peer) from error
