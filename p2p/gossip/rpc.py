"""Read and write the RPC of gossipsub, the one message its streams carry.

Counts are capped while reading, before anything is built. Topics and message ids stay bytes: most
are looked up and forgotten. A published message keeps the bytes it came in.
Source: github.com/libp2p/specs, pubsub/README.md and gossipsub-v1.0 to v1.2.
"""

from typing import Final

import msgspec

from p2p.gossip.parameters import RPC_SIZE_BYTES_MAX
from p2p.wire.protobuf import bytes_field, expect_bytes, expect_number, read_fields
from p2p.wire.varint import PROTOBUF_VARINT_SIZE_BYTES_MAX, decode_varint
from primitives.errors import MalformedBytesError

ENTRIES_MAX: Final = 5_000
"""Subscriptions, messages and control entries of one RPC together; go's bound on an IHAVE."""
IDS_MAX: Final = 20_000
"""Message ids of one RPC; four topics that advertise as much as they may."""
MESSAGE_ID_SIZE_BYTES_MAX: Final = 128
"""Longer ids are skipped; the longest in use (author and seqno) has 46 bytes."""
PX_PEERS_MAX: Final = 64
"""Peers read from one PRUNE; fewer are used."""

_UNKNOWN_FIELDS_MAX: Final = 16
_MESSAGE_FIELDS_MAX: Final = 6 + _UNKNOWN_FIELDS_MAX
_FIELD_MAX: Final = 2**29 - 1
_UINT64_MAX: Final = 2**64 - 1
_PUBLISH_TAG: Final = 0x12
_DEFINED_TAGS: Final = frozenset({0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x32})


class WireMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as it was sent; a field that was absent is None, which differs from empty.

    Attributes:
        publish_field: its bytes with tag and length, as they stood in the RPC.
        unknown: fields of later versions, in order; signatures cover them.
    """

    publish_field: bytes
    topic: bytes | None = None
    payload: bytes | None = None
    author: bytes | None = None
    seqno: bytes | None = None
    signature: bytes | None = None
    key: bytes | None = None
    unknown: bytes = b""


class Prune(msgspec.Struct, frozen=True):
    """The sender took us out of its mesh.

    Args:
        peers: others to turn to, each with its signed record or nothing.
        backoff_s: how long not to come back; None if the sender speaks version 1.0.
    """

    topic: bytes
    peers: tuple[tuple[bytes, bytes], ...] = ()
    backoff_s: int | None = None


class Control(msgspec.Struct):
    """What mesh and gossip are kept with."""

    ihave: list[tuple[bytes, list[bytes]]] = []
    iwant: list[bytes] = []
    graft: list[bytes] = []
    prune: list[Prune] = []
    idontwant: list[bytes] = []


class Rpc(msgspec.Struct):
    """One RPC; the order of its parts is lost, as in every implementation."""

    subscriptions: list[tuple[bytes, bool]]
    messages: list[WireMessage]
    control: Control | None


class _Budget:
    """What an RPC may still hold."""

    __slots__ = ("_entries", "_ids")

    def __init__(self) -> None:
        self._entries = ENTRIES_MAX
        self._ids = IDS_MAX

    def take_entry(self) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise MalformedBytesError(f"an rpc has more than {ENTRIES_MAX} entries")

    def take_ids(self, count: int) -> None:
        self._ids -= count
        if self._ids < 0:
            raise MalformedBytesError(f"an rpc has more than {IDS_MAX} message ids")


def decode_rpc(raw: bytes) -> Rpc:
    """Return the RPC in these bytes; unknown fields are skipped, empty bytes are an empty RPC.

    Raises:
        MalformedBytesError: not protobuf, or more than the bounds above.
    """
    end = len(raw)
    if end > RPC_SIZE_BYTES_MAX:
        raise MalformedBytesError(f"an rpc has at most {RPC_SIZE_BYTES_MAX} bytes")
    messages: list[WireMessage] = []
    offset = 0
    # Nearly all RPCs are published messages and nothing else.
    while offset < end and raw[offset] == _PUBLISH_TAG and len(messages) < ENTRIES_MAX:
        start = offset
        size_bytes, offset = _read_length(raw, offset + 1)
        stop = offset + size_bytes
        if stop > end:
            raise MalformedBytesError("a message ends after its rpc")
        messages.append(_decode_message(raw, start, offset, stop))
        offset = stop
    if offset == end:
        return Rpc([], messages, None)
    return _decode_rest(raw[offset:], messages)


def _decode_rest(raw: bytes, messages: list[WireMessage]) -> Rpc:
    budget = _Budget()
    rpc = Rpc([], messages, None)
    for _ in messages:
        budget.take_entry()
    for field, value in read_fields(raw, fields_max=ENTRIES_MAX + _UNKNOWN_FIELDS_MAX):
        if field == 1:
            budget.take_entry()
            rpc.subscriptions.append(_decode_subscription(expect_bytes(value)))
        elif field == 2:
            budget.take_entry()
            whole = bytes_field(2, expect_bytes(value))
            _, offset = _read_length(whole, 1)
            rpc.messages.append(_decode_message(whole, 0, offset, len(whole)))
        elif field == 3:
            rpc.control = rpc.control or Control()
            _decode_control(expect_bytes(value), rpc.control, budget)
    return rpc


def _decode_message(raw: bytes, start: int, offset: int, stop: int) -> WireMessage:
    author = payload = seqno = topic = signature = key = None
    unknown = b""
    count = 0
    while offset < stop:
        count += 1
        if count > _MESSAGE_FIELDS_MAX:
            raise MalformedBytesError(f"a message has more than {_MESSAGE_FIELDS_MAX} fields")
        tag = raw[offset]
        if tag not in _DEFINED_TAGS:
            unknown += raw[offset : (offset := _skip_unknown(raw, offset, stop))]
            continue
        size_bytes, offset = _read_length(raw, offset + 1)
        after = offset + size_bytes
        if after > stop:
            raise MalformedBytesError("a field ends after its message")
        value = raw[offset:after]
        offset = after
        if tag == 0x12:
            payload = value
        elif tag == 0x22:
            topic = value
        elif tag == 0x0A:
            author = value
        elif tag == 0x1A:
            seqno = value
        elif tag == 0x2A:
            signature = value
        else:
            key = value
    field = raw[start:stop]
    return WireMessage(field, topic, payload, author, seqno, signature, key, unknown)


def _read_length(raw: bytes, offset: int) -> tuple[int, int]:
    if offset + 1 < len(raw):
        first, second = raw[offset], raw[offset + 1]
        if first < 0x80:
            return first, offset + 1
        if 0 < second < 0x80:
            return first & 0x7F | second << 7, offset + 2
    read = decode_varint(raw, offset, size_bytes_max=PROTOBUF_VARINT_SIZE_BYTES_MAX)
    if read is None:
        raise MalformedBytesError("the rpc ends inside a varint")
    return read


def _skip_unknown(raw: bytes, offset: int, stop: int) -> int:
    """Return where the field of a later version ends.

    Raises:
        MalformedBytesError: a known number with another type, or no field at all; others refuse
            what is outside protobuf, and we would have passed it on.
    """
    tag, after = _read_length(raw, offset)
    field = tag >> 3
    if 1 <= field <= 6:
        raise MalformedBytesError(f"field {field} of a message has another type")
    if not 1 <= field <= _FIELD_MAX:
        raise MalformedBytesError(f"{field} is not the number of a field")
    match tag & 7:
        case 0:
            number, after = _read_length(raw, after)
            if number > _UINT64_MAX:
                raise MalformedBytesError("a number is wider than 64 bits")
        case 1:
            after += 8
        case 2:
            size_bytes, after = _read_length(raw, after)
            after += size_bytes
        case 5:
            after += 4
        case kind:
            raise MalformedBytesError(f"unknown protobuf wire type {kind}")
    if after > stop:
        raise MalformedBytesError("a field ends after its message")
    return after


def _decode_subscription(raw: bytes) -> tuple[bytes, bool]:
    topic = b""
    is_subscribed = False
    for field, value in read_fields(raw, fields_max=_UNKNOWN_FIELDS_MAX):
        if field == 1:
            is_subscribed = expect_number(value) != 0
        elif field == 2:
            topic = expect_bytes(value)
    return topic, is_subscribed


def _decode_control(raw: bytes, control: Control, budget: _Budget) -> None:
    for field, value in read_fields(raw, fields_max=ENTRIES_MAX + _UNKNOWN_FIELDS_MAX):
        if not 1 <= field <= 5:
            continue
        budget.take_entry()
        entry = expect_bytes(value)
        match field:
            case 1:
                control.ihave.append(_decode_ihave(entry, budget))
            case 2:
                control.iwant.extend(_decode_ids(entry, budget))
            case 3:
                control.graft.append(_decode_topic(entry))
            case 4:
                control.prune.append(_decode_prune(entry))
            case _:
                control.idontwant.extend(_decode_ids(entry, budget))


def _decode_ids(raw: bytes, budget: _Budget, *, field: int = 1, offset: int = 0) -> list[bytes]:
    """Return the ids from an offset on.

    A flood of IHAVE is nothing but ids, so those in their plain form are read here, ten times as
    fast as field by field; what is left takes the long way.
    """
    ids: list[bytes] = []
    tag = field << 3 | 2
    end = len(raw)
    count = 0
    while offset + 1 < end and raw[offset] == tag and raw[offset + 1] < 0x80 and count <= IDS_MAX:
        start = offset + 2
        offset = start + raw[offset + 1]
        if offset > end:
            raise MalformedBytesError("a message id ends after its entry")
        ids.append(raw[start:offset])
        count += 1
    budget.take_ids(count)
    if offset < end:
        for number, value in read_fields(raw[offset:], fields_max=IDS_MAX + _UNKNOWN_FIELDS_MAX):
            if number == field:
                budget.take_ids(1)
                message_id = expect_bytes(value)
                if len(message_id) <= MESSAGE_ID_SIZE_BYTES_MAX:
                    ids.append(message_id)
    return ids


def _decode_ihave(raw: bytes, budget: _Budget) -> tuple[bytes, list[bytes]]:
    if len(raw) > 1 and raw[0] == 0x0A and raw[1] < 0x80:
        # The topic is in front, as everybody writes it; a second one would be of no use.
        offset = 2 + raw[1]
        if offset > len(raw):
            raise MalformedBytesError("a topic ends after its entry")
        return raw[2:offset], _decode_ids(raw, budget, field=2, offset=offset)
    return _decode_topic(raw), _decode_ids(raw, budget, field=2)


def _decode_topic(raw: bytes) -> bytes:
    """Return field 1; what else there is was or will be read by others."""
    topic = b""
    for field, value in read_fields(raw, fields_max=IDS_MAX + _UNKNOWN_FIELDS_MAX):
        if field == 1:
            topic = expect_bytes(value)
    return topic


def _decode_prune(raw: bytes) -> Prune:
    topic = b""
    peers: list[tuple[bytes, bytes]] = []
    backoff_s = None
    for field, value in read_fields(raw, fields_max=PX_PEERS_MAX + _UNKNOWN_FIELDS_MAX):
        if field == 1:
            topic = expect_bytes(value)
        elif field == 2:
            peers.append(_decode_peer(expect_bytes(value)))
        elif field == 3:
            backoff_s = expect_number(value)
    return Prune(topic, tuple(peers), backoff_s)


def _decode_peer(raw: bytes) -> tuple[bytes, bytes]:
    peer_id = envelope = b""
    for field, value in read_fields(raw, fields_max=_UNKNOWN_FIELDS_MAX):
        if field == 1:
            peer_id = expect_bytes(value)
        elif field == 2:
            envelope = expect_bytes(value)
    return peer_id, envelope
