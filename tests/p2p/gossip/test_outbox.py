"""What waits for one peer: order, bounds, and what is never lost."""

import pytest

from p2p.gossip.events import Effect, Message, Wake
from p2p.gossip.frames import RpcSplitter
from p2p.gossip.outbox import (
    CONTROL_SIZE_BYTES_MAX,
    DROPPED_IDS_MAX,
    IDS_PER_RPC,
    LAZY_BYTES_MAX,
    MESSAGES_MAX,
    MESSAGES_PER_RPC,
    RPC_BATCH_SIZE_BYTES,
    UNWANTED_IDS_MAX,
    Outbox,
    Refusal,
)
from p2p.gossip.parameters import RPC_SENT_SIZE_BYTES_MAX
from p2p.gossip.rpc import Control, Prune, decode_rpc
from p2p.gossip.rpc_fields import ihave_field, publish_field
from p2p.wire.protobuf import bytes_field, length_prefixed
from tests.p2p.gossip.bench import RAW, ROOM, TOPIC, merged, peer_of

BYTES_MAX = 4 * 1024 * 1024


class Box:
    """An outbox and the effects it caused."""

    def __init__(self, *, bytes_max: int = BYTES_MAX) -> None:
        self.effects: list[Effect] = []
        self.outbox = Outbox(Wake(peer_of(1)), self.effects, bytes_max=bytes_max)

    def take(self, size_bytes_max: int = ROOM, *, unwanted: tuple[bytes, ...] = ()) -> bytes:
        return self.outbox.take(size_bytes_max, unwanted=unwanted)


def message(number: int, *, size_bytes: int = 100) -> Message:
    return Message(
        id=number.to_bytes(20, "big"),
        topic=TOPIC,
        payload=b"",
        author=None,
        seqno=None,
        publish_field=publish_field(bytes_field(2, bytes(size_bytes))),
    )


@pytest.fixture(name="box")
def _box() -> Box:
    return Box()


def test_first_thing_wakes_the_shell_and_nothing_more_until_it_is_taken(box: Box) -> None:
    box.outbox.push(message(1))
    box.outbox.graft(RAW)
    assert box.effects == [Wake(peer_of(1))]
    box.take()
    box.outbox.refuse(Refusal(b"id"))
    assert len(box.effects) == 2


def test_empty_outbox_gives_nothing(box: Box) -> None:
    assert box.take() == b""


def test_shell_is_not_woken_while_something_is_left(box: Box) -> None:
    for number in range(4):
        box.outbox.push(message(number, size_bytes=1_000))
    assert len(box.take(2_500)) < 2_500
    box.outbox.push(message(5))
    assert len(box.effects) == 1
    assert len(merged(box.take()).messages) == 3
    assert box.take() == b""


def test_messages_go_in_order_and_share_rpcs(box: Box) -> None:
    sizes = [40_000, 20_000, 10_000, 90_000, 100]
    for number, size in enumerate(sizes):
        box.outbox.push(message(number, size_bytes=size))
    assert box.outbox.payload_bytes > sum(sizes)
    rpcs = RpcSplitter().feed(box.take())
    assert [len(rpc) // 1_000 for rpc in rpcs] == [60, 10, 90, 0]
    assert box.outbox.payload_bytes == 0


def test_first_message_goes_whatever_the_room(box: Box) -> None:
    box.outbox.push(message(1, size_bytes=5_000))
    box.outbox.push(message(2, size_bytes=5_000))
    assert len(box.take(10)) > 5_000
    assert len(box.take(10)) > 5_000
    assert box.take(10) == b""


def test_control_goes_behind_payload_and_in_one_field(box: Box) -> None:
    box.outbox.push(message(1))
    box.outbox.gossip(ihave_field(RAW, [b"one"]))
    box.outbox.announce(RAW, is_subscribed=True)
    box.outbox.graft(RAW)
    box.outbox.refuse(Refusal(b"two"))
    (rpc,) = RpcSplitter().feed(box.take())
    assert rpc.startswith(message(1).publish_field)
    whole = merged(length_prefixed(rpc))
    assert whole.subscriptions == [(RAW, True)]
    assert whole.control is not None
    assert (whole.control.graft, whole.control.ihave) == ([RAW], [(RAW, [b"one"])])
    assert whole.control.idontwant == [b"two"]


def test_messages_stand_in_front_of_control_where_they_are_read_fast(box: Box) -> None:
    messages = [message(number, size_bytes=30_000) for number in range(3)]
    for one in messages:
        box.outbox.push(one)
    box.outbox.graft(RAW)
    first, second = RpcSplitter().feed(box.take())
    assert first.startswith(messages[0].publish_field + messages[1].publish_field)
    assert len(decode_rpc(first).messages) == 2
    assert decode_rpc(first).control == Control(graft=[RAW])
    assert second == messages[2].publish_field


def test_tiny_messages_share_an_rpc_by_the_thousand(box: Box) -> None:
    for number in range(2 * MESSAGES_PER_RPC + 1):
        box.outbox.push(message(number, size_bytes=1))
    rpcs = [decode_rpc(rpc) for rpc in RpcSplitter().feed(box.take())]
    assert [len(rpc.messages) for rpc in rpcs] == [MESSAGES_PER_RPC, MESSAGES_PER_RPC, 1]


def test_large_message_does_not_share_the_rpc_of_control(box: Box) -> None:
    box.outbox.refuse(Refusal(b"id"))
    box.outbox.push(message(1, size_bytes=RPC_BATCH_SIZE_BYTES))
    assert len(RpcSplitter().feed(box.take())) == 2


def test_latest_of_graft_and_prune_and_subscriptions_counts(box: Box) -> None:
    box.outbox.graft(RAW)
    box.outbox.prune(Prune(RAW, (), 60))
    box.outbox.announce(RAW, is_subscribed=True)
    box.outbox.announce(RAW, is_subscribed=False)
    whole = merged(box.take())
    assert whole.control is not None
    assert (whole.control.graft, whole.control.prune) == ([], [Prune(RAW, (), 60)])
    assert whole.subscriptions == [(RAW, False)]


def test_ids_that_are_not_wanted_come_ten_to_an_rpc_as_go_reads_them(box: Box) -> None:
    ids = [number.to_bytes(20, "big") for number in range(25)]
    for message_id in ids:
        box.outbox.refuse(Refusal(message_id))
    box.outbox.graft(RAW)
    raw = box.take()
    controls = [decode_rpc(rpc).control for rpc in RpcSplitter().feed(raw)]
    assert [control and len(control.idontwant) for control in controls] == [10, 10, 5]
    assert raw.count(b"\x2a") == 3, "one entry each"
    assert IDS_PER_RPC == 10
    control = merged(raw).control
    assert control is not None
    assert (control.idontwant, control.graft) == (ids, [RAW])


def test_overflow_drops_the_oldest_payload_and_never_control() -> None:
    box = Box(bytes_max=1_000)
    box.outbox.graft(RAW)
    for number in range(20):
        box.outbox.push(message(number))
    assert box.outbox.payload_bytes <= 1_000
    assert list(box.outbox.dropped) == [message(number).id for number in range(11)]
    assert box.outbox.dropped_count == 11
    whole = merged(box.take())
    assert len(whole.messages) == 9
    assert whole.control is not None
    assert whole.control.graft == [RAW]


def test_messages_are_bounded_in_number_however_small(box: Box) -> None:
    for number in range(MESSAGES_MAX + 3):
        box.outbox.push(message(number, size_bytes=1))
    assert list(box.outbox.dropped) == [message(number).id for number in range(3)]


def test_message_larger_than_the_bound_waits_alone() -> None:
    box = Box(bytes_max=1_000)
    box.outbox.push(message(1))
    box.outbox.push(message(2, size_bytes=5_000))
    assert len(merged(box.take()).messages) == 1


def test_message_that_is_no_longer_wanted_is_left_out(box: Box) -> None:
    for number in range(3):
        box.outbox.push(message(number))
    assert len(merged(box.take(unwanted=(message(1).id,))).messages) == 2
    box.outbox.push(message(1))
    assert box.take(unwanted=(message(1).id,)) == b""
    assert box.outbox.payload_bytes == 0
    box.outbox.push(message(2))
    assert len(box.effects) == 3, "it was empty, so the shell is woken again"


def test_gossip_that_waits_is_bounded() -> None:
    box = Box(bytes_max=1_000)
    entry = ihave_field(RAW, [bytes(100)] * 500)
    for _ in range(50):
        box.outbox.gossip(entry)
    for _ in range(UNWANTED_IDS_MAX + 10):
        box.outbox.refuse(Refusal(b"id"))
    for number in range(DROPPED_IDS_MAX + 10):
        box.outbox.push(message(number, size_bytes=900))
    assert len(box.outbox.dropped) == DROPPED_IDS_MAX
    control = merged(box.take()).control
    assert control is not None
    assert len(control.ihave) == LAZY_BYTES_MAX // len(entry)
    assert len(control.idontwant) == UNWANTED_IDS_MAX


def test_much_control_is_split_into_rpcs_that_everybody_reads(box: Box) -> None:
    record = bytes(8_000)
    for number in range(128):
        box.outbox.prune(Prune(bytes([number]), ((b"peer", record),) * 2, 60))
        box.outbox.announce(bytes([number]), is_subscribed=True)
    rpcs = RpcSplitter().feed(box.take())
    assert len(rpcs) > 1
    assert max(map(len, rpcs)) <= RPC_SENT_SIZE_BYTES_MAX
    assert max(map(len, rpcs)) >= CONTROL_SIZE_BYTES_MAX - 20_000
