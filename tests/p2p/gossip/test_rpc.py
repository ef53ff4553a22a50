"""The RPC on the wire: golden bytes, round trips, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.gossip.parameters import RPC_SIZE_BYTES_MAX
from p2p.gossip.policy import unsigned_message
from p2p.gossip.rpc import (
    ENTRIES_MAX,
    IDS_MAX,
    MESSAGE_ID_SIZE_BYTES_MAX,
    Control,
    Prune,
    WireMessage,
    decode_rpc,
)
from p2p.gossip.rpc_fields import (
    control_field,
    graft_field,
    idontwant_field,
    ihave_field,
    iwant_field,
    prune_field,
    publish_field,
    subscription_field,
)
from p2p.wire.protobuf import bytes_field, number_field
from primitives.errors import MalformedBytesError
from tests.p2p.gossip.bench import RAW
from tests.p2p.published import published

GOLDEN = published("gossipsub")
A, B = b"\xaa" * 32, b"\xbb" * 32

small_bytes = st.binary(max_size=40)
ids = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("subscribe", subscription_field(RAW, is_subscribed=True)),
        ("unsubscribe", subscription_field(RAW, is_subscribed=False)),
        ("graft", control_field([graft_field(RAW)])),
        ("prune_backoff_60", control_field([prune_field(Prune(RAW, (), 60))])),
        ("ihave", control_field([ihave_field(RAW, [A, B])])),
        ("iwant", control_field([iwant_field([A])])),
        ("idontwant", control_field([idontwant_field([A])])),
    ],
)
def test_fields_have_the_bytes_of_js(name: str, raw: bytes) -> None:
    assert raw.hex() == GOLDEN[name]


def control_of(name: str) -> Control:
    control = decode_rpc(bytes.fromhex(GOLDEN[name])).control
    assert control is not None
    return control


def test_bytes_of_js_are_read() -> None:
    assert decode_rpc(bytes.fromhex(GOLDEN["subscribe"])).subscriptions == [(RAW, True)]
    assert decode_rpc(bytes.fromhex(GOLDEN["unsubscribe"])).subscriptions == [(RAW, False)]
    assert control_of("graft").graft == [RAW]
    assert control_of("prune_backoff_60").prune == [Prune(RAW, (), 60)]
    assert control_of("ihave").ihave == [(RAW, [A, B])]
    assert control_of("iwant").iwant == [A]
    assert control_of("idontwant").idontwant == [A]


@pytest.mark.parametrize("section", ["strict_sign", "strict_no_sign"])
def test_published_message_keeps_the_bytes_it_came_in(section: str) -> None:
    raw = bytes.fromhex(GOLDEN[section]["rpc_publish"])
    (message,) = decode_rpc(raw).messages
    assert message.publish_field == raw
    assert message.payload == b"block 1"
    assert message.topic == RAW


def test_unsigned_message_has_the_bytes_of_js() -> None:
    message = unsigned_message(b"block 1", topic=RAW)
    assert message.publish_field.hex() == GOLDEN["strict_no_sign"]["rpc_publish"]


def test_absent_fields_differ_from_empty_ones() -> None:
    (absent,) = decode_rpc(publish_field(bytes_field(4, RAW))).messages
    assert (absent.author, absent.seqno, absent.signature, absent.key) == (None,) * 4
    (empty,) = decode_rpc(publish_field(bytes_field(1, b"") + bytes_field(4, RAW))).messages
    assert empty.author == b""


def test_unknown_fields_are_skipped_and_survive_in_a_message() -> None:
    unknown = bytes_field(9, b"later") + number_field(10, 7)
    fields = bytes_field(4, RAW), bytes_field(2, b"x")
    later = publish_field(unknown.join(fields))
    rpc = decode_rpc(number_field(77, 1) + later + bytes_field(4, b"a record, as py sends it"))
    (message,) = rpc.messages
    assert message.publish_field == later
    assert message.unknown == unknown
    assert (message.topic, message.payload) == (RAW, b"x")


def test_several_controls_in_one_rpc_add_up() -> None:
    raw = control_field([graft_field(b"a")]) + control_field([graft_field(b"b")])
    control = decode_rpc(raw).control
    assert control is not None
    assert control.graft == [b"a", b"b"]


@settings(max_examples=40)
@given(
    subscriptions=st.lists(st.tuples(small_bytes, st.booleans()), max_size=4),
    payloads=st.lists(st.binary(max_size=300), max_size=4),
    ihave=st.lists(st.tuples(small_bytes, ids), max_size=3),
    iwant=ids,
    graft=st.lists(small_bytes, max_size=3),
    prune=st.lists(
        st.builds(
            Prune,
            small_bytes,
            st.lists(st.tuples(small_bytes, small_bytes), max_size=3).map(tuple),
            st.none() | st.integers(min_value=0, max_value=2**63 - 1),
        ),
        max_size=3,
    ),
    idontwant=ids,
)
def test_what_is_written_is_read(
    *,
    subscriptions: list[tuple[bytes, bool]],
    payloads: list[bytes],
    ihave: list[tuple[bytes, list[bytes]]],
    iwant: list[bytes],
    graft: list[bytes],
    prune: list[Prune],
    idontwant: list[bytes],
) -> None:
    messages = [unsigned_message(payload, topic=RAW) for payload in payloads]
    entries = [
        *(ihave_field(topic, message_ids) for topic, message_ids in ihave),
        iwant_field(iwant),
        *map(graft_field, graft),
        *map(prune_field, prune),
        idontwant_field(idontwant),
    ]
    parts = [subscription_field(topic, is_subscribed=yes) for topic, yes in subscriptions]
    parts += [message.publish_field for message in messages]
    rpc = decode_rpc(b"".join([*parts, control_field(entries)]))
    assert rpc.subscriptions == subscriptions
    assert rpc.messages == messages
    assert rpc.control == Control(ihave, iwant, graft, prune, idontwant)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_rpc_or_malformed(raw: bytes) -> None:
    try:
        rpc = decode_rpc(raw)
    except MalformedBytesError:
        return
    assert all(isinstance(message, WireMessage) for message in rpc.messages)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\x12", "ends inside a varint"),
        (b"\x12\x05\x12", "ends after its rpc"),
        (b"\x12\x02\x12\x05", "ends after its message"),
        (b"\x12\x02\x10\x05", "another type"),
        (b"\x12\x02\x4b\x00", "wire type 3"),
        (b"\x12\x02\x49\x00", "ends after its message"),
        (b"\x12\x02\x00\x01", "0 is not the number of a field"),
        (b"\x12\x06\x80\x80\x80\x80\x10\x01", "536870912 is not the number of a field"),
        (b"\x12\x0b\x48" + b"\xff" * 9 + b"\x02", "wider than 64 bits"),
        (b"\x12\x02\x4d\x00", "ends after its message"),
        (b"\x0a\x02\x12\x05", "ends after its message"),
        (b"\x48\x01\x13", "wire type 3"),
        (b"\x08\x01", "expected a field of bytes"),
        (control_field([bytes_field(1, b"\x0a\x05")]), "a topic ends after"),
        (control_field([bytes_field(2, b"\x0a\x05")]), "a message id ends after"),
        (control_field([bytes_field(2, b"\x0a")]), "ends inside a varint"),
        (bytes(RPC_SIZE_BYTES_MAX + 1), "at most"),
    ],
)
def test_bytes_that_are_no_rpc_are_refused(raw: bytes, word: str) -> None:
    with pytest.raises(MalformedBytesError, match=word):
        decode_rpc(raw)


@pytest.mark.parametrize(
    "raw",
    [
        subscription_field(b"", is_subscribed=True) * (ENTRIES_MAX + 1),
        b"\x12\x00" * (ENTRIES_MAX + 1),
        b"\x48\x01" + b"\x12\x00" * (ENTRIES_MAX + 1),
        control_field([graft_field(b"")] * (ENTRIES_MAX + 1)),
        control_field([iwant_field([b""] * (IDS_MAX // 2 + 1))] * 2),
        control_field([iwant_field([b""] * (IDS_MAX + 2))]),
        control_field([bytes_field(2, b"\x48\x00" + b"\x0a\x00" * (IDS_MAX + 1))]),
        control_field([prune_field(Prune(b"", ((b"", b""),) * 100))]),
        publish_field(b"\x12\x00" * 100),
        publish_field(b"\x78\x00" * 100),
    ],
    ids=[
        "subscriptions",
        "messages",
        "more",
        "grafts",
        "ids of two",
        "ids of one",
        "ids behind others",
        "peers",
        "fields",
        "unknown",
    ],
)
def test_bombs_are_refused_by_their_counts(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError, match="more than"):
        decode_rpc(raw)


def test_ids_that_are_too_long_are_skipped() -> None:
    longest = bytes(MESSAGE_ID_SIZE_BYTES_MAX)
    control = decode_rpc(control_field([iwant_field([longest, longest + b"x"])])).control
    assert control is not None
    assert control.iwant == [longest]


def test_fields_of_later_versions_are_skipped_everywhere() -> None:
    later = bytes_field(9, b"later")
    subscription = bytes_field(1, later + number_field(1, 1) + bytes_field(2, RAW))
    peer = bytes_field(2, bytes_field(1, b"peer") + later)
    prune = bytes_field(4, bytes_field(1, RAW) + peer + later)
    extensions = bytes_field(6, number_field(10, 1))
    rpc = decode_rpc(subscription + control_field([extensions, prune]))
    assert rpc.subscriptions == [(RAW, True)]
    assert rpc.control == Control(prune=[Prune(RAW, ((b"peer", b""),), None)])


def test_offer_whose_topic_is_not_in_front_is_read_all_the_same() -> None:
    ids = bytes_field(2, A) + bytes_field(2, B)
    later = bytes_field(9, b"later")
    for entry in (ids + bytes_field(1, RAW), later + bytes_field(1, RAW) + ids):
        control = decode_rpc(control_field([bytes_field(1, entry)])).control
        assert control is not None
        assert control.ihave == [(RAW, [A, B])]
    control = decode_rpc(control_field([bytes_field(1, bytes_field(1, RAW) + later + ids)])).control
    assert control is not None
    assert control.ihave == [(RAW, [A, B])]


def test_long_topic_is_read() -> None:
    topic = b"x" * 200
    control = decode_rpc(control_field([ihave_field(topic, [A])])).control
    assert control is not None
    assert control.ihave == [(topic, [A])]
