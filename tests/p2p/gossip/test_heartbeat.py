"""What a heartbeat repairs: meshes that are too small, too large, too foreign or too poor."""

import pytest

from p2p.gossip.events import DialPeer
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import prune_field, subscription_field
from p2p.gossip.topic import TopicRules
from p2p.wire.role import Direction
from tests.p2p.gossip.bench import (
    BEAT_MS,
    GRAFT,
    RAW,
    RULES,
    SUBSCRIBE,
    Bench,
    peer_of,
)

OTHER = "chain/transactions/1"
PARAMETERS = GossipParameters()
INBOUND, OUTBOUND = Direction.INBOUND, Direction.OUTBOUND


@pytest.fixture(name="bench")
def _bench() -> Bench:
    return Bench((RULES, TopicRules(name=OTHER)))


def crowd(bench: Bench, count: int, *, outbound: int = 0) -> None:
    """Fill the mesh beyond its degree, as peers do whom nobody refuses in time."""
    for number in range(1, count + 1):
        # Only those that we dialled come into a full mesh.
        bench.join(number, SUBSCRIBE, GRAFT, direction=OUTBOUND)
    for number in range(outbound + 1, count + 1):
        bench.join(number, direction=INBOUND)
    bench.flush()
    assert len(bench.mesh()) == count


def test_short_mesh_is_filled_to_its_degree() -> None:
    bench = Bench(subscribed=())
    bench.join_many(range(1, 20))
    bench.router.subscribe(RULES.name, now_ms=0)
    assert len(bench.mesh()) == 6
    for peer_id in bench.mesh()[:2]:
        bench.leave(peer_id)
    bench.beat()
    assert len(bench.mesh()) == 6


def test_peers_in_backoff_or_with_a_bad_score_are_not_grafted(bench: Bench) -> None:
    bench.join_many(range(1, 7))
    for number in (1, 2):
        bench.control(peer_of(number), prune_field(Prune(RAW, (), 60)))
    bench.router.report_misbehaviour(peer_of(3), count=7)
    bench.beat(3)
    assert set(bench.mesh()) == {peer_of(number) for number in (4, 5, 6)}


def test_members_with_a_bad_score_are_pruned_without_names(bench: Bench) -> None:
    alice = bench.in_mesh(1)
    bench.router.report_misbehaviour(alice, count=7)
    bench.beat()
    assert bench.mesh() == ()
    assert bench.told_control(alice).prune == [Prune(RAW, (), 60)]


def test_crowded_mesh_keeps_the_best_by_score(bench: Bench) -> None:
    crowd(bench, 14, outbound=14)
    best = [peer_of(number) for number in (3, 7, 11, 14)]
    for peer_id in best:
        bench.router.set_application_score(peer_id, 10)
    bench.beat()
    assert len(bench.mesh()) == PARAMETERS.degree
    assert set(best) <= set(bench.mesh())
    pruned = [n for n in range(1, 15) if bench.told_control(peer_of(n)).prune]
    assert len(pruned) == 14 - PARAMETERS.degree


def test_crowded_mesh_keeps_some_that_we_dialled_whatever_their_score(bench: Bench) -> None:
    crowd(bench, 14, outbound=3)
    for number in range(4, 15):
        bench.router.set_application_score(peer_of(number), 10)
    bench.beat()
    assert len(bench.mesh()) == PARAMETERS.degree
    dialled = {peer_of(number) for number in (1, 2, 3)}
    assert len(dialled & set(bench.mesh())) == PARAMETERS.degree_outbound


def test_mesh_of_the_right_size_is_left_alone(bench: Bench) -> None:
    crowd(bench, PARAMETERS.degree_high, outbound=2)
    before = bench.mesh()
    bench.beat(5)
    assert bench.mesh() == before


def test_mesh_without_peers_that_we_dialled_gets_some(bench: Bench) -> None:
    for number in range(1, 7):
        bench.join(number, SUBSCRIBE, GRAFT, direction=INBOUND)
    bench.join_many(range(7, 12))
    assert peer_of(7) not in bench.mesh()
    bench.beat()
    assert sum(peer_of(number) in bench.mesh() for number in range(7, 12)) == 2


def test_poor_mesh_gets_two_better_peers_once_a_minute(bench: Bench) -> None:
    crowd(bench, 6, outbound=6)
    bench.join_many(range(7, 12))
    for number in (7, 8, 9):
        bench.router.set_application_score(peer_of(number), 10)
    bench.beat(PARAMETERS.opportunistic_ticks - 1)
    assert len(bench.mesh()) == 6
    bench.beat()
    assert len(bench.mesh()) == 8
    assert not {peer_of(10), peer_of(11)} & set(bench.mesh())


def test_rich_mesh_is_left_alone(bench: Bench) -> None:
    crowd(bench, 6, outbound=6)
    for number in range(1, 7):
        bench.router.set_application_score(peer_of(number), 5)
    bench.join_many(range(7, 12))
    bench.router.set_application_score(peer_of(7), 10)
    bench.beat(PARAMETERS.opportunistic_ticks)
    assert len(bench.mesh()) == 6


def test_backoffs_are_forgotten_with_one_heartbeat_of_slack(bench: Bench) -> None:
    alice = bench.join(1)
    bench.control(alice, prune_field(Prune(RAW, (), 10)))
    bench.beat(PARAMETERS.backoff_clear_ticks - 1)
    assert bench.now_ms < 10_000 < bench.now_ms + BEAT_MS
    bench.beat()
    assert bench.router.report().topics[RULES.name].backoffs == 1
    bench.beat(PARAMETERS.backoff_clear_ticks)
    assert bench.router.report().topics[RULES.name].backoffs == 0


def test_missing_direct_peer_is_dialled_now_and_then() -> None:
    bench = Bench(direct=[peer_of(1), peer_of(2)], parameters=GossipParameters(direct_dial_ticks=3))
    bench.join(2)
    assert bench.beat(2) == []
    assert bench.beat() == [DialPeer(peer_of(1), b"")]


def test_fanout_is_refilled_and_forgotten_a_minute_after_the_last_message(bench: Bench) -> None:
    def fanout() -> int:
        return bench.router.report().topics[OTHER].fanout

    bench.join_many(range(1, 9), subscription_field(OTHER.encode(), is_subscribed=True))
    bench.router.publish(OTHER, bytes(PARAMETERS.flood_size_bytes_max + 1), now_ms=0)
    bench.flush()
    assert fanout() == PARAMETERS.degree
    for number in range(1, 4):
        bench.leave(peer_of(number))
    bench.router.report_misbehaviour(peer_of(4), count=20)
    bench.beat()
    assert fanout() == 4
    bench.now_ms = 60_000 - BEAT_MS
    bench.beat()
    assert fanout() == 4
    bench.beat()
    assert fanout() == 0
