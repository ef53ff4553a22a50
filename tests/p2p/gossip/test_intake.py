"""What becomes of a message: dropped, delivered, forwarded, judged."""

import pytest

from p2p.gossip.events import (
    Deliver,
    Effect,
    Message,
    Validate,
    Validated,
    Verdict,
    Wake,
)
from p2p.gossip.intake import COPIES_MAX, COPIES_SLACK
from p2p.gossip.parameters import BLOCKS_SCORE, TRANSACTIONS_SCORE, GossipParameters
from p2p.gossip.policy import (
    MessageIdRule,
    SigningPolicy,
    message_id_function,
    signed_message,
    unsigned_message,
)
from p2p.gossip.rpc import decode_rpc
from p2p.gossip.rpc_fields import ihave_field, publish_field
from p2p.gossip.topic import TopicRules, Validation
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import bytes_field, expect_bytes, read_fields
from tests.p2p.gossip.bench import (
    GRAFT,
    RAW,
    RULES,
    SUBSCRIBE,
    TOPIC,
    Bench,
    identity_of,
    only,
    peer_of,
    published,
)

OTHER = "chain/transactions/1"
VALIDATED = TopicRules(name=TOPIC, validation=Validation.ASYNC, score=BLOCKS_SCORE)
SIGNED = TopicRules(
    name=TOPIC,
    policy=SigningPolicy.STRICT_SIGN,
    message_id=MessageIdRule.SPEC,
    score=BLOCKS_SCORE,
)
LARGE = bytes(2_000)
FIVE = range(1, 6)


def signed(payload: bytes, *, author: int = 9, seqno: int = 1) -> bytes:
    message = signed_message(payload, topic=RAW, seqno=seqno, identity=identity_of(author))
    return message.publish_field


def forged(payload: bytes, *, seqno: int = 1) -> bytes:
    """Return a message in the name of peer 9 that somebody else signed."""
    theirs = signed_message(payload, topic=RAW, seqno=seqno, identity=identity_of(8))
    body = bytes_field(1, peer_of(9)) + theirs.publish_field[3 + len(bytes_field(1, peer_of(8))) :]
    return publish_field(body)


def of_other_key(payload: bytes) -> bytes:
    """Return a message whose author has a secp256k1 key."""
    author = b"\x00\x25\x08\x02\x12\x21\x02" + bytes(32)
    fields = ((1, author), (2, payload), (3, bytes(8)), (4, RAW), (5, bytes(70)))
    return publish_field(b"".join(bytes_field(number, value) for number, value in fields))


def promise(bench: Bench, peer_id: PeerId, raw: bytes) -> None:
    """Let a peer advertise a message, so that it is asked for it."""
    (wire,) = decode_rpc(raw).messages
    rule = MessageIdRule.TOPIC20 if wire.author is None else MessageIdRule.SPEC
    message_id = message_id_function(rule, topic=RAW)(wire)
    bench.control(peer_id, ihave_field(RAW, [message_id]))
    assert bench.told_control(peer_id).iwant == [message_id]


def in_mesh(rules: TopicRules = RULES, parameters: GossipParameters | None = None) -> Bench:
    """Return a router with peers 1 to 5 in its mesh."""
    bench = Bench((rules, TopicRules(name=OTHER)), parameters=parameters)
    for number in FIVE:
        bench.in_mesh(number)
    return bench


def invalid(bench: Bench, peer_id: PeerId) -> float:
    return bench.router.scores()[peer_id].invalid


def message_of(effects: list[Effect]) -> Message:
    (validate,) = only(effects, Validate)
    return validate.message


def receivers(bench: Bench) -> list[int]:
    return [number for number in range(1, 30) if bench.told(peer_of(number)).messages]


def test_message_is_delivered_once_and_forwarded_to_all_but_its_sender() -> None:
    bench = in_mesh()
    effects = bench.hear(peer_of(1), published(b"x"))
    (deliver,) = only(effects, Deliver)
    assert (deliver.sender, deliver.message.payload, deliver.message.topic) == (
        peer_of(1),
        b"x",
        TOPIC,
    )
    assert [wake.peer_id for wake in only(effects, Wake)] == [peer_of(n) for n in (2, 3, 4, 5)]
    assert receivers(bench) == [2, 3, 4, 5]
    assert bench.hear(peer_of(2), published(b"x")) == []
    counters = bench.router.report().topics[TOPIC]
    assert (counters.delivered, counters.duplicates, counters.forwarded) == (1, 1, 4)
    assert counters.delivered_bytes == 1


def test_message_is_forwarded_in_the_bytes_it_came_in() -> None:
    bench = in_mesh()
    later = publish_field(
        bytes_field(9, b"later") + bytes_field(4, RAW) + bytes_field(2, b"x") + bytes_field(8, b"")
    )
    bench.hear(peer_of(1), later)
    (message,) = bench.told(peer_of(2)).messages
    assert message.publish_field == later


def test_several_messages_of_one_rpc_are_all_taken() -> None:
    bench = in_mesh()
    effects = bench.hear(peer_of(1), published(b"x"), SUBSCRIBE, published(b"y"))
    assert [deliver.message.payload for deliver in only(effects, Deliver)] == [b"x", b"y"]


@pytest.mark.parametrize("topic", [OTHER.encode(), b"unknown", b""])
def test_message_of_a_topic_that_we_are_not_in_is_dropped(topic: bytes) -> None:
    bench = in_mesh()
    assert bench.hear(peer_of(1), published(b"x", topic)) == []


def test_message_without_topic_is_dropped() -> None:
    assert in_mesh().hear(peer_of(1), publish_field(bytes_field(2, b"x"))) == []


def test_message_without_payload_is_empty() -> None:
    (deliver,) = only(in_mesh().hear(peer_of(1), publish_field(bytes_field(4, RAW))), Deliver)
    assert deliver.message.payload == b""


def test_direct_peer_gets_every_message_of_a_topic_it_is_in() -> None:
    bench = Bench(direct=[peer_of(7), peer_of(8)])
    for number in FIVE:
        bench.in_mesh(number)
    bench.join(7, SUBSCRIBE)
    bench.join(8)
    bench.router.report_misbehaviour(peer_of(7), count=50)
    bench.flush()
    bench.hear(peer_of(1), published(b"x"))
    assert receivers(bench) == [2, 3, 4, 5, 7]
    assert only(bench.hear(peer_of(7), published(b"y")), Deliver), "it is listened to as well"


def test_large_message_is_announced_to_the_mesh_before_it_is_validated() -> None:
    bench = in_mesh(VALIDATED)
    bench.join(6, SUBSCRIBE, GRAFT, protocol="/meshsub/1.1.0")
    bench.flush()
    message = message_of(bench.hear(peer_of(1), published(LARGE)))
    assert [bench.told_control(peer_of(number)).idontwant for number in range(1, 7)] == [
        [],
        *[[message.id]] * 4,
        [],
    ]
    bench.hear(peer_of(1), published(b"small"))
    assert bench.told_control(peer_of(2)).idontwant == []


def test_validator_decides_and_copies_wait_for_one_answer() -> None:
    bench = in_mesh(VALIDATED)
    message = message_of(bench.hear(peer_of(1), published(b"x")))
    assert bench.hear(peer_of(2), published(b"x")) == []
    assert receivers(bench) == []
    assert bench.router.report().pending == 1
    effects = bench.handle(Validated(message.id, Verdict.ACCEPT))
    assert only(effects, Deliver) == [Deliver(message, peer_of(1))]
    assert receivers(bench) == [3, 4, 5], "who has sent it meanwhile has it"
    assert bench.handle(Validated(message.id, Verdict.ACCEPT)) == []
    bench.beat()
    assert bench.router.scores()[peer_of(1)].first_deliveries > 0
    assert bench.router.scores()[peer_of(2)].first_deliveries == 0


def test_ignored_message_goes_nowhere_and_costs_nobody() -> None:
    bench = in_mesh(VALIDATED)
    message = message_of(bench.hear(peer_of(1), published(b"x")))
    assert bench.handle(Validated(message.id, Verdict.IGNORE)) == []
    assert invalid(bench, peer_of(1)) == 0
    assert bench.router.report().topics[TOPIC].ignored == 1


def test_rejected_message_costs_all_that_sent_it_before_and_after() -> None:
    bench = in_mesh(VALIDATED)
    message = message_of(bench.hear(peer_of(1), published(b"x")))
    bench.hear(peer_of(2), published(b"x"))
    bench.leave(peer_of(2))
    bench.hear(peer_of(3), published(b"x"))
    assert bench.handle(Validated(message.id, Verdict.REJECT)) == []
    bench.hear(peer_of(4), published(b"x"))
    assert [invalid(bench, peer_of(n)) for n in (1, 3, 4, 5)] == [-100, -100, -100, 0]
    bench.beat()
    assert bench.mesh() == (peer_of(5),)


def test_full_validator_leaves_a_message_unseen_so_that_it_can_come_again() -> None:
    bench = in_mesh(VALIDATED, GossipParameters(pending_max=2, pending_share=1))
    for payload in (b"1", b"2", b"3"):
        bench.hear(peer_of(1), published(payload))
    report = bench.router.report()
    assert (report.pending, report.pending_overflows) == (2, 1)
    bench.beat(15)
    report = bench.router.report()
    assert (report.pending, report.pending_expired) == (0, 2)
    assert only(bench.hear(peer_of(2), published(b"3")), Validate)
    assert only(bench.hear(peer_of(2), published(b"2")), Validate) == []


def test_one_peer_fills_its_share_of_the_validator_and_leaves_room_for_others() -> None:
    bench = in_mesh(VALIDATED, GossipParameters(pending_max=8, pending_bytes_max=40_000))
    for number in range(8):
        bench.hear(peer_of(1), published(b"%d" % number))
    assert (bench.router.report().pending, bench.router.report().pending_overflows) == (2, 6)
    first = only(bench.hear(peer_of(2), published(b"of another")), Validate)[0]
    bench.hear(peer_of(2), published(bytes(10_000)))
    assert bench.router.report().pending == 3
    bench.handle(Validated(first.message.id, Verdict.ACCEPT))
    bench.beat(15)
    assert only(bench.hear(peer_of(1), published(b"again")), Validate)


def test_burst_of_one_peer_finds_room_at_the_validator() -> None:
    bench = in_mesh(VALIDATED)
    bench.hear(peer_of(1), *[published(b"%d" % number) for number in range(300)])
    report = bench.router.report()
    assert (report.pending, report.pending_overflows) == (300, 0)


def test_promise_is_kept_by_a_message_for_which_there_is_no_room() -> None:
    bench = in_mesh(VALIDATED, GossipParameters(pending_max=0))
    promise(bench, peer_of(1), published(b"x"))
    assert bench.hear(peer_of(1), published(b"x")) == []
    assert bench.router.report().pending_overflows == 1
    bench.beat(10)
    assert bench.router.report().broken_promises == 0


@pytest.mark.parametrize("author", [0, None], ids=["own", "unsupported"])
def test_promise_is_kept_by_a_message_that_is_ignored(author: int | None) -> None:
    bench = in_mesh(SIGNED)
    raw = of_other_key(b"x") if author is None else signed(b"x", author=author)
    promise(bench, peer_of(1), raw)
    bench.hear(peer_of(1), raw)
    bench.beat(10)
    assert bench.router.report().broken_promises == 0


def test_author_with_another_kind_of_key_costs_the_forwarder_nothing() -> None:
    bench = in_mesh(SIGNED)
    assert bench.hear(peer_of(1), of_other_key(b"x")) == []
    assert invalid(bench, peer_of(1)) == 0
    counters = bench.router.report().topics[TOPIC]
    assert (counters.ignored, counters.rejected) == (1, 0)


def test_key_that_is_not_the_authors_is_a_forgery() -> None:
    bench = in_mesh(SIGNED)
    key = bytes_field(6, identity_of(8).public_key_protobuf)
    ((_, body),) = read_fields(signed(b"x"), fields_max=1)
    bench.hear(peer_of(1), publish_field(expect_bytes(body) + key))
    assert invalid(bench, peer_of(1)) == -100


def test_messages_that_wait_for_the_validator_are_bounded_in_bytes() -> None:
    bench = in_mesh(VALIDATED, GossipParameters(pending_bytes_max=4_500, pending_share=1))
    for number in range(4):
        bench.hear(peer_of(1), published(bytes([number]) * 1_000))
    assert bench.router.report().pending == 4
    bench.hear(peer_of(1), published(LARGE))
    assert bench.router.report().pending_overflows == 1


def test_signed_message_is_delivered_with_its_author_and_not_sent_back_to_it() -> None:
    bench = in_mesh(SIGNED)
    raw = signed_message(b"x", topic=RAW, seqno=5, identity=identity_of(3)).publish_field
    (deliver,) = only(bench.hear(peer_of(1), raw), Deliver)
    assert (deliver.message.author, deliver.message.seqno) == (peer_of(3), 5)
    assert receivers(bench) == [2, 4, 5]


@pytest.mark.parametrize(
    ("rules", "raw"),
    [
        (SIGNED, published(b"x")),
        (SIGNED, forged(b"x")),
        (SIGNED, signed(b"x")[:-1] + b"\0"),
        (VALIDATED, signed(b"x")),
    ],
    ids=["unsigned", "forged", "damaged", "signed"],
)
def test_message_against_the_policy_of_its_topic_costs_its_sender(
    rules: TopicRules, raw: bytes
) -> None:
    bench = in_mesh(rules)
    assert bench.hear(peer_of(1), raw) == []
    assert invalid(bench, peer_of(1)) == -100
    assert bench.router.report().topics[TOPIC].rejected == 1
    assert bench.router.report().seen == 0


def test_transaction_that_is_invalid_costs_a_tenth_of_a_block() -> None:
    bench = in_mesh(TopicRules(name=TOPIC, score=TRANSACTIONS_SCORE))
    bench.hear(peer_of(1), signed(b"x"))
    assert invalid(bench, peer_of(1)) == -10


@pytest.mark.parametrize(
    "raw",
    [
        published(bytes(101)),
        publish_field(unsigned_message(b"x", topic=RAW).publish_field[2:] + bytes_field(9, LARGE)),
    ],
    ids=["large", "padded"],
)
def test_message_that_is_too_large_costs_its_sender(raw: bytes) -> None:
    bench = in_mesh(TopicRules(name=TOPIC, size_bytes_max=100, score=BLOCKS_SCORE))
    assert bench.hear(peer_of(1), raw) == []
    assert invalid(bench, peer_of(1)) == -100
    assert only(bench.hear(peer_of(2), published(bytes(100))), Deliver)


@pytest.mark.parametrize("rule", MessageIdRule)
def test_forged_copy_that_comes_first_does_not_keep_the_honest_message_out(
    rule: MessageIdRule,
) -> None:
    rules = TopicRules(
        name=TOPIC, policy=SigningPolicy.STRICT_SIGN, message_id=rule, score=BLOCKS_SCORE
    )
    bench = in_mesh(rules)
    assert bench.hear(peer_of(1), forged(b"x")) == []
    assert only(bench.hear(peer_of(2), signed(b"x")), Deliver)
    assert invalid(bench, peer_of(2)) == 0


def test_forgery_on_a_topic_without_score_is_a_broken_rule() -> None:
    bench = in_mesh(TopicRules(name=TOPIC, policy=SigningPolicy.STRICT_SIGN))
    for _ in range(7):
        bench.hear(peer_of(1), forged(b"x"))
    assert bench.router.scores()[peer_of(1)].behaviour == -10


def test_rpc_full_of_forgeries_is_given_up_once_its_sender_is_graylisted() -> None:
    bench = in_mesh(SIGNED)
    assert bench.hear(peer_of(1), *[forged(b"x")] * 50, signed(b"y")) == []
    assert bench.router.report().topics[TOPIC].rejected < 10


def test_peer_that_repeats_itself_is_charged_for_each_batch_of_copies() -> None:
    bench = in_mesh()
    bench.router.report_misbehaviour(peer_of(1), count=6)
    first = COPIES_MAX + COPIES_SLACK
    bench.hear(peer_of(1), *[published(b"x")] * (1 + first))
    assert bench.router.scores()[peer_of(1)].behaviour == 0
    bench.hear(peer_of(1), *[published(b"x")] * COPIES_SLACK)
    assert bench.router.scores()[peer_of(1)].behaviour == -10


def test_copies_are_counted_anew_when_old_ids_are_forgotten() -> None:
    bench = in_mesh()
    bench.beat()
    bench.router.report_misbehaviour(peer_of(1), count=6)
    for _ in range(2):
        bench.hear(peer_of(1), *[published(b"x")] * COPIES_SLACK)
        bench.now_ms += 120_000
        bench.beat()
    assert bench.router.scores()[peer_of(1)].behaviour == 0


def test_one_peer_fills_a_quarter_of_the_places_for_a_verdict() -> None:
    bench = in_mesh(VALIDATED, GossipParameters(pending_max=8))
    for sender in (1, 2):
        for number in range(5):
            bench.hear(peer_of(sender), published(b"%d/%d" % (sender, number)))
    assert bench.router.report().pending == 4


def test_ids_forgotten_for_want_of_room_are_no_way_to_replay() -> None:
    bench = in_mesh(SIGNED, GossipParameters(seen_ids_max=4))
    bench.hear(peer_of(1), signed(b"x", seqno=1))
    for seqno in range(1, 13):
        bench.hear(peer_of(1), signed(b"y", author=8, seqno=seqno))
    assert only(bench.hear(peer_of(1), signed(b"x", seqno=1)), Deliver) == []
    assert bench.router.report().seen_overflows == 3


def test_own_signed_message_that_comes_back_is_ignored() -> None:
    bench = in_mesh(SIGNED)
    assert bench.hear(peer_of(1), signed(b"x", author=0, seqno=7)) == []
    assert invalid(bench, peer_of(1)) == 0
    assert bench.router.report().topics[TOPIC].ignored == 1


def test_signed_messages_come_in_any_order_but_are_no_news_when_forgotten() -> None:
    bench = in_mesh(SIGNED)
    for seqno in (5, 3, 4):
        assert only(bench.hear(peer_of(1), signed(b"x", seqno=seqno)), Deliver)
    for _ in range(3):
        bench.now_ms += 120_000
        bench.beat()
    assert bench.router.report().seen == 0
    assert bench.hear(peer_of(1), signed(b"x", seqno=5)) == []
    assert invalid(bench, peer_of(1)) == 0, "who replays may not know it"
    assert only(bench.hear(peer_of(1), signed(b"x", seqno=6)), Deliver)
