"""Peers that flood a router: memory stays bounded, they pay, their neighbours notice nothing."""

import gc
import random
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import pytest

from p2p.gossip.events import Deliver, Disconnect
from p2p.gossip.parameters import BLOCKS_SCORE, GossipParameters
from p2p.gossip.policy import MessageIdRule, SigningPolicy, signed_message
from p2p.gossip.rpc import IDS_MAX, Prune
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
from p2p.gossip.topic import TopicRules
from p2p.wire.protobuf import bytes_field
from tests.p2p.gossip.bench import (
    GRAFT,
    RAW,
    SUBSCRIBE,
    TOPIC,
    UNSUBSCRIBE,
    Bench,
    identity_of,
    only,
    peer_of,
    published,
)

KIB: Final = 1024
RULES: Final = TopicRules(name=TOPIC, score=BLOCKS_SCORE)
SIGNED: Final = TopicRules(
    name=TOPIC,
    policy=SigningPolicy.STRICT_SIGN,
    message_id=MessageIdRule.SPEC,
    score=BLOCKS_SCORE,
)
CULPRIT, HONEST, NEIGHBOUR = peer_of(1), peer_of(2), peer_of(3)
RPCS: Final = 100
PER_BEAT: Final = 10


def ids(dice: random.Random, count: int = 100) -> list[bytes]:
    return [dice.randbytes(20) for _ in range(count)]


def subscriptions(dice: random.Random) -> bytes:
    unknown = (subscription_field(one, is_subscribed=True) for one in ids(dice))
    return b"".join([*unknown, UNSUBSCRIBE, SUBSCRIBE])


def grafts(dice: random.Random) -> bytes:
    unknown = (graft_field(one) for one in ids(dice, 50))
    return control_field([prune_field(Prune(RAW, (), 1)), *unknown, graft_field(RAW)])


FLOODS: Final[dict[str, Callable[[random.Random], bytes]]] = {
    "offers": lambda dice: control_field([ihave_field(RAW, ids(dice))]),
    "requests": lambda dice: control_field([iwant_field(ids(dice))]),
    "refusals": lambda dice: control_field([idontwant_field(ids(dice))]),
    "subscriptions": subscriptions,
    "grafts": grafts,
    "unknown topics": lambda dice: b"".join(published(b"x", one) for one in ids(dice, 50)),
}


def ready(rules: TopicRules = RULES, parameters: GossipParameters | None = None) -> Bench:
    """Return a router with the culprit and two honest peers in its mesh."""
    bench = Bench((rules,), parameters=parameters)
    for number in (1, 2, 3):
        bench.in_mesh(number)
    return bench


def flood(bench: Bench, rpcs: Iterator[bytes], *, count: int = RPCS) -> None:
    """Let the culprit send, with a heartbeat now and then; nobody takes what waits for it."""
    for number, rpc in enumerate(islice(rpcs, count)):
        bench.hear(CULPRIT, rpc)
        if number % PER_BEAT == 0:
            bench.beat()


def grown_bytes(work: Callable[[], None]) -> int:
    """Return by how much the memory in use grew."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def hears(bench: Bench, payload: bytes) -> bool:
    """Tell whether a message of one honest peer is delivered and reaches the other."""
    bench.told(NEIGHBOUR)
    delivered = only(bench.hear(HONEST, published(payload)), Deliver)
    return len(delivered) == 1 and len(bench.told(NEIGHBOUR).messages) == 1


@pytest.mark.parametrize("name", FLOODS)
def test_flood_of_control_takes_little_memory_and_hurts_nobody_else(name: str) -> None:
    bench = ready()
    dice = random.Random(1)
    rpcs = iter(lambda: FLOODS[name](dice), b"")
    assert grown_bytes(lambda: flood(bench, rpcs)) < 700 * KIB
    assert hears(bench, b"honest")
    assert bench.router.score(HONEST) >= 0


@pytest.mark.parametrize("name", ["offers", "grafts"])
def test_who_breaks_promises_or_grafts_in_backoff_is_graylisted(name: str) -> None:
    bench = ready()
    dice = random.Random(1)
    flood(bench, iter(lambda: FLOODS[name](dice), b""))
    assert bench.router.score(CULPRIT) < GossipParameters().score.graylist_threshold
    assert bench.hear(CULPRIT, published(b"x")) == []


def test_who_insists_on_one_message_gets_it_three_times_and_is_then_not_heard() -> None:
    bench = ready()
    (deliver,) = only(bench.hear(HONEST, published(bytes(KIB))), Deliver)
    bench.told(CULPRIT)
    ask = control_field([iwant_field([deliver.message.id])])
    sent = 0
    for _ in range(40):
        bench.hear(CULPRIT, ask)
        sent += len(bench.told(CULPRIT).messages)
    assert sent == GossipParameters().retransmissions_max
    assert bench.router.score(CULPRIT) < GossipParameters().score.gossip_threshold
    bench.beat()
    assert CULPRIT not in bench.mesh()


def test_invalid_signatures_are_paid_for_after_six_checks() -> None:
    bench = ready(SIGNED)
    good = signed_message(b"x", topic=RAW, seqno=1, identity=identity_of(9)).publish_field
    forged = good[:-1] + bytes((good[-1] ^ 1,))
    for _ in range(20):
        bench.hear(CULPRIT, forged)
    assert bench.router.report().topics[TOPIC].rejected <= 6
    assert [gone.peer_id for gone in only(bench.beat(), Disconnect)] == [CULPRIT]
    assert CULPRIT not in bench.mesh()
    assert only(bench.hear(HONEST, good), Deliver)


def test_reader_that_never_reads_holds_no_more_than_its_outbox_and_the_cache() -> None:
    limits = GossipParameters(outbox_bytes_max=256 * KIB, cache_bytes_max=256 * KIB)
    bench = ready(parameters=limits)

    def publish_much() -> None:
        for number in range(400):
            bench.hear(HONEST, published(number.to_bytes(8, "big") * KIB))
            bench.told(NEIGHBOUR)

    assert grown_bytes(publish_much) < 256 * KIB + 256 * KIB + 400 * KIB
    report = bench.router.report()
    assert report.outbox_bytes <= limits.outbox_bytes_max
    assert report.outbox_dropped > 300
    assert hears(bench, b"honest")


def test_valid_but_worthless_messages_take_what_their_ids_take() -> None:
    bench = ready()
    many = 4 * RPCS
    rpcs = (published(bytes([number % 256, number // 256]) * 50) for number in range(many))
    assert grown_bytes(lambda: flood(bench, rpcs, count=many)) < 800 * KIB
    assert hears(bench, b"honest")


@pytest.mark.parametrize(
    "bomb",
    [
        control_field([iwant_field([b""] * (IDS_MAX + 1))]),
        control_field([b"\x0a\x00"] * 5_001),
        publish_field(b"\x48\x00" * 100_000),
        b"\x0a\x00" * 100_000,
        bytes_field(3, bytes_field(1, b"\x12\x00" * 50_000)),
    ],
    ids=["ids", "entries", "unknown fields", "subscriptions", "empty ids"],
)
def test_protobuf_bomb_costs_no_memory_and_its_sender_the_connection(bomb: bytes) -> None:
    bench = ready()

    def explode() -> None:
        for _ in range(3):
            bench.hear(CULPRIT, bomb)

    assert grown_bytes(explode) < 64 * KIB
    assert [gone.peer_id for gone in only(bench.beat(), Disconnect)] == [CULPRIT]
    assert hears(bench, b"honest")


def test_strangers_that_come_and_go_leave_little_behind() -> None:
    bench = ready()

    def churn() -> None:
        for number in range(10, 400):
            peer_id = bench.join(number, SUBSCRIBE, GRAFT, ip="8.8.8.8")
            bench.router.report_misbehaviour(peer_id, count=9)
            bench.leave(peer_id)

    identities = [peer_of(number) for number in range(10, 400)]
    assert grown_bytes(churn) < 2 * KIB * len(identities)
    assert bench.router.report().peers == 3
