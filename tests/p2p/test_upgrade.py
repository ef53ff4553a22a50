from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import (
    HandshakeError,
    NegotiationError,
    ProtocolsRefusedError,
    WrongPeerError,
)
from p2p.noise.handshake import Handshake
from p2p.upgrade import NOISE_PROTOCOL, YAMUX_PROTOCOL, Upgrade, Upgraded
from p2p.wire.multistream import encode_message
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.role import Role
from primitives.errors import PeerError
from tests.p2p.cutting import CUTS, pieces
from tests.p2p.published import DIALER, LISTENER

PEER = "/ip4/10.0.0.1/tcp/1"
HEADER = encode_message("/multistream/1.0.0")
NOISE = encode_message(NOISE_PROTOCOL)
YAMUX = encode_message(YAMUX_PROTOCOL)
EARLY = (YAMUX_PROTOCOL,)

OFFERS = st.sampled_from([(), EARLY, ("/mplex/6.7.0", YAMUX_PROTOCOL)])


def upgrade(
    role: Role, *, early_muxers: tuple[str, ...] = EARLY, expected: PeerId | None = None
) -> Upgrade:
    side = DIALER if role is Role.DIALER else LISTENER
    return Upgrade(
        role=role,
        identity=side.identity,
        keys=side.keys,
        expected=expected,
        peer=PEER,
        early_muxers=early_muxers,
    )


def deliver(side: Upgrade, raw: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """Return what a side answers to bytes in pieces, and the pieces that came after its outcome."""
    answer = rest = b""
    for piece in pieces(raw, cuts):
        if side.outcome is None:
            answer += side.receive(piece)
        else:
            rest += piece
    return answer, rest


def converse(dialer: Upgrade, listener: Upgrade, *, cuts: list[int], first_words: bytes) -> bytes:
    """Let both sides upgrade; the dialer adds its first words as soon as it can.

    Returns:
        What the listener's muxer gets to read.
    """
    to_listener = dialer.start()
    assert listener.start() == b""
    while True:
        if dialer.outcome is not None:
            to_listener += dialer.outcome.sealer.seal(first_words)
        to_dialer, rest = deliver(listener, to_listener, cuts)
        if dialer.outcome is not None:
            assert to_dialer == b""
            listened = outcome_of(listener)
            return listened.leftover + listened.opener.open(rest)
        to_listener, rest = deliver(dialer, to_dialer, cuts)
        assert rest == b""


def outcome_of(side: Upgrade) -> Upgraded:
    assert side.outcome is not None
    return side.outcome


@settings(max_examples=40)
@given(OFFERS, OFFERS, CUTS, st.binary(max_size=60))
def test_any_two_sides_agree_however_the_bytes_come(
    by_dialer: tuple[str, ...], by_listener: tuple[str, ...], cuts: list[int], first_words: bytes
) -> None:
    dialer = upgrade(Role.DIALER, early_muxers=by_dialer, expected=LISTENER.identity.peer_id)
    listener = upgrade(Role.LISTENER, early_muxers=by_listener)
    assert converse(dialer, listener, cuts=cuts, first_words=first_words) == first_words
    dialled, listened = outcome_of(dialer), outcome_of(listener)
    assert (dialled.security, listened.security) == (NOISE_PROTOCOL, NOISE_PROTOCOL)
    assert dialled.muxer == listened.muxer
    assert dialled.early_muxer == listened.early_muxer == bool(by_dialer and by_listener)
    assert dialled.peer_id == LISTENER.identity.peer_id
    assert listened.peer_id == DIALER.identity.peer_id
    assert dialled.opener.open(listened.sealer.seal(b"hello")) == b"hello"


def test_the_first_muxer_of_the_dialer_that_the_listener_has_wins() -> None:
    dialer = upgrade(Role.DIALER, early_muxers=("/c", "/b", "/a"))
    listener = upgrade(Role.LISTENER, early_muxers=("/a", "/b"))
    converse(dialer, listener, cuts=[], first_words=b"")
    assert (outcome_of(dialer).muxer, outcome_of(listener).muxer) == ("/b", "/b")


def test_no_muxer_in_common_ends_the_upgrade_without_blame() -> None:
    dialer = upgrade(Role.DIALER)
    listener = upgrade(Role.LISTENER, early_muxers=("/mplex/6.7.0",))
    with pytest.raises(ProtocolsRefusedError, match="no common muxer") as caught:
        converse(dialer, listener, cuts=[], first_words=b"")
    assert caught.value.peer == peer_id_text(LISTENER.identity.peer_id)


def test_a_dialer_that_does_not_wait_for_the_answer_is_understood() -> None:
    listener = upgrade(Role.LISTENER)
    handshake = Handshake(
        role=Role.DIALER,
        identity=DIALER.identity,
        keys=DIALER.keys,
        muxers=EARLY,
        expected=None,
        peer=PEER,
    )
    answer = listener.receive(HEADER + NOISE + handshake.start())
    assert answer.startswith(HEADER + NOISE)
    last = handshake.receive(answer.removeprefix(HEADER + NOISE))
    assert handshake.outcome is not None
    assert listener.receive(last + handshake.outcome.sealer.seal(b"yamux")) == b""
    assert outcome_of(listener).leftover == b"yamux"


def test_a_peer_without_noise_is_told_apart_from_one_that_breaks_rules() -> None:
    dialer = upgrade(Role.DIALER)
    assert dialer.start() == HEADER + NOISE
    with pytest.raises(ProtocolsRefusedError, match="/noise"):
        dialer.receive(HEADER + encode_message("na"))
    with pytest.raises(NegotiationError):
        upgrade(Role.DIALER).receive(b"HTTP/1.1 400 Bad Request\r\n" * 4)


def test_a_listener_refuses_other_security_and_waits_for_noise() -> None:
    listener = upgrade(Role.LISTENER)
    assert listener.receive(HEADER + encode_message("/tls/1.0.0")) == HEADER + encode_message("na")
    assert listener.receive(NOISE) == NOISE


def test_another_peer_than_the_one_dialled_is_refused() -> None:
    dialer = upgrade(Role.DIALER, expected=DIALER.identity.peer_id)
    with pytest.raises(WrongPeerError):
        converse(dialer, upgrade(Role.LISTENER), cuts=[], first_words=b"")


def test_a_muxer_that_is_refused_inside_the_channel_is_named_with_its_peer() -> None:
    dialer = upgrade(Role.DIALER, early_muxers=())
    listener = Handshake(
        role=Role.LISTENER,
        identity=LISTENER.identity,
        keys=LISTENER.keys,
        muxers=(),
        expected=None,
        peer=PEER,
    )
    first = dialer.receive(HEADER + NOISE)
    last_and_proposal = dialer.receive(listener.receive(first))
    listener.receive(last_and_proposal)
    assert listener.outcome is not None
    secured = listener.outcome
    assert secured.opener.open(secured.leftover) == HEADER + YAMUX
    with pytest.raises(ProtocolsRefusedError) as caught:
        dialer.receive(secured.sealer.seal(HEADER + encode_message("na")))
    assert caught.value.peer == peer_id_text(LISTENER.identity.peer_id)


def test_garbage_behind_the_handshake_is_refused() -> None:
    dialer, listener = upgrade(Role.DIALER), upgrade(Role.LISTENER)
    answer = listener.receive(dialer.start() + dialer.receive(HEADER + NOISE))
    last = dialer.receive(answer.removeprefix(HEADER + NOISE))
    with pytest.raises(HandshakeError, match="does not authenticate"):
        listener.receive(last + bytes(40))


@settings(max_examples=60)
@given(st.booleans(), st.integers(0, 400), st.integers(0, 7))
def test_a_changed_bit_leaves_no_side_with_a_wrong_idea(
    to_listener: bool, place: int, bit: int
) -> None:
    """Change one bit of one direction; whoever still finishes, finishes with the right peer."""
    sides = {True: upgrade(Role.LISTENER), False: upgrade(Role.DIALER)}
    seen = dict.fromkeys(sides, 0)
    waiting = [(True, sides[False].start())]
    with suppress(PeerError):
        while waiting:
            towards, raw = waiting.pop()
            start = seen[towards]
            seen[towards] += len(raw)
            if towards is to_listener and start <= place < seen[towards]:
                changed = bytearray(raw)
                changed[place - start] ^= 1 << bit
                raw = bytes(changed)
            if raw and sides[towards].outcome is None:
                waiting.append((not towards, sides[towards].receive(raw)))
    was_changed = place < seen[to_listener]
    assert not (was_changed and sides[to_listener].outcome)
    for towards, honest in ((True, DIALER), (False, LISTENER)):
        outcome = sides[towards].outcome
        assert outcome is None or outcome.peer_id == honest.identity.peer_id
