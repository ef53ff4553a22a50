"""Shake hands: the XX pattern of Noise, after which both sides know each other and share keys.

    dialer -> e
           <- e, ee, s, es   with the listener's payload
           -> s, se          with the dialer's payload

The dialer's identity is shown only to a listener that proved its own. Nothing may follow a message
before the other side has answered it: the keys to encrypt it with do not exist yet.
Source: the Noise Protocol Framework, revision 34, section 7.5; github.com/libp2p/specs, noise.
"""

import enum
from dataclasses import dataclass, field
from typing import Final, assert_never

import nacl.exceptions
from nacl import bindings

from p2p.errors import HandshakeError, UnsupportedKeyError, WrongPeerError
from p2p.noise.cipher import LENGTH_SIZE_BYTES, TAG_SIZE_BYTES, Opener, Sealer, pack_length
from p2p.noise.payload import HandshakePayload, encode_payload
from p2p.noise.symmetric import SymmetricState
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Role
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError

MESSAGE_SIZE_BYTES_MAX: Final = 4096
"""go's own messages stay below 2 KiB; no more than this is held for a peer not yet known."""

_KEY_SIZE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class NoiseKeys:
    """Two fresh random X25519 secrets of 32 bytes; the ephemeral one serves one connection only."""

    static: bytes = field(repr=False)
    ephemeral: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeOutcome:
    """What a handshake leads to.

    Args:
        peer_id: the identity that the other side proved.
        muxers: what the other side offers, best first; empty if it does not say.
        handshake_hash: the same on both sides, and of this connection alone.
        leftover: bytes behind the last message, for the opener.
    """

    peer_id: PeerId
    muxers: tuple[str, ...]
    handshake_hash: bytes
    sealer: Sealer
    opener: Opener
    leftover: bytes


class _Expecting(enum.Enum):
    """Which message has to come next, named by what it carries first."""

    EPHEMERAL_OF_DIALER = enum.auto()
    ANSWER_OF_LISTENER = enum.auto()
    STATIC_OF_DIALER = enum.auto()


class Handshake:
    """One side of one handshake: bytes in, bytes out, and at last an outcome.

    Attributes:
        outcome: None until the handshake is done; `receive` must not be called after it.
    """

    def __init__(
        self,
        *,
        role: Role,
        identity: Identity,
        keys: NoiseKeys,
        muxers: tuple[str, ...],
        expected: PeerId | None,
        peer: str,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._muxers = muxers
        self._expected = expected
        self._peer = peer
        self._state = SymmetricState()
        self._remote_ephemeral = b""
        self._buffer = b""
        self._role = role
        self._expecting = (
            _Expecting.ANSWER_OF_LISTENER if role is Role.DIALER else _Expecting.EPHEMERAL_OF_DIALER
        )
        self.outcome: HandshakeOutcome | None = None

    def start(self) -> bytes:
        """Return what to send at once: the dialer's first message; the listener waits."""
        match self._role:
            case Role.DIALER:
                ephemeral = self._mix_own_ephemeral()
                self._state.mix_hash(b"")  # The payload, which is empty as long as it is readable.
                return _framed(ephemeral)
            case Role.LISTENER:
                return b""
            case _:
                assert_never(self._role)

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the other side and return what to send.

        Raises:
            HandshakeError: the other side does not follow Noise, or did not prove its identity.
            WrongPeerError: it proved another identity than the expected one.
            UnsupportedKeyError: its identity is no Ed25519 key.
        """
        assert self.outcome is None
        self._buffer += chunk
        message = self._take_message()
        if message is None:
            return b""
        try:
            return self._answer(message)
        except InvalidKeyError as error:
            # libp2p allows other kinds of keys, so a peer that has one breaks no rule.
            raise UnsupportedKeyError(str(error), peer=self._peer) from error
        except (MalformedBytesError, BadSignatureError) as error:
            raise HandshakeError(str(error), peer=self._peer) from error

    def _take_message(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < LENGTH_SIZE_BYTES:
            return None
        size_bytes = buffer[0] << 8 | buffer[1]
        if size_bytes > MESSAGE_SIZE_BYTES_MAX:
            raise HandshakeError(
                f"a handshake message of {size_bytes} bytes > limit {MESSAGE_SIZE_BYTES_MAX}",
                peer=self._peer,
            )
        end = LENGTH_SIZE_BYTES + size_bytes
        if len(buffer) < end:
            return None
        self._buffer = buffer[end:]
        if self._buffer and self._expecting is not _Expecting.STATIC_OF_DIALER:
            raise HandshakeError("bytes came before the handshake was done", peer=self._peer)
        return buffer[LENGTH_SIZE_BYTES:end]

    def _answer(self, message: bytes) -> bytes:
        match self._expecting:
            case _Expecting.EPHEMERAL_OF_DIALER:
                self._read_ephemeral_of_dialer(message)
                self._expecting = _Expecting.STATIC_OF_DIALER
                return self._answer_of_listener()
            case _Expecting.ANSWER_OF_LISTENER:
                payload = self._read_answer_of_listener(message)
                answer = _framed(self._static_and_payload())
                self._finish(payload)
                return answer
            case _Expecting.STATIC_OF_DIALER:
                self._finish(self._read_static(message))
                return b""
            case _:
                assert_never(self._expecting)

    def _read_ephemeral_of_dialer(self, message: bytes) -> None:
        if len(message) != _KEY_SIZE_BYTES:
            # The message is readable by all, so libp2p lets it carry no payload.
            raise MalformedBytesError(f"the first message has {len(message)} bytes, not 32")
        self._remote_ephemeral = message
        self._state.mix_hash(message)
        self._state.mix_hash(b"")

    def _answer_of_listener(self) -> bytes:
        ephemeral = self._mix_own_ephemeral()
        self._mix_secret(self._keys.ephemeral, self._remote_ephemeral)
        return _framed(ephemeral + self._static_and_payload())

    def _read_answer_of_listener(self, message: bytes) -> HandshakePayload:
        self._remote_ephemeral = message[:_KEY_SIZE_BYTES]
        self._state.mix_hash(self._remote_ephemeral)
        self._mix_secret(self._keys.ephemeral, self._remote_ephemeral)
        return self._read_static(message[_KEY_SIZE_BYTES:])

    def _static_and_payload(self) -> bytes:
        """Return "s" with the payload; between them "es" for a listener, "se" for a dialer."""
        static_key = bindings.crypto_scalarmult_base(self._keys.static)
        encrypted_key = self._state.encrypt(static_key)
        self._mix_secret(self._keys.static, self._remote_ephemeral)
        payload = encode_payload(self._identity, static_key=static_key, muxers=self._muxers)
        return encrypted_key + self._state.encrypt(payload)

    def _read_static(self, message: bytes) -> HandshakePayload:
        """Read what `_static_and_payload` of the other side wrote."""
        key_end = _KEY_SIZE_BYTES + TAG_SIZE_BYTES
        static_key = self._state.decrypt(message[:key_end])
        self._mix_secret(self._keys.ephemeral, static_key)
        raw = self._state.decrypt(message[key_end:])
        payload = HandshakePayload.decode(raw, static_key=static_key)
        if self._expected not in (None, payload.peer_id):
            proved = peer_id_text(payload.peer_id)
            raise WrongPeerError(f"dialled another peer, {proved} answered", peer=self._peer)
        return payload

    def _mix_own_ephemeral(self) -> bytes:
        ephemeral: bytes = bindings.crypto_scalarmult_base(self._keys.ephemeral)
        self._state.mix_hash(ephemeral)
        return ephemeral

    def _mix_secret(self, secret_key: bytes, public_key: bytes) -> None:
        """Mix in the shared secret of two keys.

        Raises:
            MalformedBytesError: not a key, or one of the few that share zero with everybody.
        """
        if len(public_key) != _KEY_SIZE_BYTES:
            # The binding does not check: it would read beyond the end of a shorter one.
            raise MalformedBytesError("not a usable X25519 key")
        try:
            shared = bindings.crypto_scalarmult(secret_key, public_key)
        except (nacl.exceptions.RuntimeError, nacl.exceptions.ValueError) as error:
            raise MalformedBytesError("not a usable X25519 key") from error
        self._state.mix_key(shared)

    def _finish(self, payload: HandshakePayload) -> None:
        to_listener, to_dialer = self._state.split()
        is_dialer = self._role is Role.DIALER
        # From here on the peer has a better name than its address.
        peer = peer_id_text(payload.peer_id)
        self.outcome = HandshakeOutcome(
            peer_id=payload.peer_id,
            muxers=payload.muxers,
            handshake_hash=self._state.handshake_hash,
            sealer=Sealer(to_listener if is_dialer else to_dialer, peer=peer),
            opener=Opener(to_dialer if is_dialer else to_listener, peer=peer),
            leftover=self._buffer,
        )


def _framed(message: bytes) -> bytes:
    return pack_length(len(message)) + message
