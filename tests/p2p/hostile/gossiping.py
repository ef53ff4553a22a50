"""What a peer says that attacks by gossip, and how often it may try."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from p2p.gossip.parameters import GossipParameters
from p2p.gossip.policy import signed_message, unsigned_message
from p2p.gossip.rpc_fields import (
    subscription_field,
)
from p2p.stream import Stream
from primitives.errors import PeerError
from tests.p2p.hostile.kit import identity_of
from tests.p2p.hostile.scene import (
    PLAIN,
    SIGNED,
    Rogue,
    Scene,
    rogue,
    under_attack,
)

PARAMETERS = GossipParameters()
MEBIBYTE = 1024 * 1024
ROOT = PLAIN.encode()
BEAT_S = PARAMETERS.heartbeat_ms / 1_000
SUBSCRIBE = subscription_field(ROOT, is_subscribed=True)

RogueAttack = Callable[[Scene, Rogue, Stream], Awaitable[None]]


def by_a_rogue(attack: RogueAttack) -> None:
    """Let a rogue with an open gossip stream attack a scene."""

    async def play(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            stream = await attacker.open()
            await asyncio.sleep(0.1)
            await attack(scene, attacker, stream)

    under_attack(play)


def say(stream: Stream, *fields: bytes) -> None:
    """Send one RPC of these fields."""
    stream.write_frame(b"".join(fields))


def message(payload: bytes, *, topic: str = PLAIN) -> bytes:
    return unsigned_message(payload, topic=topic.encode()).publish_field


def signed(payload: bytes, *, topic: str = SIGNED, seqno: int = 1) -> bytes:
    identity = identity_of("author")
    return signed_message(
        payload, topic=topic.encode(), seqno=seqno, identity=identity
    ).publish_field


def forged(payload: bytes, *, topic: str = SIGNED, seqno: int = 1) -> bytes:
    return signed(payload, topic=topic, seqno=seqno)[:-1] + b"!"


def ids(first: int, count: int) -> list[bytes]:
    return [number.to_bytes(20, "big") for number in range(first, first + count)]


async def repeat_until_banned(
    scene: Scene, attacker: Rogue, attempt: Callable[[Stream], None], *, times: int, pause_s: float
) -> int:
    """Try something again and again, on a new stream when the old one was taken; count how often.

    Fails when the attacker is not banned after so many times.
    """
    stream = await attacker.open()
    for count in range(1, times + 1):
        attempt(stream)
        await asyncio.sleep(pause_s)
        if scene.is_banned(attacker.peer_id):
            await asyncio.sleep(0.01)
            assert not scene.is_connected(attacker.peer_id)
            return count
        try:
            await stream.drain(0)
        except PeerError:
            stream = await attacker.open()
    pytest.fail("the attacker is not banned")
