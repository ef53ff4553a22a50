"""To whom our own messages go."""

import pytest

from p2p.gossip.events import AlreadyPublished, Published, Wake
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.policy import MessageIdRule, SigningPolicy, check_origin, check_signature
from p2p.gossip.rpc_fields import iwant_field
from p2p.gossip.topic import TopicRules
from primitives.errors import LocalProtocolError
from tests.p2p.gossip.bench import RULES, SUBSCRIBE, TOPIC, Bench, only, peer_of, published

SIGNED = TopicRules(name=TOPIC, policy=SigningPolicy.STRICT_SIGN, message_id=MessageIdRule.SPEC)
LARGE = bytes(GossipParameters().flood_size_bytes_max + 1)
TWENTY = range(1, 21)


def crowd(bench: Bench) -> Bench:
    bench.join_many(TWENTY)
    bench.flush()
    return bench


def receivers(bench: Bench) -> set[bytes]:
    return {peer_of(number) for number in TWENTY if bench.told(peer_of(number)).messages}


def test_small_message_goes_to_every_subscriber_that_is_not_too_bad() -> None:
    bench = crowd(Bench())
    bench.join(21)
    bench.router.report_misbehaviour(peer_of(1), count=17)
    effects = bench.router.publish(TOPIC, b"x", now_ms=0)
    (result,) = only(effects, Published)
    assert result.peer_count == 19
    assert len(only(effects, Wake)) == 19
    assert receivers(bench) == {peer_of(number) for number in TWENTY[1:]}


def test_large_message_goes_to_the_mesh() -> None:
    bench = crowd(Bench())
    bench.router.publish(TOPIC, LARGE, now_ms=0)
    assert receivers(bench) == set(bench.mesh())


def test_flood_publishing_can_be_switched_off() -> None:
    bench = crowd(Bench(parameters=GossipParameters(flood_size_bytes_max=-1)))
    bench.router.publish(TOPIC, b"", now_ms=0)
    assert receivers(bench) == set(bench.mesh())


def test_large_message_of_a_topic_we_are_not_in_goes_to_the_same_few_peers() -> None:
    bench = crowd(Bench(subscribed=()))
    found = []
    for number in range(3):
        bench.router.publish(TOPIC, LARGE + bytes([number]), now_ms=0)
        found.append(receivers(bench))
    assert len(found[0]) == 6
    assert found[0] == found[1] == found[2]


def test_direct_peer_gets_even_large_messages() -> None:
    bench = Bench(direct=[peer_of(20), peer_of(30)])
    bench.join(30)
    crowd(bench)
    bench.router.publish(TOPIC, LARGE, now_ms=0)
    assert receivers(bench) == {*bench.mesh(), peer_of(20)}


def test_message_without_receivers_is_kept_for_those_who_come() -> None:
    bench = Bench()
    (result,) = bench.router.publish(TOPIC, b"x", now_ms=0)
    assert isinstance(result, Published)
    assert result.peer_count == 0
    alice = bench.join(1, SUBSCRIBE)
    bench.flush()
    bench.control(alice, iwant_field([result.message_id]))
    assert len(bench.told(alice).messages) == 1


def test_message_is_published_once_and_not_delivered_to_ourselves() -> None:
    bench = crowd(Bench())
    (result,) = only(bench.router.publish(TOPIC, b"x", now_ms=0), Published)
    assert bench.router.publish(TOPIC, b"x", now_ms=0) == [AlreadyPublished(result.message_id)]
    assert bench.hear(peer_of(1), published(b"x")) == []
    assert bench.router.report().topics[TOPIC].published == 1


def test_signed_messages_have_rising_seqnos_and_hold() -> None:
    bench = Bench((SIGNED,))
    bench.join(1, SUBSCRIBE)
    bench.flush()
    for payload in (b"x", b"x"):
        bench.router.publish(TOPIC, payload, now_ms=0)
    messages = bench.told(peer_of(1)).messages
    assert [check_origin(message) for message in messages] == [
        (peer_of(0), 1_000),
        (peer_of(0), 1_001),
    ]
    for message in messages:
        check_signature(message)


def test_message_that_is_too_large_for_its_topic_is_our_own_bug() -> None:
    with pytest.raises(LocalProtocolError, match="the bound of chain"):
        Bench().router.publish(TOPIC, bytes(RULES.size_bytes_max + 1), now_ms=0)
