"""Attacks with the control messages of gossip, and on the streams that carry them."""

import asyncio

from p2p.gossip.lazy_push import IHAVE_FLOOD_FACTOR
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import (
    control_field,
    graft_field,
    idontwant_field,
    ihave_field,
    iwant_field,
    prune_field,
)
from p2p.limits import Limits
from p2p.pubsub import DIALS_MAX, DIALS_WAITING_MAX
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.protobuf import length_prefixed
from p2p.wire.records import PeerRecord
from tests.p2p.hostile.gossiping import (
    BEAT_S,
    MEBIBYTE,
    PARAMETERS,
    ROOT,
    SUBSCRIBE,
    by_a_rogue,
    ids,
    repeat_until_banned,
    say,
)
from tests.p2p.hostile.kit import identity_of, proposal
from tests.p2p.hostile.scene import (
    MESHSUB,
    PLAIN,
    Rogue,
    Scene,
    measured,
    under_attack,
)
from tests.p2p.yamux.frames import carrying


def test_who_advertises_what_does_not_exist_is_soon_asked_for_nothing() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        say(stream, SUBSCRIBE, control_field([graft_field(ROOT)]))
        for lies in range(40):
            offer = ihave_field(ROOT, ids(500 * lies, 500))
            say(stream, control_field([offer]))
            await asyncio.sleep(BEAT_S)
        assert scene.victim.score(attacker.peer_id) < PARAMETERS.score.gossip_threshold
        assert attacker.peer_id not in scene.victim.pubsub.router.mesh_peers(PLAIN)
        assert scene.victim.pubsub.router.report().broken_promises < 25

    by_a_rogue(attack)


def test_ihave_floods_are_not_read_to_the_end_and_end_in_a_ban() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del stream
        offer = control_field([ihave_field(ROOT, ids(0, 10))])

        def flood(stream: Stream) -> None:
            for _ in range((IHAVE_FLOOD_FACTOR + 1) * PARAMETERS.ihave_rpcs_max):
                say(stream, offer)

        await repeat_until_banned(scene, attacker, flood, times=60, pause_s=BEAT_S)

    by_a_rogue(attack)


def test_asking_for_the_same_again_and_again_ends_in_a_ban() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del stream
        payload = bytes(50_000)
        scene.victim.pubsub.publish(PLAIN, payload)
        (held,) = scene.victim.pubsub.router._state.cache.advertised()[PLAIN]  # noqa: SLF001
        before_bytes = scene.victim.host.usages.of(MESHSUB).sent_bytes

        def insist(stream: Stream) -> None:
            say(stream, control_field([iwant_field([held] * 100)]))

        await repeat_until_banned(scene, attacker, insist, times=40, pause_s=0.05)
        sent_bytes = scene.victim.host.usages.of(MESHSUB).sent_bytes - before_bytes
        assert sent_bytes < (PARAMETERS.retransmissions_max + 2) * len(payload)

    by_a_rogue(attack)


def test_refusing_everything_that_could_exist_is_bounded() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        with measured() as heap:
            for first in range(0, 18_000, 3_000):
                say(stream, control_field([idontwant_field(ids(first, 3_000))]))
                await asyncio.sleep(BEAT_S)
        assert heap.peak_bytes < 4 * MEBIBYTE
        peer = scene.victim.pubsub.router._state.peers[attacker.peer_id]  # noqa: SLF001
        spans = PARAMETERS.idontwant_ticks + 1
        assert len(peer.unwanted) <= spans * PARAMETERS.idontwant_ids_max

    by_a_rogue(attack)


def test_coming_back_into_the_mesh_too_early_ends_in_a_ban() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del stream
        graft, leave = graft_field(ROOT), prune_field(Prune(ROOT, (), 60))

        def come_and_go(stream: Stream) -> None:
            say(stream, SUBSCRIBE, control_field([graft]))
            say(stream, control_field([leave]))

        await repeat_until_banned(scene, attacker, come_and_go, times=40, pause_s=0.1)
        assert attacker.peer_id not in scene.victim.pubsub.router.mesh_peers(PLAIN)

    by_a_rogue(attack)


def test_storm_of_gossip_streams_leaves_one() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        for _ in range(400):
            intruder.open(proposal(MESHSUB))
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)
        assert connection.stream_count <= 4
        assert len(scene.victim.pubsub._ears) <= 2  # noqa: SLF001

    under_attack(attack)


def test_peer_that_never_lets_us_speak_is_given_up() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        stream_id = intruder.open(proposal(MESHSUB))
        intruder.say(
            carrying(stream_id, length_prefixed(SUBSCRIBE + control_field([graft_field(ROOT)])))
        )
        await asyncio.sleep(0.1)
        assert intruder.peer_id in scene.victim.pubsub.router.mesh_peers(PLAIN)
        await asyncio.sleep(scene.victim.host.times.negotiation_s)
        assert not scene.is_connected(intruder.peer_id)
        assert scene.victim.pubsub.router.report().peers == 1

    under_attack(attack)


def test_peers_that_a_trusted_peer_names_without_end_are_dialled_within_bounds() -> None:
    records = []
    for number in range(200):
        identity = identity_of(f"nobody {number}")
        place = Multiaddr.of_tcp(f"10.66.{number}.1", 1)
        records.append((identity.peer_id, PeerRecord(identity.peer_id, 1, (place,)).seal(identity)))

    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        scene.victim.pubsub.router.set_application_score(attacker.peer_id, 10_000)
        # Every dial under way has a task for the one address that is known.
        most = len(asyncio.all_tasks()) + DIALS_WAITING_MAX + DIALS_MAX + Limits().dials + 2
        for first in range(0, 200, 16):
            named = tuple(records[first : first + 16])
            say(stream, control_field([prune_field(Prune(ROOT, named, 60))]))
        for _ in range(50):
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) <= most

    by_a_rogue(attack)
