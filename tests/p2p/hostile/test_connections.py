"""Attacks of a peer that is connected: on yamux, on streams, on our patience with its reading."""

import asyncio

import pytest

from p2p.connection import STEP_COST_BYTES, UNREAD_BYTES_FREE
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.rpc_fields import subscription_field
from p2p.limits import Limits
from p2p.stream import Stream
from p2p.yamux.frames import ACK, NUMBER_MAX, PROTOCOL_ERROR, SYN
from p2p.yamux.limits import WINDOW_SIZE_BYTES, YamuxLimits
from tests.p2p.hostile.kit import Intruder, identity_of, proposal
from tests.p2p.hostile.scene import (
    CONNECTION_COST_BYTES,
    MESHSUB,
    PLAIN,
    Scene,
    measured,
    rogue,
    under_attack,
)
from tests.p2p.yamux.frames import (
    announcing,
    carrying,
    crediting,
    ending,
    opening,
    pinging,
    resetting,
)

HOLD = "/hold/1"
PING = "/ipfs/ping/1.0.0"
MEBIBYTE = 1024 * 1024
YAMUX = YamuxLimits()
LIMITS = Limits()
GOSSIP = GossipParameters()
SUBSCRIBE = subscription_field(PLAIN.encode(), is_subscribed=True)
SLOW = Limits(burst_bytes=4 * MEBIBYTE, bytes_per_s=4 * MEBIBYTE)
VERY_SLOW = Limits(burst_bytes=MEBIBYTE, bytes_per_s=MEBIBYTE)
SEALED_BYTE_SIZE_BYTES = 2 + 1 + 16
FEW_BYTES = Limits(unread_bytes_max=4 * MEBIBYTE)
FLIGHT_COST_BYTES = 256 * 1024
"""What a few thousand frames take while they are read."""
STREAM_COST_BYTES = 16 * 1024
"""What a stream that waits for its protocol may cost: its task above all."""


async def hold(stream: Stream) -> None:
    """Read nothing until the stream is lost."""
    await asyncio.get_running_loop().create_future()
    await stream.read()


def fill(intruder: Intruder, size_bytes: int) -> None:
    """Open a stream that nobody reads, and send so many bytes on it."""
    stream_id = intruder.open(proposal(HOLD))
    for _ in range(size_bytes // 32_768):
        intruder.say(carrying(stream_id, bytes(32_768)))


def unread_bytes(scene: Scene) -> int:
    return sum(connection.unread_bytes for connection in scene.victim.host.connections)


@pytest.mark.parametrize(
    "frames",
    [
        [opening(1), announcing(1, NUMBER_MAX)],
        [announcing(1, NUMBER_MAX, flags=SYN)],
        [opening(1), carrying(1, proposal(PING)), *[carrying(1, bytes(65_536))] * 4],
        [opening(2)],
        [opening(1), opening(1)],
        [pinging(7, flags=ACK)],
        [b"\1" + bytes(11)],
        [b"\0\7" + bytes(10)],
        [pinging(1, flags=SYN)] * 2_000,
        [opening(number) for number in range(1, 20_001, 2)],
    ],
    ids=[
        "4 GiB",
        "4 GiB at once",
        "over the window",
        "parity",
        "twice",
        "pong",
        "version",
        "type",
        "pings",
        "10,000 openings",
    ],
)
def test_frames_against_the_rules_cost_the_connection_and_the_third_time_the_place(
    frames: list[bytes],
) -> None:
    async def attack(scene: Scene) -> None:
        with measured() as heap:
            for _ in range(3):
                intruder = await scene.intrude()
                intruder.say(*frames)
                await asyncio.sleep(0.5)
                assert intruder.is_cut
                assert intruder.goodbye == PROTOCOL_ERROR
                await scene.check()
        assert heap.peak_bytes < YAMUX.inbound_streams * STREAM_COST_BYTES + CONNECTION_COST_BYTES
        assert scene.is_banned(identity_of("intruder").peer_id)

    under_attack(attack)


@pytest.mark.slow
def test_ten_thousand_openings_that_come_slowly_make_256_streams() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        with measured() as heap:
            for first in range(1, 20_001, 400):
                intruder.say(*(opening(number) for number in range(first, first + 400, 2)))
                await asyncio.sleep(0)
                assert connection.stream_count <= YAMUX.inbound_streams + 2
        assert heap.peak_bytes < YAMUX.inbound_streams * STREAM_COST_BYTES + CONNECTION_COST_BYTES

    under_attack(attack)


def test_streams_that_are_opened_and_given_up_at_once_are_a_flood() -> None:
    """The rapid reset of HTTP/2 (CVE-2023-44487): no stream is ever one too many."""

    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        for number in range(1, 4_001, 2):
            intruder.say(opening(number), resetting(number))
            await asyncio.sleep(0)
            if intruder.is_cut:
                break
        assert number < 2 * (LIMITS.streams_burst + 12 * LIMITS.streams_per_s)
        assert intruder.goodbye == PROTOCOL_ERROR

    under_attack(attack)


def test_streams_that_name_no_protocol_are_given_up_after_ten_seconds() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        for number in range(200):
            intruder.open(b"" if number % 2 else proposal("/")[:9])
        await asyncio.sleep(0.1)
        assert connection.stream_count >= 200
        await asyncio.sleep(scene.victim.host.times.negotiation_s)
        assert connection.stream_count <= 2

    under_attack(attack)


def test_streams_that_are_half_closed_hold_no_task_for_long() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        before = len(asyncio.all_tasks())
        for _ in range(200):
            stream_id = intruder.open(proposal(PING))
            intruder.say(ending(stream_id))
        await asyncio.sleep(12)
        assert connection.stream_count <= 2
        assert len(asyncio.all_tasks()) <= before + 2

    under_attack(attack)


@pytest.mark.parametrize("protocol", [PING, "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0"])
def test_flood_of_streams_of_one_protocol_has_two_places(protocol: str) -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        tasks = len(asyncio.all_tasks())
        with measured() as heap:
            for _ in range(YAMUX.inbound_streams + 20):
                intruder.open(proposal(protocol))
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)
        assert heap.peak_bytes < 2 * YAMUX.inbound_streams * STREAM_COST_BYTES
        # And one question to who pushed too often.
        assert len(asyncio.all_tasks()) <= tasks + YAMUX.inbound_streams + 1

    under_attack(attack)


def test_flood_of_pings_is_answered_slowly() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        stream_id = intruder.open(proposal(PING))
        for _ in range(7):
            intruder.say(carrying(stream_id, bytes(32) * 1_000))
        await asyncio.sleep(5)
        assert len(intruder.answers[stream_id]) < 32 * (1_000 + 6 * 100)
        assert unread_bytes(scene) <= WINDOW_SIZE_BYTES

    under_attack(attack)


def test_bytes_that_nobody_reads_are_bounded_for_all_connections_together() -> None:
    async def attack(scene: Scene) -> None:
        scene.victim.host.handle(HOLD, hold)
        intruders = []
        for number in range(8):
            intruders.append(await scene.intrude(name=f"{number}", ip=f"10.9.0.{number}"))
            for _ in range(1 + number):
                fill(intruders[-1], WINDOW_SIZE_BYTES - 32_768)
            await asyncio.sleep(0.1)
            bound = FEW_BYTES.unread_bytes_max + len(intruders) * UNREAD_BYTES_FREE
            assert unread_bytes(scene) <= bound
        # Who held most is gone, who held little stayed.
        assert not intruders[0].is_cut
        assert any(intruder.is_cut for intruder in intruders)

    under_attack(attack, limits=FEW_BYTES)


def test_one_connection_holds_no_more_than_its_bound() -> None:
    async def attack(scene: Scene) -> None:
        scene.victim.host.handle(HOLD, hold, streams_max=256)
        intruder = await scene.intrude()
        for _ in range(80):
            fill(intruder, WINDOW_SIZE_BYTES - 32_768)
            await asyncio.sleep(0)
            assert unread_bytes(scene) <= YAMUX.unread_bytes_max

    under_attack(attack)


@pytest.mark.slow
def test_bytes_that_come_two_by_two_cost_about_their_size() -> None:
    """On two streams in turn, or yamux would join them; kept one by one they cost 28 times."""

    async def attack(scene: Scene) -> None:
        scene.victim.host.handle(HOLD, hold)
        intruder = await scene.intrude()
        first, second = intruder.open(proposal(HOLD)), intruder.open(proposal(HOLD))
        await asyncio.sleep(0.1)
        pairs = (carrying(first, b"ab") + carrying(second, b"cd")) * 1_000
        with measured() as heap:
            for _ in range(10):
                intruder.say(pairs)
                await asyncio.sleep(0)
        size_bytes = 10 * 4_000
        assert unread_bytes(scene) >= size_bytes
        # Kept in pieces they would take a mebibyte.
        assert heap.peak_bytes < size_bytes + FLIGHT_COST_BYTES

    under_attack(attack)


@pytest.mark.parametrize(
    "frame",
    [announcing(99, 0), crediting(99, 1), resetting(99), ending(99)],
    ids=["empty", "credit", "reset", "end"],
)
def test_frames_that_mean_nothing_leave_nothing(frame: bytes) -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        with measured() as heap:
            for _ in range(10):
                intruder.say(frame * 1_000)
                await asyncio.sleep(0)
        assert heap.peak_bytes < CONNECTION_COST_BYTES

    under_attack(attack)


@pytest.mark.parametrize("deaf", ["stream", "channel"])
def test_peer_that_talks_on_and_reads_nothing_is_given_up_after_a_minute(deaf: str) -> None:
    async def attack(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            attacker.host.handlers.remove(MESHSUB)
            attacker.host.handle(MESHSUB, hold)
            stream = await attacker.open()
            stream.write_frame(SUBSCRIBE)
            await asyncio.sleep(0.1)
            connection = attacker.host.connections.of(scene.victim.host.peer_id)
            assert connection is not None
            if deaf == "channel":
                connection.channel.pause_reading()
            report = scene.victim.pubsub.router.report
            for second in range(80):
                if not scene.is_connected(attacker.peer_id):
                    break
                if second % 10 == 0:
                    # It talks on, so that it does not seem dead.
                    stream.write_frame(SUBSCRIBE)
                scene.victim.pubsub.publish(PLAIN, scene.victim.host.dice.randbytes(200_000))
                await asyncio.sleep(1)
                assert report().outbox_bytes <= 1.1 * GOSSIP.outbox_bytes_max
            assert second <= 70
            assert report().outbox_bytes < 0.1 * GOSSIP.outbox_bytes_max

    under_attack(attack)


def test_handlers_end_with_their_connection() -> None:
    async def attack(scene: Scene) -> None:
        scene.victim.host.handle(HOLD, hold)
        before = len(asyncio.all_tasks())
        intruder = await scene.intrude()
        for _ in range(40):
            intruder.open(proposal(HOLD))
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) >= before + 40
        intruder.leave()
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before

    under_attack(attack)


def test_handler_that_crashes_costs_the_peer_that_made_it_crash_and_nobody_else() -> None:
    async def crash(stream: Stream) -> None:
        raise ZeroDivisionError(await stream.read())

    async def attack(scene: Scene) -> None:
        scene.victim.host.handle("/crash/1", crash)
        intruder = await scene.intrude()
        intruder.open(proposal("/crash/1") + b"boom")
        await asyncio.sleep(0.1)
        assert not scene.is_connected(intruder.peer_id)

    under_attack(attack)


@pytest.mark.parametrize(
    "frame",
    [announcing(99, 0), crediting(99, 1), pinging(1, flags=SYN)],
    ids=["empty", "credit", "ping"],
)
def test_frames_without_a_body_are_paid_for_by_the_budget_of_bytes(frame: bytes) -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        for _ in range(20):
            intruder.say(frame * 1_000)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.8)
        # A burst, a second, and the chunk that went beyond.
        paid_for = 2 * SLOW.bytes_per_s // STEP_COST_BYTES + 1_000
        assert connection.traffic.received_bytes < (paid_for + 1_000) * len(frame)

    under_attack(attack, limits=SLOW)


def test_frames_of_a_byte_each_are_paid_for_by_the_budget_of_bytes() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        begun = connection.traffic.received_bytes
        for _ in range(4):
            intruder.say_pieces([crediting(99, 1)[n : n + 1] for n in range(12)] * 50)
            await asyncio.sleep(0.01)
        received = connection.traffic.received_bytes - begun
        assert received < VERY_SLOW.burst_bytes // STEP_COST_BYTES * 2 * SEALED_BYTE_SIZE_BYTES

    under_attack(attack, limits=VERY_SLOW)
