"""GRAFT, PRUNE, backoff and peer exchange, as they come from a peer and as we send them."""

import pytest

from p2p.gossip.events import DialPeer
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import graft_field, prune_field, subscription_field
from p2p.gossip.topic import TopicRules
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from p2p.wire.role import Direction
from tests.p2p.gossip.bench import (
    BEAT_MS,
    GRAFT,
    RAW,
    RULES,
    SUBSCRIBE,
    TOPIC,
    UNSUBSCRIBE,
    Bench,
    identity_of,
    only,
    peer_of,
)

OTHER = "chain/transactions/1"
PARAMETERS = GossipParameters()
HIGH = PARAMETERS.degree_high


@pytest.fixture(name="bench")
def _bench() -> Bench:
    return Bench((RULES, TopicRules(name=OTHER)))


def prunes(bench: Bench, number: int) -> list[Prune]:
    return bench.told_control(peer_of(number)).prune


def crowd(bench: Bench, *, direction: Direction = Direction.INBOUND) -> None:
    """Fill the mesh by peers that graft us."""
    for number in range(1, HIGH + 1):
        bench.join(number, SUBSCRIBE, GRAFT, direction=direction)
    bench.flush()
    assert len(bench.mesh()) == HIGH


def record_of(number: int) -> bytes:
    identity = identity_of(number)
    address = Multiaddr.parse("/ip4/8.8.8.8/tcp/4001")
    return PeerRecord(identity.peer_id, 1, (address,)).seal(identity)


def test_peer_that_subscribes_is_grafted_at_once_while_the_mesh_is_short(bench: Bench) -> None:
    for number in range(1, 9):
        bench.join(number, SUBSCRIBE)
    assert len(bench.mesh()) == PARAMETERS.degree
    assert bench.told_control(peer_of(1)).graft == [RAW]
    assert bench.told_control(peer_of(8)).graft == []


def test_graft_is_taken_silently(bench: Bench) -> None:
    alice = bench.join(1)
    bench.flush()
    assert bench.hear(alice, GRAFT) == []
    assert bench.mesh() == (alice,)


@pytest.mark.parametrize("topic", [OTHER.encode(), b"unknown"])
def test_graft_of_a_topic_that_we_are_not_in_gets_no_answer(bench: Bench, topic: bytes) -> None:
    alice = bench.join(1, SUBSCRIBE)
    bench.flush()
    assert bench.control(alice, graft_field(topic), prune_field(Prune(topic, (), 1))) == []


def test_peer_with_a_bad_score_is_pruned_without_other_names(bench: Bench) -> None:
    alice = bench.join(1)
    bench.router.report_misbehaviour(alice, count=7)
    bench.hear(alice, GRAFT)
    assert bench.mesh() == ()
    assert prunes(bench, 1) == [Prune(RAW, (), 60)]


def test_inbound_peer_finds_no_place_in_a_full_mesh_but_one_we_dialled_does(bench: Bench) -> None:
    crowd(bench)
    bench.join(98, SUBSCRIBE, GRAFT, direction=Direction.INBOUND)
    bench.join(99, SUBSCRIBE, GRAFT, direction=Direction.OUTBOUND)
    assert prunes(bench, 98) == [Prune(RAW, (), 60)]
    assert peer_of(99) in bench.mesh()
    assert peer_of(98) not in bench.mesh()


def test_peer_of_version_1_0_gets_a_bare_prune(bench: Bench) -> None:
    crowd(bench)
    bench.join(99, SUBSCRIBE, GRAFT, direction=Direction.INBOUND, protocol="/meshsub/1.0.0")
    assert prunes(bench, 99) == [Prune(RAW, (), None)]


def test_graft_in_backoff_costs_one_and_right_after_a_prune_two(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, prune_field(Prune(RAW, (), 60)))
    bench.hear(alice, GRAFT)
    bench.now_ms += 20_000
    bench.hear(alice, GRAFT)
    assert prunes(bench, 1) == [Prune(RAW, (), 60)], "the backoff begins anew"
    for _ in range(2):
        bench.hear(alice, GRAFT)
    assert bench.router.scores()[alice].behaviour == -10 * (2 + 1 + 2 + 2 - 6) ** 2
    assert bench.mesh() == ()


def test_graft_after_the_flood_window_costs_one(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.report_misbehaviour(alice, count=6)
    bench.control(alice, prune_field(Prune(RAW, (), 60)))
    bench.now_ms += 10_000
    bench.hear(alice, GRAFT)
    assert bench.router.scores()[alice].behaviour == -10


def test_graft_after_the_backoff_is_welcome(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, prune_field(Prune(RAW, (), 60)))
    bench.now_ms += 60_000
    bench.hear(alice, GRAFT)
    assert bench.mesh() == (alice,)


@pytest.mark.parametrize(
    ("backoff_s", "wait_ms"), [(None, 60_000), (0, 60_000), (5, 5_000), (10**9, 3_600_000)]
)
def test_we_come_back_when_the_backoff_is_over_and_a_heartbeat_later(
    bench: Bench, backoff_s: int | None, wait_ms: int
) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, prune_field(Prune(RAW, (), backoff_s)))
    assert bench.mesh() == ()
    bench.now_ms = wait_ms - BEAT_MS
    for _ in range(2):
        bench.beat()
        assert bench.mesh() == ()
        bench.now_ms -= BEAT_MS // 2
    bench.now_ms = wait_ms
    bench.beat()
    assert bench.mesh() == (alice,)
    assert bench.told_control(alice).graft == [RAW]


def test_backoff_outlives_the_connection(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, prune_field(Prune(RAW, (), 60)))
    bench.leave(alice)
    bench.join(1, SUBSCRIBE)
    assert bench.mesh() == ()


def test_flood_of_grafts_and_prunes_counts_once(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.control(alice, *[prune_field(Prune(RAW, (), 60))] * 2_000, *[graft_field(RAW)] * 2_000)
    assert bench.router.scores()[alice].behaviour == 0
    assert bench.mesh() == ()


def test_leaving_a_topic_prunes_the_mesh_for_ten_seconds(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.unsubscribe(TOPIC, now_ms=0)
    assert prunes(bench, 1) == [Prune(RAW, (), 10)]
    bench.router.subscribe(TOPIC, now_ms=9_000)
    assert bench.mesh() == ()
    bench.now_ms = 10_000
    bench.beat()
    assert bench.mesh() == (alice,)


def test_peer_that_unsubscribes_or_leaves_is_out_of_the_mesh(bench: Bench) -> None:
    alice, bob = bench.in_mesh(1), bench.in_mesh(2)
    bench.hear(alice, UNSUBSCRIBE)
    assert bench.mesh() == (bob,)
    bench.leave(bob)
    assert bench.mesh() == ()


def test_joining_takes_the_fanout_first(bench: Bench) -> None:
    subscribed = subscription_field(OTHER.encode(), is_subscribed=True)
    bench.join_many(range(1, 20), subscribed)
    large = bytes(PARAMETERS.flood_size_bytes_max + 1)
    bench.router.publish(OTHER, large, now_ms=0)
    fanout = [number for number in range(1, 20) if bench.told(peer_of(number)).messages]
    assert len(fanout) == PARAMETERS.degree
    bench.router.subscribe(OTHER, now_ms=0)
    assert set(bench.router.mesh_peers(OTHER)) == set(map(peer_of, fanout))


def test_direct_peer_is_never_in_a_mesh() -> None:
    bench = Bench(direct=[peer_of(1)])
    bench.join(1, SUBSCRIBE, GRAFT)
    bench.beat()
    assert bench.mesh() == ()
    assert prunes(bench, 1) == [Prune(RAW, (), 60)]


def test_prune_of_a_surplus_names_peers_with_records_if_we_offer_them() -> None:
    bench = Bench(parameters=GossipParameters(offers_peers=True))
    crowd(bench)
    for number in range(1, 4):
        bench.router.remember_record(peer_of(number), record_of(number))
    bench.router.report_misbehaviour(peer_of(3), count=7)
    bench.join(99, SUBSCRIBE, direction=Direction.INBOUND)
    bench.router.remember_record(peer_of(99), record_of(99))
    bench.hear(peer_of(99), GRAFT)
    (prune,) = prunes(bench, 99)
    assert sorted(prune.peers) == sorted((peer_of(n), record_of(n)) for n in (1, 2))


def test_peers_that_a_prune_names_are_bounded_in_number_and_bytes() -> None:
    bench = Bench(parameters=GossipParameters(offers_peers=True, px_peers_max=3))
    crowd(bench)
    for number in range(1, HIGH + 1):
        bench.router.remember_record(peer_of(number), record_of(number))
    bench.join(99, SUBSCRIBE, GRAFT, direction=Direction.INBOUND)
    (prune,) = prunes(bench, 99)
    assert len(prune.peers) == 3
    for number in range(1, HIGH + 1):
        bench.router.remember_record(peer_of(number), bytes(8_000))
    bench.join(98, SUBSCRIBE, GRAFT, direction=Direction.INBOUND)
    (prune,) = prunes(bench, 98)
    assert len(prune.peers) == 2


def test_names_from_a_trusted_peer_are_dialled_if_their_records_hold(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.join(2)
    named = (
        (peer_of(2), record_of(2)),
        (peer_of(50), record_of(50)),
        (peer_of(51), record_of(52)),
        (peer_of(53), record_of(53)[:-1] + b"x"),
        (peer_of(54), b""),
    )
    prune = prune_field(Prune(RAW, named, 60))
    assert only(bench.control(alice, prune), DialPeer) == []
    bench.router.set_application_score(alice, 2_500)
    dials = only(bench.control(alice, prune), DialPeer)
    assert dials == [DialPeer(peer_of(50), record_of(50))]


def test_names_beyond_sixteen_are_not_dialled(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.set_application_score(alice, 2_500)
    named = tuple((peer_of(number), record_of(number)) for number in range(100, 120))
    assert len(bench.control(alice, prune_field(Prune(RAW, named, 60)))) == 16
