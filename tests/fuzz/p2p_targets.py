"""What is fuzzed of p2p: one row for each parser of bytes that come from a peer."""

from typing import Final

from p2p.errors import (
    HandshakeError,
    MuxerError,
    NegotiationError,
    ProtocolsRefusedError,
)
from p2p.gossip.policy import SigningPolicy
from p2p.gossip.rpc import Prune, decode_rpc
from p2p.gossip.rpc_fields import control_field, prune_field
from p2p.gossip.topic import TopicRules
from p2p.identify_message import ADDRESSES_MAX, PROTOCOLS_MAX, IdentifyMessage
from p2p.noise.cipher import Opener, Sealer
from p2p.noise.handshake import Handshake
from p2p.noise.payload import HandshakePayload
from p2p.upgrade import YAMUX_PROTOCOL
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.multistream import Proposer, Responder, encode_message
from p2p.wire.peer_id import decode_public_key
from p2p.wire.protobuf import length_prefixed
from p2p.wire.records import PeerRecord
from p2p.wire.role import Role
from p2p.yamux.events import PayloadReceived, YamuxEvent
from p2p.yamux.limits import YamuxLimits
from p2p.yamux.session import YamuxSession
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError
from tests.fuzz.target import Target
from tests.p2p.gossip.bench import GRAFT, RAW, RULES, SUBSCRIBE, Bench
from tests.p2p.published import DIALER, LISTENER, published

PEER: Final = "/memory/1"
YAMUX_LIMITS: Final = YamuxLimits()
YAMUX_PIECE_SIZE_BYTES: Final = 11
"""One byte less than a header."""
YAMUX_PING: Final = 7
PROTOCOLS: Final = ("/new/2", "/old/1")
HEADER: Final = encode_message("/multistream/1.0.0")
FRAMES_KEY: Final = bytes(32)
FIRST_MESSAGE_SIZE_BYTES: Final = 34
SIGNED_TOPIC: Final = TopicRules(name="signed", policy=SigningPolicy.STRICT_SIGN)
UNSIGNED_TOPICS: Final = (RULES, TopicRules(name="other"))
KEY_ERRORS: Final = (MalformedBytesError, InvalidKeyError, BadSignatureError)


def _run_multistream(raw: bytes) -> None:
    """Read the bytes on either side, at once and byte by byte, which must not matter."""
    is_proposer, raw = raw[:1] == b"p", raw[1:]
    sides = [
        Proposer(PROTOCOLS, peer=PEER)
        if is_proposer
        else Responder(PROTOCOLS.__contains__, peer=PEER)
        for _ in range(2)
    ]
    at_once, slow = sides
    sent = at_once.receive(raw)
    assert len(at_once.leftover) <= len(raw)
    rest = raw
    sent_slowly = b""
    while rest and slow.agreed is None:
        sent_slowly += slow.receive(rest[:1])
        rest = rest[1:]
    assert (sent, at_once.agreed) == (sent_slowly, slow.agreed)
    assert at_once.agreed is None or at_once.leftover == slow.leftover + rest


def _run_noise(raw: bytes) -> None:
    payload = HandshakePayload.decode(raw, static_key=DIALER.static_public)
    assert payload.peer_id == DIALER.identity.peer_id


def _run_handshake(raw: bytes) -> None:
    """Read the bytes as all that the other side sends until it is done."""
    role = Role.LISTENER if raw[:1] == b"l" else Role.DIALER
    side, rest = _handshake(role), raw[1:]
    side.start()
    while rest and side.outcome is None:
        # The listener gets the first message alone, since the other waits for its answer.
        side.receive(rest[:FIRST_MESSAGE_SIZE_BYTES])
        rest = rest[FIRST_MESSAGE_SIZE_BYTES:]
    assert side.outcome is None or len(side.outcome.peer_id) == len(DIALER.identity.peer_id)


def _handshake(role: Role) -> Handshake:
    side = DIALER if role is Role.DIALER else LISTENER
    return Handshake(
        role=role,
        identity=side.identity,
        keys=side.keys,
        muxers=(YAMUX_PROTOCOL,),
        expected=None,
        peer=PEER,
    )


def _run_frames(raw: bytes) -> None:
    """Read the bytes at once and byte by byte, which must not matter."""
    at_once, slow = (Opener(FRAMES_KEY, peer=PEER) for _ in range(2))
    plaintext = at_once.open(raw)
    assert plaintext == b"".join(slow.open(raw[i : i + 1]) for i in range(len(raw)))


def _run_address(raw: bytes) -> None:
    address = Multiaddr.decode(raw)
    assert Multiaddr.parse(str(address)) == address
    assert address.encode() == raw


def _run_record(raw: bytes) -> None:
    record = PeerRecord.open(raw)
    assert len(record.addresses) <= len(raw)


def _run_identify(raw: bytes) -> None:
    message = IdentifyMessage.decode_stream(raw)
    assert len(message.addresses) <= ADDRESSES_MAX
    assert len(message.protocols) <= PROTOCOLS_MAX


def _run_rpc(raw: bytes) -> None:
    """Read the bytes, then let a peer in the mesh send them twice to a router that lives on."""
    rpc = decode_rpc(raw)
    assert sum(len(message.publish_field) for message in rpc.messages) <= len(raw) + 16
    bench = Bench((SIGNED_TOPIC, *UNSIGNED_TOPICS), subscribed=(UNSIGNED_TOPICS[0].name,))
    peers = bench.join_many((1, 2), SUBSCRIBE, GRAFT)
    for peer_id in (peers[0], *peers):
        effects = bench.hear(peer_id, raw)
        assert len(effects) <= len(raw) + len(peers)
    bench.beat(5)
    assert all(len(bench.told(peer_id).messages) <= 2 * len(raw) for peer_id in peers)
    assert bench.router.report().seen <= len(raw)


def _run_key(raw: bytes) -> None:
    if raw[:1] == b"s":
        Identity.decode(raw[1:]).encode()
    else:
        decode_public_key(raw)


def _run_yamux(raw: bytes) -> None:
    """Read the bytes at once and in pieces, which must not matter, and read every stream."""
    role = Role.DIALER if raw[:1] == b"d" else Role.LISTENER
    at_once, slow = (YamuxSession(role=role, peer=PEER) for _ in range(2))
    for session in (at_once, slow):
        session.send(session.open_stream(), b"first bytes")
        session.ping(YAMUX_PING)
    heard: dict[int, bytes] = {}
    heard_slowly: dict[int, bytes] = {}
    pieces = [
        raw[start : start + YAMUX_PIECE_SIZE_BYTES]
        for start in range(1, len(raw), YAMUX_PIECE_SIZE_BYTES)
    ]
    try:
        _read_streams(at_once, at_once.receive(raw[1:]), heard)
    finally:
        # The same error comes again here, when there is one.
        for piece in pieces:
            _read_streams(slow, slow.receive(piece), heard_slowly)
    assert heard == heard_slowly
    assert at_once.stream_count == slow.stream_count <= YAMUX_LIMITS.inbound_streams + 1
    assert at_once.unread_bytes == slow.unread_bytes <= YAMUX_LIMITS.unread_bytes_max
    size_bytes_max = YAMUX_LIMITS.control_bytes_max + len(raw) + 100
    assert at_once.take(size_bytes_max) == slow.take(size_bytes_max)
    assert not at_once.has_output


def _read_streams(session: YamuxSession, events: list[YamuxEvent], heard: dict[int, bytes]) -> None:
    for event in events:
        if isinstance(event, PayloadReceived):
            heard[event.stream_id] = heard.get(event.stream_id, b"") + event.payload
            session.consume(event.stream_id, len(event.payload))


def _yamux_seeds() -> tuple[bytes, ...]:
    golden = {name: bytes.fromhex(frame) for name, frame in published("yamux").items()}
    accept, open_, say, credit, half_close, reset, ping, pong, goodbye = (
        golden[name]
        for name in (
            "accept stream 1 (window update, ACK)",
            "open stream 1 (window update, SYN)",
            "data of 5 bytes on stream 1",
            "window update of 262144 on stream 1",
            "half close of stream 1 (window update, FIN)",
            "reset of stream 1 (window update, RST)",
            "ping request 7",
            "ping answer 7",
            "go away, normal",
        )
    )
    other = open_.replace(b"\1\0\0\0\0", b"\3\0\0\0\0")
    return (
        b"d" + accept + say * 3 + credit + ping + pong + half_close + say + goodbye,
        b"l" + open_ + say * 2 + ping + half_close + other + reset,
        b"l" + ping + pong + other + reset + open_ + say + half_close + credit,
    )


def _multistream_seeds() -> tuple[bytes, ...]:
    unknown, known = encode_message("/unknown/1"), encode_message(PROTOCOLS[1])
    refusal = encode_message("na")
    return (
        b"r" + HEADER + known + b"first bytes",
        b"r" + HEADER + encode_message("ls") + unknown * 14 + known,
        b"p" + HEADER + encode_message(PROTOCOLS[0]) + b"first bytes",
        b"p" + HEADER + refusal + known,
    )


def _handshake_seeds() -> tuple[bytes, ...]:
    first, second, third = (
        bytes.fromhex(published("noise_xx")[f"message_{number}_framed"]) for number in (1, 2, 3)
    )
    return b"l" + first + third, b"d" + second


def _frames_seeds() -> tuple[bytes, ...]:
    sealer = Sealer(FRAMES_KEY, peer=PEER)
    return (sealer.seal(b"one") + sealer.seal(bytes(300)), b"")


def _identify_seeds() -> tuple[bytes, ...]:
    message = IdentifyMessage(
        public_key=DIALER.identity.public_key_protobuf,
        addresses=tuple(Multiaddr.parse(row["text"]) for row in published("multiaddr")),
        protocols=PROTOCOLS,
        observed=Multiaddr.parse("/ip4/10.0.0.1/tcp/1"),
        protocol_version="chain/1",
        agent_version="peer/1",
        signed_record=bytes.fromhex(published("signed_peer_record")["envelope"]),
    )
    more = IdentifyMessage(protocols=("/more/1",))
    one, two = (b"".join(map(length_prefixed, part.encode_parts())) for part in (message, more))
    return one, one + two


def _rpc_seeds() -> tuple[bytes, ...]:
    golden = published("gossipsub")
    names = ("subscribe", "unsubscribe", "graft", "prune_backoff_60", "ihave", "iwant", "idontwant")
    parts = [bytes.fromhex(golden[name]) for name in names]
    messages = [
        bytes.fromhex(golden[policy]["rpc_publish"]) for policy in ("strict_sign", "strict_no_sign")
    ]
    record = bytes.fromhex(published("signed_peer_record")["envelope"])
    named = Prune(RAW, ((DIALER.identity.peer_id, record),), 60)
    return (*parts, *messages, b"".join(parts + messages), control_field([prune_field(named)]))


def _address_seeds() -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(row["bytes"]) for row in published("multiaddr"))


P2P_TARGETS: Final = (
    Target(
        "multistream",
        _run_multistream,
        (NegotiationError, ProtocolsRefusedError),
        _multistream_seeds(),
    ),
    Target("noise", _run_noise, KEY_ERRORS, (DIALER.payload,)),
    Target("handshake", _run_handshake, (HandshakeError,), _handshake_seeds()),
    Target("frames", _run_frames, (HandshakeError,), _frames_seeds()),
    Target("address", _run_address, (MalformedBytesError,), _address_seeds()),
    Target(
        "record",
        _run_record,
        KEY_ERRORS,
        (bytes.fromhex(published("signed_peer_record")["envelope"]),),
    ),
    Target("identify", _run_identify, (MalformedBytesError,), _identify_seeds()),
    Target("yamux", _run_yamux, (MuxerError,), _yamux_seeds()),
    Target("rpc", _run_rpc, (MalformedBytesError,), _rpc_seeds()),
    Target(
        "key",
        _run_key,
        (MalformedBytesError, InvalidKeyError),
        (DIALER.identity.public_key_protobuf, b"s" + DIALER.identity.encode()),
    ),
)
