from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import HandshakeError, UnsupportedKeyError, WrongPeerError
from p2p.noise.cipher import TAG_SIZE_BYTES
from p2p.noise.handshake import (
    MESSAGE_SIZE_BYTES_MAX,
    Handshake,
    HandshakeOutcome,
    NoiseKeys,
)
from p2p.noise.payload import encode_payload
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId, peer_id_text
from p2p.wire.protobuf import bytes_field, number_field
from p2p.wire.role import Role
from primitives.errors import RemoteProtocolError
from tests.p2p.cutting import CUTS, pieces
from tests.p2p.noise.forger import ForgingDialer, framed
from tests.p2p.published import DIALER, LISTENER, PublishedSide, published

PEER = "/ip4/10.0.0.1/tcp/1"
MUXERS = ("/yamux/1.0.0",)
MESSAGES = [bytes.fromhex(published("noise_xx")[f"message_{n}_framed"]) for n in (1, 2, 3)]
OTHER = Identity.from_seed(bytes(32))

# Whoever multiplies one of these with a secret gets zero: RFC 7748, section 6.1, and "May the
# Fourth Be With You", Genkin et al. 2017.
SMALL_ORDER_POINTS = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def handshake(
    role: Role,
    *,
    keys: NoiseKeys | None = None,
    expected: PeerId | None = None,
    muxers: tuple[str, ...] = MUXERS,
) -> Handshake:
    side: PublishedSide = DIALER if role is Role.DIALER else LISTENER
    return Handshake(
        role=role,
        identity=side.identity,
        keys=keys or side.keys,
        muxers=muxers,
        expected=expected,
        peer=PEER,
    )


def shake(
    dialer: Handshake,
    listener: Handshake,
    *,
    pass_on: Callable[[int, bytes], bytes] = lambda _, message: message,
) -> None:
    """Pass the three messages to and fro, each as `pass_on` returns it."""
    assert listener.start() == b""
    answer = listener.receive(pass_on(1, dialer.start()))
    last = dialer.receive(pass_on(2, answer))
    assert listener.receive(pass_on(3, last)) == b""


def outcome_of(side: Handshake) -> HandshakeOutcome:
    assert side.outcome is not None
    return side.outcome


def test_transcript_is_that_of_js() -> None:
    transcript = published("noise_xx")
    dialer, listener = handshake(Role.DIALER), handshake(Role.LISTENER)
    seen: list[bytes] = []

    def pass_on(_: int, message: bytes) -> bytes:
        seen.append(message)
        return message

    shake(dialer, listener, pass_on=pass_on)
    assert seen == MESSAGES
    ends = {"initiator": outcome_of(dialer), "responder": outcome_of(listener)}
    for end in ends.values():
        assert end.handshake_hash.hex() == transcript["handshake_hash"]
    for row in transcript["transport"]:
        frame = ends[row["from"]].sealer.seal(bytes.fromhex(row["plaintext"]))
        assert frame.hex() == row["framed"]


def test_both_sides_learn_who_the_other_is_and_what_it_speaks() -> None:
    dialer = handshake(Role.DIALER, expected=LISTENER.identity.peer_id, muxers=("/a", "/b"))
    listener = handshake(Role.LISTENER, expected=DIALER.identity.peer_id, muxers=())
    shake(dialer, listener)
    seen_by_dialer, seen_by_listener = outcome_of(dialer), outcome_of(listener)
    assert seen_by_dialer.peer_id == LISTENER.identity.peer_id
    assert seen_by_listener.peer_id == DIALER.identity.peer_id
    assert (seen_by_dialer.muxers, seen_by_listener.muxers) == ((), ("/a", "/b"))
    for one, other in ((seen_by_dialer, seen_by_listener), (seen_by_listener, seen_by_dialer)):
        assert other.opener.open(one.sealer.seal(b"hello")) == b"hello"


@settings(max_examples=40)
@given(CUTS, CUTS, CUTS, st.binary(max_size=50))
def test_pieces_do_not_matter(
    first: list[int], second: list[int], third: list[int], leftover: bytes
) -> None:
    dialer, listener = handshake(Role.DIALER), handshake(Role.LISTENER)
    dialer.start()
    assert b"".join(map(listener.receive, pieces(MESSAGES[0], first))) == MESSAGES[1]
    assert b"".join(map(dialer.receive, pieces(MESSAGES[1], second))) == MESSAGES[2]
    rest = b""
    for piece in pieces(MESSAGES[2] + leftover, third):
        if listener.outcome is None:
            assert listener.receive(piece) == b""
        else:
            rest += piece
    assert outcome_of(listener).leftover + rest == leftover
    assert outcome_of(dialer).leftover == b""


@given(st.sampled_from([1, 2, 3]), st.integers(min_value=0), st.integers(0, 7))
def test_a_changed_bit_is_refused_by_whoever_reads_it_next(
    number: int, place: int, bit: int
) -> None:
    def pass_on(current: int, message: bytes) -> bytes:
        changed = bytearray(message)
        if current == number:
            changed[place % len(changed)] ^= 1 << bit
        return bytes(changed)

    dialer, listener = handshake(Role.DIALER), handshake(Role.LISTENER)
    try:
        shake(dialer, listener, pass_on=pass_on)
    except HandshakeError as error:
        refusal = error
    else:
        # A longer length makes the reader wait for bytes that do not come.
        refusal = HandshakeError("waits", peer=PEER)
    assert refusal.peer == PEER
    assert listener.outcome is None
    assert (dialer.outcome is None) == (number < 3)


def test_a_dialer_does_not_show_itself_to_another_than_it_dialled() -> None:
    dialer = handshake(Role.DIALER, expected=OTHER.peer_id)
    dialer.start()
    with pytest.raises(WrongPeerError, match=peer_id_text(LISTENER.identity.peer_id)):
        dialer.receive(MESSAGES[1])
    assert dialer.outcome is None


def test_a_listener_may_expect_a_peer_as_well() -> None:
    listener = handshake(Role.LISTENER, expected=OTHER.peer_id)
    listener.receive(MESSAGES[0])
    with pytest.raises(WrongPeerError, match=peer_id_text(DIALER.identity.peer_id)):
        listener.receive(MESSAGES[2])
    assert listener.outcome is None


def test_fresh_keys_make_another_connection() -> None:
    fresh = replace(DIALER.keys, ephemeral=bytes(range(32)))
    dialer, listener = handshake(Role.DIALER, keys=fresh), handshake(Role.LISTENER)
    shake(dialer, listener)
    transcript = published("noise_xx")
    assert outcome_of(dialer).handshake_hash == outcome_of(listener).handshake_hash
    assert outcome_of(dialer).handshake_hash.hex() != transcript["handshake_hash"]


def test_a_replayed_last_message_is_worth_nothing() -> None:
    fresh = replace(LISTENER.keys, ephemeral=bytes(range(32)))
    listener = handshake(Role.LISTENER, keys=fresh)
    listener.receive(MESSAGES[0])
    with pytest.raises(HandshakeError, match="does not authenticate"):
        listener.receive(MESSAGES[2])


@pytest.mark.parametrize("size", [0, 5, 31])
def test_key_that_is_too_short_is_refused_before_it_is_used(size: int) -> None:
    dialer = handshake(Role.DIALER)
    dialer.start()
    with pytest.raises(HandshakeError, match="usable"):
        dialer.receive(framed(b"\x09" * size))
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    short = forger.last_message(answer, static_public=b"\x09" * size)
    with pytest.raises(HandshakeError, match="usable"):
        listener.receive(framed(short[2 : 2 + size + TAG_SIZE_BYTES]))


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_keys_that_share_zero_with_everybody_are_refused(point: str) -> None:
    public = bytes.fromhex(point)
    with pytest.raises(HandshakeError, match="usable"):
        handshake(Role.LISTENER).receive(framed(public))
    dialer = handshake(Role.DIALER)
    dialer.start()
    with pytest.raises(HandshakeError, match="usable"):
        dialer.receive(framed(public + MESSAGES[1][34:]))
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    with pytest.raises(HandshakeError, match="usable"):
        listener.receive(forger.last_message(answer, static_public=public))


@pytest.mark.parametrize("size", [0, 31, 33, 200])
def test_the_first_message_is_a_key_and_nothing_else(size: int) -> None:
    with pytest.raises(HandshakeError, match=f"has {size} bytes, not 32"):
        handshake(Role.LISTENER).receive(framed(bytes(size)))


@pytest.mark.parametrize("size", [0, 31, 32, 47, 79, 80, 95])
def test_a_message_too_short_for_its_parts_is_refused(size: int) -> None:
    dialer = handshake(Role.DIALER)
    dialer.start()
    with pytest.raises(HandshakeError):
        dialer.receive(framed(MESSAGES[1][2 : 2 + size]))
    listener = handshake(Role.LISTENER)
    listener.receive(MESSAGES[0])
    with pytest.raises(HandshakeError):
        listener.receive(framed(MESSAGES[2][2 : 2 + size]))


@pytest.mark.parametrize("role", Role)
def test_a_message_beyond_the_bound_is_refused_at_its_length(role: Role) -> None:
    side = handshake(role)
    side.start()
    longest = MESSAGE_SIZE_BYTES_MAX.to_bytes(2, "big")
    assert side.receive(longest) == b""
    side = handshake(role)
    side.start()
    with pytest.raises(HandshakeError, match="4097 bytes > limit 4096"):
        side.receive((MESSAGE_SIZE_BYTES_MAX + 1).to_bytes(2, "big"))


@pytest.mark.parametrize(("role", "message"), [(Role.LISTENER, 0), (Role.DIALER, 1)])
def test_bytes_before_there_are_keys_for_them_are_refused(role: Role, message: int) -> None:
    side = handshake(role)
    side.start()
    with pytest.raises(HandshakeError, match="before the handshake was done"):
        side.receive(MESSAGES[message] + b"\0")


@pytest.mark.parametrize("kind", [0, 2, 3], ids=["RSA", "secp256k1", "ECDSA"])
def test_identity_of_another_kind_of_key_is_refused_without_blame(kind: int) -> None:
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    key = number_field(1, kind) + bytes_field(2, bytes(33))
    payload = bytes_field(1, key) + bytes_field(2, bytes(64))
    with pytest.raises(UnsupportedKeyError) as caught:
        listener.receive(forger.last_message(answer, payload=payload))
    assert not isinstance(caught.value, RemoteProtocolError)


def payloads_that_prove_nothing() -> dict[str, bytes]:
    key = DIALER.identity.public_key_protobuf
    signature = DIALER.identity.sign(b"noise-libp2p-static-key:" + DIALER.static_public)
    return {
        "empty": b"",
        "no signature": bytes_field(1, key),
        "no key": bytes_field(2, signature),
        "signature without prefix": bytes_field(1, key)
        + bytes_field(2, DIALER.identity.sign(DIALER.static_public)),
        "signature of another static key": encode_payload(
            DIALER.identity, static_key=LISTENER.static_public, muxers=()
        ),
        "the listener's own payload": LISTENER.payload,
        "key of another peer": bytes_field(1, OTHER.public_key_protobuf)
        + bytes_field(2, signature),
        "not a protobuf": b"\xff" * 40,
        "muxer that is no text": DIALER.payload + bytes_field(4, bytes_field(2, b"\xff")),
        "number for a key": number_field(1, 1),
        "too many fields": DIALER.payload + number_field(9, 1) * 14,
        "too many muxers": DIALER.payload + bytes_field(4, bytes_field(2, b"/a") * 65),
    }


@pytest.mark.parametrize("name", payloads_that_prove_nothing())
def test_a_payload_that_proves_no_identity_is_refused(name: str) -> None:
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    payload = payloads_that_prove_nothing()[name]
    with pytest.raises(HandshakeError) as caught:
        listener.receive(forger.last_message(answer, payload=payload))
    assert caught.value.peer == PEER
    assert listener.outcome is None


def test_bytes_behind_a_payload_are_refused() -> None:
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    with pytest.raises(HandshakeError, match="does not authenticate"):
        listener.receive(forger.last_message(answer, padding=b"\0"))


def test_a_forger_that_does_not_lie_is_let_in() -> None:
    forger, listener = ForgingDialer(), handshake(Role.LISTENER)
    answer = listener.receive(forger.first_message())
    listener.receive(forger.last_message(answer))
    assert outcome_of(listener).peer_id == DIALER.identity.peer_id


def test_errors_after_the_handshake_name_the_peer() -> None:
    dialer, listener = handshake(Role.DIALER), handshake(Role.LISTENER)
    shake(dialer, listener)
    with pytest.raises(HandshakeError) as caught:
        outcome_of(dialer).opener.open(b"\x00\x00")
    assert caught.value.peer == peer_id_text(LISTENER.identity.peer_id)


def test_secret_keys_are_not_shown() -> None:
    assert repr(DIALER.keys) == "NoiseKeys()"
