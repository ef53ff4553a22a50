"""Attacks with messages: forged, repeated, against the rules, or simply too many."""

import asyncio

import pytest

from p2p.gossip.events import Message, Verdict
from p2p.gossip.intake import COPIES_MAX, COPIES_SLACK
from p2p.stream import Stream
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import bytes_field
from tests.p2p.hostile.gossiping import (
    BEAT_S,
    MEBIBYTE,
    PARAMETERS,
    ROOT,
    by_a_rogue,
    forged,
    message,
    repeat_until_banned,
    say,
    signed,
)
from tests.p2p.hostile.scene import (
    JUDGED,
    PLAIN,
    SIGNED,
    UNSCORED,
    Rogue,
    Scene,
    measured,
)


@pytest.mark.parametrize("topic", [SIGNED, UNSCORED])
def test_forged_signatures_end_in_a_ban_long_before_an_rpc_of_them_is_verified(topic: str) -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        say(stream, *(forged(b"", topic=topic, seqno=number) for number in range(4_000)))
        await asyncio.sleep(BEAT_S)
        assert scene.is_banned(attacker.peer_id)
        assert scene.victim.pubsub.router.report().topics[topic].rejected < 30
        assert scene.victim.heard == []

    by_a_rogue(attack)


@pytest.mark.parametrize(
    "field",
    [
        signed(b"signed where nobody signs", topic=PLAIN),
        message(b"unsigned where all sign", topic=SIGNED),
        bytes_field(
            2, bytes_field(2, b"padded") + bytes_field(4, ROOT) + bytes_field(99, bytes(600))
        ),
    ],
    ids=["signed", "unsigned", "padded"],
)
def test_messages_against_the_policy_of_their_topic_end_in_a_ban(field: bytes) -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del stream
        tries = await repeat_until_banned(
            scene, attacker, lambda stream: say(stream, field), times=20, pause_s=BEAT_S
        )
        assert tries < 10
        assert scene.victim.heard == []

    by_a_rogue(attack)


def test_replays_are_heard_once_and_a_flood_of_them_ends_in_a_ban() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del stream
        field = signed(b"said once")

        def replay(stream: Stream) -> None:
            say(stream, *[field] * (4 * COPIES_SLACK))

        with measured() as heap:
            await repeat_until_banned(scene, attacker, replay, times=40, pause_s=BEAT_S)
        assert heap.peak_bytes < 2 * MEBIBYTE
        assert scene.victim.heard == [b"said once"]
        assert scene.victim.pubsub.router.report().seen < COPIES_MAX + 2

    by_a_rogue(attack)


def test_replay_after_the_ids_were_forgotten_is_not_heard_again() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        say(stream, signed(b"said once"))
        for _ in range(6):
            await asyncio.sleep(PARAMETERS.seen_ms / 1_000)
            say(await attacker.open(), signed(b"said once"))
        await asyncio.sleep(BEAT_S)
        assert scene.victim.heard == [b"said once"]

    by_a_rogue(attack)


def test_flood_of_new_messages_keeps_every_memory_within_its_bound() -> None:
    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        del attacker
        for first in range(0, 4_000, 500):
            say(stream, *(message(b"%d" % number) for number in range(first, first + 500)))
            await asyncio.sleep(BEAT_S)
        report = scene.victim.pubsub.router.report()
        assert report.seen <= 2 * PARAMETERS.seen_ids_max
        assert report.cache_bytes <= PARAMETERS.history_windows * 500 * 20
        assert report.outbox_bytes <= PARAMETERS.outbox_bytes_max

    by_a_rogue(attack)


def test_one_peer_cannot_take_the_validator_from_all_others() -> None:
    gate = asyncio.Event()

    async def ponder(message: Message, sender: PeerId) -> Verdict:
        del sender
        if message.payload.startswith(b"flood"):
            await gate.wait()
            return Verdict.REJECT
        return Verdict.ACCEPT

    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        scene.victim.pubsub.validate(JUDGED, ponder)
        share = PARAMETERS.pending_max // PARAMETERS.pending_share
        for number in range(share + 100):
            say(stream, message(b"flood %d" % number, topic=JUDGED))
        await asyncio.sleep(0.1)
        assert scene.victim.pubsub.router.report().pending == share
        scene.honest.pubsub.publish(JUDGED, b"honest")
        await asyncio.sleep(6)
        assert b"honest" in scene.victim.heard
        gate.set()
        for number in range(100):
            say(stream, message(b"flood again %d" % number, topic=JUDGED))
        await asyncio.sleep(2)
        assert scene.is_banned(attacker.peer_id)
        assert scene.victim.heard == [b"honest"]

    by_a_rogue(attack)


def test_message_that_crashes_a_validator_is_dropped_and_gossip_goes_on() -> None:
    async def crash(message: Message, sender: PeerId) -> Verdict:
        del sender
        if message.payload == b"honest":
            return Verdict.ACCEPT
        raise ZeroDivisionError(message.payload)

    async def attack(scene: Scene, attacker: Rogue, stream: Stream) -> None:
        scene.victim.pubsub.validate(JUDGED, crash)
        say(stream, message(b"boom", topic=JUDGED))
        await asyncio.sleep(0.1)
        scene.honest.pubsub.publish(JUDGED, b"honest")
        await asyncio.sleep(0.1)
        assert scene.victim.heard == [b"honest"]
        assert scene.is_connected(attacker.peer_id)

    by_a_rogue(attack)
