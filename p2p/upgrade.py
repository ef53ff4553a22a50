"""Turn a bare channel into a secure one with a muxer agreed: the layers of libp2p, in order.

    multistream-select "/noise"  ->  Noise XX  ->  the muxer

The muxer is agreed on inside the handshake when both sides name theirs there, as go and js do, and
else by multistream-select inside the encrypted channel, as with py-libp2p. We speak yamux alone.
Source: github.com/libp2p/specs, connections and inlined-muxer-negotiation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, assert_never

from p2p.errors import ProtocolsRefusedError
from p2p.noise.cipher import Opener, Sealer
from p2p.noise.handshake import Handshake, HandshakeOutcome, NoiseKeys
from p2p.wire.identity import Identity
from p2p.wire.multistream import Proposer, Responder
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Role

NOISE_PROTOCOL: Final = "/noise"
YAMUX_PROTOCOL: Final = "/yamux/1.0.0"

_Step: TypeAlias = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A secure channel, ready for yamux.

    Args:
        peer_id: who the other side proved to be.
        early_muxer: True if the muxer was agreed on inside the handshake.
        sealer: encrypts what we send from now on.
        opener: decrypts what we receive from now on.
        leftover: the first bytes for yamux, decrypted; often none.
    """

    peer_id: PeerId
    security: str
    muxer: str
    early_muxer: bool
    sealer: Sealer
    opener: Opener
    leftover: bytes


class Upgrade:
    """One side of the upgrade of one channel: bytes in, bytes out, and at last an outcome.

    Args:
        role: whether we dialled.
        keys: fresh and random.
        expected: the only identity that we accept; None for any.
        peer: the other side's name in errors, until it proves who it is.
        early_muxers: what we name in the handshake; none, to agree on the muxer after it.

    Attributes:
        role: whether we dialled.
        outcome: None until both sides agree; `receive` must not be called after it.
    """

    def __init__(
        self,
        *,
        role: Role,
        identity: Identity,
        keys: NoiseKeys,
        expected: PeerId | None,
        peer: str,
        early_muxers: tuple[str, ...] = (YAMUX_PROTOCOL,),
    ) -> None:
        self.role = role
        self._early_muxers = early_muxers
        self._handshake = Handshake(
            role=role,
            identity=identity,
            keys=keys,
            muxers=early_muxers,
            expected=expected,
            peer=peer,
        )
        self._negotiation = _negotiation(role, NOISE_PROTOCOL, peer=peer)
        self._receive_next: _Step = self._negotiate_noise
        self.outcome: Upgraded | None = None

    def start(self) -> bytes:
        """Return what to send at once; the listener waits."""
        return _start(self._negotiation)

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the other side and return what to send, also when it is the last.

        Raises:
            HandshakeError: the other side broke Noise or did not prove its identity.
            NegotiationError: it broke multistream-select.
            ProtocolsRefusedError: it speaks no protocol that we do.
        """
        assert self.outcome is None
        return self._receive_next(chunk)

    def _negotiate_noise(self, chunk: bytes) -> bytes:
        answer = self._negotiation.receive(chunk)
        if self._negotiation.agreed is None:
            return answer
        self._receive_next = self._shake_hands
        answer += self._handshake.start()
        leftover = self._negotiation.leftover
        return answer + self._shake_hands(leftover) if leftover else answer

    def _shake_hands(self, chunk: bytes) -> bytes:
        answer = self._handshake.receive(chunk)
        secured = self._handshake.outcome
        if secured is None:
            return answer
        plaintext = secured.opener.open(secured.leftover)
        if self._early_muxers and secured.muxers:
            self.outcome = _upgraded(
                secured, muxer=self._early_choice(secured), early_muxer=True, leftover=plaintext
            )
            return answer
        peer = peer_id_text(secured.peer_id)
        self._negotiation = _negotiation(self.role, YAMUX_PROTOCOL, peer=peer)
        self._receive_next = partial(self._negotiate_muxer, secured)
        proposal = _start(self._negotiation)
        return answer + secured.sealer.seal(proposal + self._advance_muxer(secured, plaintext))

    def _early_choice(self, secured: HandshakeOutcome) -> str:
        """Return the first muxer of the dialer that the listener has."""
        offers = (self._early_muxers, secured.muxers)
        wanted, known = offers if self.role is Role.DIALER else reversed(offers)
        for muxer in wanted:
            if muxer in known:
                return muxer
        raise ProtocolsRefusedError(
            "the handshake found no common muxer", peer=peer_id_text(secured.peer_id)
        )

    def _negotiate_muxer(self, secured: HandshakeOutcome, chunk: bytes) -> bytes:
        return secured.sealer.seal(self._advance_muxer(secured, secured.opener.open(chunk)))

    def _advance_muxer(self, secured: HandshakeOutcome, plaintext: bytes) -> bytes:
        answer = self._negotiation.receive(plaintext)
        muxer = self._negotiation.agreed
        if muxer is not None:
            leftover = self._negotiation.leftover
            self.outcome = _upgraded(secured, muxer=muxer, early_muxer=False, leftover=leftover)
        return answer


def _negotiation(role: Role, protocol: str, *, peer: str) -> Proposer | Responder:
    match role:
        case Role.DIALER:
            return Proposer((protocol,), peer=peer)
        case Role.LISTENER:
            return Responder(protocol.__eq__, peer=peer)
        case _:
            assert_never(role)


def _start(negotiation: Proposer | Responder) -> bytes:
    return negotiation.start() if isinstance(negotiation, Proposer) else b""


def _upgraded(
    secured: HandshakeOutcome, *, muxer: str, early_muxer: bool, leftover: bytes
) -> Upgraded:
    return Upgraded(
        peer_id=secured.peer_id,
        security=NOISE_PROTOCOL,
        muxer=muxer,
        early_muxer=early_muxer,
        sealer=secured.sealer,
        opener=secured.opener,
        leftover=leftover,
    )
