"""Attacks on whoever reads the RPCs of a peer: lengths, counts, and topics nobody knows."""

import asyncio

import pytest

from p2p.gossip.frames import RPCS_PER_CHUNK_MAX
from p2p.gossip.rpc import ENTRIES_MAX, IDS_MAX
from p2p.gossip.rpc_fields import (
    control_field,
    iwant_field,
    subscription_field,
)
from p2p.gossip_streams import BURST_BYTES, RPC_COST_BYTES
from p2p.stream import Stream
from p2p.wire.protobuf import bytes_field, length_prefixed
from tests.p2p.hostile.gossiping import (
    BEAT_S,
    MEBIBYTE,
    ROOT,
    SUBSCRIBE,
    by_a_rogue,
    repeat_until_banned,
    say,
)
from tests.p2p.hostile.kit import VARINT_4_GIB
from tests.p2p.hostile.scene import (
    PLAIN,
    Rogue,
    Scene,
    measured,
)

BOMBS = {
    "4 GiB": VARINT_4_GIB,
    "length that never ends": b"\xff" * 12,
    "message of 4 GiB": length_prefixed(b"\x12" + VARINT_4_GIB),
    "no protobuf": length_prefixed(b"\x0f\x0f\x0f"),
    "groups": length_prefixed(b"\x1b" * 1_000_000),
    "entries": length_prefixed(SUBSCRIBE * (ENTRIES_MAX + 1)),
    "empty control": length_prefixed(control_field([b"\x1a\0"] * (ENTRIES_MAX + 1))),
    "ids": length_prefixed(control_field([iwant_field([b""] * (IDS_MAX + 1))])),
    "empty fields": length_prefixed(b"\x0a\0" * 500_000),
    "nested": length_prefixed(bytes_field(3, b"\x0a\x02" * 500_000)),
    "fields of a message": length_prefixed(bytes_field(2, b"\x12\0" * 400_000)),
    "peers": length_prefixed(control_field([bytes_field(4, b"\x12\0" * 500_000)])),
    "tiny rpcs": b"\x02\x1a\0" * (RPCS_PER_CHUNK_MAX * 4),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_bomb_costs_little_more_than_it_weighs_and_the_third_bans(bomb: bytes) -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        with measured() as heap:
            stream.write(bomb)
            await asyncio.sleep(BEAT_S)
        # The bytes exist a few times on their way; what is made of them is not many times more.
        assert heap.peak_bytes < 8 * len(bomb) + 2 * MEBIBYTE
        await scene.check()
        tries = await repeat_until_banned(
            scene, attacker, lambda stream: stream.write(bomb), times=3, pause_s=BEAT_S
        )
        assert tries <= 3

    by_a_rogue(attack)


def test_rpc_that_never_comes_whole_costs_its_bytes() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del attacker
        stream.write(length_prefixed(bytes(MEBIBYTE))[: MEBIBYTE - 1])
        with measured() as heap:
            await stream.drain(0)
            await asyncio.sleep(60)
        assert heap.peak_bytes < 2 * MEBIBYTE
        await scene.check()

    by_a_rogue(attack)


def test_subscriptions_to_topics_nobody_knows_leave_nothing() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        known = len(scene.victim.pubsub.router.report().topics)
        floods = [
            b"".join(
                subscription_field(b"%d" % number, is_subscribed=True)
                for number in range(first, first + ENTRIES_MAX)
            )
            for first in range(0, 2 * ENTRIES_MAX, ENTRIES_MAX)
        ]
        say(stream, SUBSCRIBE)
        with measured() as heap:
            for flood in floods:
                say(stream, flood)
                await asyncio.sleep(0.1)
            held_bytes = heap.peak_bytes
        assert held_bytes < 16 * len(floods[0])
        report = scene.victim.pubsub.router.report()
        assert len(report.topics) == known
        assert report.topics[PLAIN].subscribers == 2
        assert scene.is_connected(attacker.peer_id)

    by_a_rogue(attack)


def test_subscriptions_that_flap_cost_one_word_each() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del attacker
        changes = 0

        def count(_: object) -> None:
            nonlocal changes
            changes += 1

        scene.victim.pubsub.watch_subscriptions(count)
        leave = subscription_field(ROOT, is_subscribed=False)
        say(stream, (SUBSCRIBE + leave) * (ENTRIES_MAX // 2))
        await asyncio.sleep(0.1)
        assert changes == 0

    by_a_rogue(attack)


@pytest.mark.slow
def test_tiny_rpcs_are_paid_for_by_the_budget_of_gossip() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        connection = scene.victim.host.connections.of(attacker.peer_id)
        assert connection is not None
        for _ in range(BURST_BYTES // RPC_COST_BYTES // 4_000 + 2):
            stream.write(b"\x02\x1a\0" * 4_000)
            await asyncio.sleep(0.001)
        # It gets no credit until it has paid.
        assert connection.unread_bytes > 0
        await asyncio.sleep(2)
        assert connection.unread_bytes == 0

    by_a_rogue(attack)
