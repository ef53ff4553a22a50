"""A dialer that follows Noise but may lie in its last message: about its key or its payload."""

from nacl import bindings

from p2p.noise.symmetric import SymmetricState
from tests.p2p.published import DIALER


class ForgingDialer:
    """Speaks the dialer's half of XX step by step."""

    def __init__(self) -> None:
        self._state = SymmetricState()
        self._remote_ephemeral = b""

    def first_message(self) -> bytes:
        ephemeral = bindings.crypto_scalarmult_base(DIALER.keys.ephemeral)
        self._state.mix_hash(ephemeral)
        self._state.mix_hash(b"")
        return framed(ephemeral)

    def last_message(
        self,
        answer: bytes,
        *,
        payload: bytes = DIALER.payload,
        static_public: bytes = DIALER.static_public,
        padding: bytes = b"",
    ) -> bytes:
        """Answer message 2 with any payload, any public key, and any bytes at the end."""
        self._remote_ephemeral = answer[2:34]
        self._state.mix_hash(self._remote_ephemeral)
        self._mix(DIALER.keys.ephemeral, self._remote_ephemeral)
        listener_static = self._state.decrypt(answer[34:82])
        self._mix(DIALER.keys.ephemeral, listener_static)
        self._state.decrypt(answer[82:])
        encrypted_key = self._state.encrypt(static_public)
        self._mix(DIALER.keys.static, self._remote_ephemeral)
        return framed(encrypted_key + self._state.encrypt(payload) + padding)

    def _mix(self, secret: bytes, public: bytes) -> None:
        self._state.mix_key(bindings.crypto_scalarmult(secret, public))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message
