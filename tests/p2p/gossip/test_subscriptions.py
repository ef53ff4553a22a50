"""Who is subscribed to what, and what peers are told when they come and go."""

import pytest

from p2p.gossip.events import (
    Disconnect,
    PeerJoined,
    PeerLeft,
    ResetStream,
    RpcReceived,
    SubscriptionChanged,
    Wake,
)
from p2p.gossip.parameters import BLOCKS_SCORE, RPC_SIZE_BYTES_MAX
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import subscription_field
from p2p.gossip.topic import TOPICS_MAX, TopicRules
from p2p.wire.role import Direction
from primitives.errors import LocalProtocolError
from tests.p2p.gossip.bench import (
    RAW,
    ROOM,
    RULES,
    SUBSCRIBE,
    TOPIC,
    UNSUBSCRIBE,
    Bench,
    only,
    peer_of,
    published,
)

OTHER = "chain/transactions/1"
ALICE = peer_of(1)


@pytest.fixture(name="bench")
def _bench() -> Bench:
    return Bench((RULES, TopicRules(name=OTHER)))


def test_peer_that_joins_is_told_our_subscriptions_first(bench: Bench) -> None:
    effects = bench.handle(PeerJoined(ALICE, "/meshsub/1.2.0", Direction.INBOUND, "127.0.0.1"))
    assert effects == [Wake(ALICE)]
    assert bench.told(ALICE).subscriptions == [(RAW, True)]


def test_peer_that_joins_again_is_told_again_and_keeps_its_place(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.join(1, protocol="/meshsub/1.1.0")
    told = bench.told(alice)
    assert told.subscriptions == [(RAW, True)]
    assert told.control is not None
    assert told.control.graft == [RAW], "it may have forgotten that it is in our mesh"
    assert bench.mesh() == (alice,)


@pytest.mark.parametrize(
    ("protocol", "backoff_s"), [("/meshsub/1.2.0", 50), ("/meshsub/1.0.0", None)]
)
def test_peer_that_joins_again_is_told_how_long_it_is_held_off(
    bench: Bench, protocol: str, backoff_s: int | None
) -> None:
    alice = bench.in_mesh(1, protocol=protocol)
    bench.router.report_misbehaviour(alice, count=7)
    bench.beat()
    assert bench.mesh() == ()
    bench.flush()
    bench.now_ms += 10_500
    bench.join(1, protocol=protocol)
    assert bench.told_control(alice).prune == [Prune(RAW, (), backoff_s)]
    bench.now_ms += 49_500
    bench.join(1, protocol=protocol)
    assert bench.told_control(alice).prune == []


def test_node_without_subscriptions_says_nothing() -> None:
    bench = Bench(subscribed=())
    assert bench.router.take(bench.join(1), ROOM) == b""


def test_subscribing_and_leaving_is_told_to_everybody(bench: Bench) -> None:
    alice = bench.join(1)
    bench.flush()
    bench.router.subscribe(OTHER, now_ms=0)
    assert bench.router.subscribe(OTHER, now_ms=0) == []
    assert bench.told(alice).subscriptions == [(OTHER.encode(), True)]
    bench.router.unsubscribe(OTHER, now_ms=0)
    assert bench.router.unsubscribe(OTHER, now_ms=0) == []
    assert bench.told(alice).subscriptions == [(OTHER.encode(), False)]


def test_subscriptions_of_a_peer_are_reported_when_they_change(bench: Bench) -> None:
    alice = bench.join(1)
    subscribed = SubscriptionChanged(alice, TOPIC, is_subscribed=True)
    left = SubscriptionChanged(alice, TOPIC, is_subscribed=False)
    assert only(bench.hear(alice, SUBSCRIBE), SubscriptionChanged) == [subscribed]
    assert only(bench.hear(alice, SUBSCRIBE), SubscriptionChanged) == []
    assert only(bench.hear(alice, UNSUBSCRIBE), SubscriptionChanged) == [left]
    bench.hear(alice, SUBSCRIBE)
    assert only(bench.leave(alice), SubscriptionChanged) == [left]
    assert bench.leave(alice) == []


def test_topics_that_nobody_configured_leave_no_trace(bench: Bench) -> None:
    alice = bench.join(1)
    flood = [subscription_field(b"topic %d" % n, is_subscribed=True) for n in range(4_000)]
    assert bench.hear(alice, *flood) == []
    assert bench.router.report().topics.keys() == {TOPIC, OTHER}


def test_flood_of_changes_comes_to_the_last_word(bench: Bench) -> None:
    alice = bench.join(1)
    effects = bench.hear(alice, *([SUBSCRIBE, UNSUBSCRIBE] * 2_000), SUBSCRIBE)
    assert len(only(effects, SubscriptionChanged)) == 1


def test_bytes_that_are_no_rpc_reset_the_stream_and_soon_end_the_connection(bench: Bench) -> None:
    alice = bench.join(1)
    (reset,) = only(bench.hear(alice, b"\xff"), ResetStream)
    assert reset.peer_id == alice
    bench.beat()
    assert bench.router.score(alice) < 0
    for _ in range(2):
        bench.hear(alice, bytes(RPC_SIZE_BYTES_MAX + 1))
    assert [gone.peer_id for gone in only(bench.beat(), Disconnect)] == [alice]
    assert only(bench.beat(), Disconnect) == [], "once is enough"
    assert bench.router.report().malformed_rpcs == 3


def test_empty_rpc_is_nothing(bench: Bench) -> None:
    alice = bench.join(1)
    assert bench.hear(alice) == []


def test_graylisted_peer_is_not_listened_to_and_not_welcome_back(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.report_misbehaviour(alice, count=30)
    assert bench.hear(alice, published(b"x")) == []
    assert bench.router.report().ignored_rpcs == 1
    bench.leave(alice)
    effects = bench.handle(PeerJoined(alice, "/meshsub/1.2.0", Direction.INBOUND, "127.0.0.1"))
    assert only(effects, Disconnect)


def test_stranger_is_not_listened_to(bench: Bench) -> None:
    assert bench.handle(RpcReceived(ALICE, SUBSCRIBE)) == []
    assert bench.handle(PeerLeft(ALICE)) == []
    assert bench.router.take(ALICE, ROOM) == b""
    bench.router.remember_record(ALICE, b"envelope")
    bench.router.report_misbehaviour(ALICE)
    assert bench.router.score(ALICE) == 0
    assert bench.router.report().ignored_rpcs == 1


def test_topic_must_be_known_short_and_new(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError, match="not a topic"):
        bench.router.subscribe("unknown", now_ms=0)
    with pytest.raises(LocalProtocolError, match="is known"):
        bench.router.allow(RULES)
    with pytest.raises(LocalProtocolError, match="at most 256 bytes"):
        bench.router.allow(TopicRules(name="x" * 257))
    for number in range(TOPICS_MAX - 2):
        bench.router.allow(TopicRules(name=f"topic {number}", score=BLOCKS_SCORE))
    with pytest.raises(LocalProtocolError, match="128 topics"):
        bench.router.allow(TopicRules(name="one more"))


def test_operator_reads_scores_part_by_part(bench: Bench) -> None:
    alice, bob = bench.join(1), bench.join(2)
    bench.router.set_application_score(alice, 12)
    bench.router.report_misbehaviour(bob, count=7)
    scores = bench.router.scores()
    assert (scores[alice].application, scores[bob].behaviour) == (12, -10)
    assert bench.router.score(alice) == scores[alice].total
