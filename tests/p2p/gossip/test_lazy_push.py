"""IHAVE, IWANT, IDONTWANT, and promises that are kept or broken."""

import pytest

from p2p.gossip.lazy_push import IHAVE_FLOOD_FACTOR, REQUESTS_MAX
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.policy import MessageIdRule, message_id_function, unsigned_message
from p2p.gossip.rpc import Control
from p2p.gossip.rpc_fields import idontwant_field, ihave_field, iwant_field
from p2p.gossip.topic import TopicRules
from p2p.wire.peer_id import PeerId
from tests.p2p.gossip.bench import (
    BEAT_MS,
    RAW,
    RULES,
    SUBSCRIBE,
    TOPIC,
    Bench,
    peer_of,
    published,
)

OTHER = "chain/transactions/1"
PARAMETERS = GossipParameters()
MANY = 30


@pytest.fixture(name="bench")
def _bench() -> Bench:
    return Bench((RULES, TopicRules(name=OTHER)))


def id_of(payload: bytes) -> bytes:
    return message_id_function(MessageIdRule.TOPIC20, topic=RAW)(
        unsigned_message(payload, topic=RAW)
    )


def some_id(number: int) -> bytes:
    return number.to_bytes(20, "big")


def behaviour(bench: Bench, peer_id: PeerId) -> float:
    return bench.router.scores()[peer_id].behaviour


def outsiders(bench: Bench, count: int = MANY) -> list[PeerId]:
    """Let peers join and return those outside the mesh, with nothing waiting."""
    joined = bench.join_many(range(1, count + 1))
    bench.flush()
    return [peer_id for peer_id in joined if peer_id not in bench.mesh()]


def test_new_messages_are_advertised_outside_the_mesh_for_three_heartbeats(bench: Bench) -> None:
    outside = outsiders(bench)
    bench.hear(bench.mesh()[0], published(b"x"))
    heard: list[list[Control]] = []
    for _ in range(4):
        bench.beat()
        told = [bench.told_control(peer_id) for peer_id in outside]
        heard.append([control for control in told if control.ihave])
        assert not any(bench.told_control(peer_id).ihave for peer_id in bench.mesh())
    assert [len(controls) for controls in heard] == [PARAMETERS.degree_lazy] * 3 + [0]
    assert heard[0][0].ihave == [(RAW, [id_of(b"x")])]


def test_quarter_of_many_outsiders_hears(bench: Bench) -> None:
    outside = outsiders(bench, 70)
    bench.hear(bench.mesh()[0], published(b"x"))
    bench.beat()
    told = sum(bool(bench.told_control(peer_id).ihave) for peer_id in outside)
    assert told == len(outside) // 4


def test_outsider_below_the_gossip_threshold_hears_nothing(bench: Bench) -> None:
    (outside,) = outsiders(bench, 7)
    bench.router.report_misbehaviour(outside, count=14)
    bench.hear(bench.mesh()[0], published(b"x"))
    bench.beat()
    assert bench.told_control(outside).ihave == []


def test_more_messages_than_one_ihave_holds_are_spread_over_the_outsiders() -> None:
    bench = Bench(parameters=GossipParameters(ids_per_ihave_max=10))
    outside = outsiders(bench, 12)
    for number in range(40):
        bench.hear(bench.mesh()[0], published(b"%d" % number))
    bench.beat()
    heard = [bench.told_control(peer_id).ihave for peer_id in outside]
    ids = [set(offer[0][1]) for offer in heard if offer]
    assert {len(some) for some in ids} == {10}
    assert len(set().union(*ids)) > 20


def test_unseen_messages_are_asked_for_and_seen_ones_not(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    bench.hear(alice, published(b"x"))
    bench.control(bob, ihave_field(RAW, [id_of(b"x"), some_id(1), some_id(2), some_id(1)]))
    assert sorted(bench.told_control(bob).iwant) == [some_id(1), some_id(2)]
    bench.control(bob, ihave_field(RAW, [id_of(b"x")]))
    assert bench.told_control(bob).iwant == []


@pytest.mark.parametrize("topic", [OTHER.encode(), b"unknown"])
def test_offers_of_topics_that_we_are_not_in_are_ignored(bench: Bench, topic: bytes) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, ihave_field(topic, [some_id(1)]))
    assert bench.told_control(alice).iwant == []


def test_peer_below_the_gossip_threshold_is_neither_asked_nor_answered(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    bench.hear(bob, published(b"x"))
    bench.flush()
    bench.router.report_misbehaviour(alice, count=14)
    bench.control(alice, ihave_field(RAW, [some_id(1)]), iwant_field([id_of(b"x")]))
    told = bench.told(alice)
    assert told.control == Control()
    assert told.messages == []


def test_flood_of_offers_is_cut_and_costs_once_a_heartbeat(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.report_misbehaviour(alice, count=6)
    for number in range(IHAVE_FLOOD_FACTOR * PARAMETERS.ihave_rpcs_max):
        bench.control(alice, ihave_field(RAW, [some_id(number)]))
    assert len(bench.told_control(alice).iwant) == PARAMETERS.ihave_rpcs_max
    assert behaviour(bench, alice) == 0, "it may have waited while we stood still"
    for number in range(100):
        bench.control(alice, ihave_field(RAW, [some_id(number)]))
    assert bench.told_control(alice).iwant == []
    assert behaviour(bench, alice) == -10
    bench.beat()
    bench.control(alice, ihave_field(RAW, [some_id(1)]))
    assert len(bench.told_control(alice).iwant) == 1


def test_ids_asked_of_one_peer_are_bounded(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    for start in (0, 4_000):
        offer = [some_id(number) for number in range(start, start + 4_000)]
        bench.control(alice, ihave_field(RAW, offer))
    assert len(bench.told_control(alice).iwant) == PARAMETERS.ids_asked_max
    bench.control(alice, ihave_field(RAW, [some_id(9_999)]))
    assert bench.told_control(alice).iwant == []


def test_broken_promise_costs_after_three_seconds(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.report_misbehaviour(alice, count=6)
    bench.control(alice, ihave_field(RAW, [some_id(number) for number in range(50)]))
    bench.now_ms = 3_000 - BEAT_MS - 1
    bench.beat()
    assert behaviour(bench, alice) == 0
    bench.beat()
    assert behaviour(bench, alice) == pytest.approx(-10, rel=0.1)
    assert bench.router.report().broken_promises == 1


def test_promise_is_kept_for_all_by_whoever_brings_the_message(bench: Bench) -> None:
    peers = [bench.in_mesh(number) for number in (1, 2, 3)]
    for peer_id in peers[:2]:
        bench.control(peer_id, ihave_field(RAW, [id_of(b"x")]))
    bench.hear(peers[2], published(b"x"))
    bench.beat(10)
    assert bench.router.report().broken_promises == 0


def test_promise_of_a_peer_that_left_costs_nobody(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, ihave_field(RAW, [some_id(1)]))
    bench.leave(alice)
    assert alice not in bench.router.scores()
    bench.join(1)
    bench.beat(10)
    assert bench.router.report().broken_promises == 0


def test_promise_of_a_topic_that_we_left_costs_nobody(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.subscribe(OTHER, now_ms=0)
    bench.control(alice, ihave_field(RAW, [some_id(1)]), ihave_field(OTHER.encode(), [some_id(2)]))
    bench.control(alice, ihave_field(OTHER.encode(), [some_id(3)]))
    bench.control(alice, ihave_field(RAW, [some_id(4)]))
    bench.router.unsubscribe(TOPIC, now_ms=0)
    bench.router.unsubscribe(OTHER, now_ms=0)
    bench.beat(10)
    assert bench.router.report().broken_promises == 0


def test_request_that_did_not_fit_into_the_outbox_is_no_promise(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    for start in (0, 3_000):
        offer = [number.to_bytes(100, "big") for number in range(start, start + 3_000)]
        bench.control(alice, ihave_field(RAW, offer))
        bench.beat()
    assert len(bench.told_control(alice).iwant) == 3_000
    bench.beat(10)
    assert bench.router.report().broken_promises == 1


def test_promises_are_bounded() -> None:
    bench = Bench(parameters=GossipParameters(promises_max=3))
    alice = bench.in_mesh(1)
    for number in range(5):
        bench.control(alice, ihave_field(RAW, [some_id(number)]))
    bench.beat(10)
    assert bench.router.report().broken_promises == 3


def test_message_is_sent_to_who_asks_three_times_and_insisting_costs(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.join(20)
    bench.flush()
    bench.hear(alice, published(b"x"))
    bench.router.report_misbehaviour(bob, count=6)
    ask = iwant_field([id_of(b"x"), id_of(b"x"), some_id(1)])
    for expected in (1, 1, 1, *[0] * (REQUESTS_MAX - 3)):
        bench.control(bob, ask)
        assert len(bench.told(bob).messages) == expected
    assert behaviour(bench, bob) == 0
    for _ in range(2):
        bench.control(bob, ask)
    assert behaviour(bench, bob) == -10 * 2**2


def test_request_that_finds_the_outbox_full_does_not_count() -> None:
    bench = Bench(parameters=GossipParameters(outbox_bytes_max=2_000))
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    bench.hear(alice, published(bytes(1_500)))
    for _ in range(REQUESTS_MAX + 5):
        bench.control(bob, iwant_field([id_of(bytes(1_500))]))
    assert len(bench.told(bob).messages) == 1, "the copy that the mesh brings"
    for _ in range(3):
        bench.control(bob, iwant_field([id_of(bytes(1_500))]))
        assert len(bench.told(bob).messages) == 1
    assert behaviour(bench, bob) == 0


def test_message_is_sent_until_its_windows_are_over(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.join(20)
    bench.hear(alice, published(b"x"))
    bench.beat(PARAMETERS.history_windows - 1)
    bench.flush()
    bench.control(bob, iwant_field([id_of(b"x")]))
    assert len(bench.told(bob).messages) == 1
    bench.beat()
    bench.control(bob, iwant_field([id_of(b"x")]))
    assert bench.told(bob).messages == []


def test_answers_stop_at_half_of_the_outbox() -> None:
    bench = Bench(parameters=GossipParameters(outbox_bytes_max=10_000))
    alice, bob = bench.in_mesh(1), bench.join(20)
    ids = []
    for number in range(20):
        payload = bytes([number]) * 900
        ids.append(id_of(payload))
        bench.hear(alice, published(payload))
    bench.control(bob, iwant_field(ids))
    assert 5 <= len(bench.told(bob).messages) <= 7


def test_message_that_a_peer_has_is_not_sent_to_it_for_three_heartbeats(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    for beats in range(4):
        payload = b"%d" % beats
        bench.control(bob, idontwant_field([id_of(payload)]))
        bench.beat(beats)
        bench.flush()
        bench.hear(alice, published(payload))
        assert len(bench.told(bob).messages) == (beats == 3)


def test_message_in_the_outbox_is_taken_back_when_the_peer_has_it(bench: Bench) -> None:
    alice, bob, carol = (bench.in_mesh(number) for number in (1, 2, 3))
    bench.hear(alice, published(b"x"))
    bench.control(bob, idontwant_field([id_of(b"x")]))
    bench.hear(carol, published(b"x"))
    assert bench.told(bob).messages == []
    assert bench.told(carol).messages == [], "who sends a message has it"


def test_who_asks_for_a_message_wants_it_whatever_it_said(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    bench.control(bob, idontwant_field([id_of(b"x")]))
    bench.hear(alice, published(b"x"))
    bench.control(bob, iwant_field([id_of(b"x")]))
    assert len(bench.told(bob).messages) == 1


def test_ids_that_a_peer_refuses_are_bounded_for_each_heartbeat() -> None:
    bench = Bench(parameters=GossipParameters(idontwant_ids_max=3))
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    payloads = [b"%d" % number for number in range(5)]
    for payload in payloads[:-1]:
        bench.control(bob, idontwant_field([id_of(payload)]))
    bench.beat()
    bench.control(bob, idontwant_field([id_of(payloads[-1])]))
    for payload in payloads:
        bench.hear(alice, published(payload))
    assert [message.payload for message in bench.told(bob).messages] == [payloads[3]]


def test_what_did_not_fit_into_an_outbox_is_advertised() -> None:
    bench = Bench(parameters=GossipParameters(outbox_bytes_max=3_000))
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    payloads = [bytes([number]) * 900 for number in range(5)]
    for payload in payloads:
        bench.hear(alice, published(payload))
    bench.beat()
    told = bench.told(bob)
    assert [message.payload for message in told.messages] == payloads[2:]
    assert told.control is not None
    assert told.control.ihave == [(RAW, [id_of(payload) for payload in payloads[:2]])]
    bench.beat()
    assert bench.told_control(bob).ihave == []
    assert bench.router.report().outbox_dropped == 2


def test_what_did_not_fit_and_is_gone_is_not_advertised() -> None:
    bench = Bench(parameters=GossipParameters(outbox_bytes_max=1_500, cache_bytes_max=1_000))
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    for number in range(4):
        bench.hear(alice, published(bytes([number]) * 900))
    bench.beat()
    assert bench.told_control(bob).ihave == []


def test_subscriber_in_the_fanout_hears_no_gossip(bench: Bench) -> None:
    subscribed = SUBSCRIBE.replace(RAW, RAW)
    bench.router.unsubscribe(TOPIC, now_ms=0)
    bench.join_many(range(1, 20), subscribed)
    bench.router.publish(TOPIC, bytes(PARAMETERS.flood_size_bytes_max + 1), now_ms=0)
    got = [n for n in range(1, 20) if bench.told(peer_of(n)).messages]
    bench.beat()
    heard = [n for n in range(1, 20) if bench.told_control(peer_of(n)).ihave]
    assert len(got) == len(heard) == 6
    assert not set(got) & set(heard)
