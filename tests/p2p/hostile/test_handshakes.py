"""Attacks before anybody knows who is there: on the door, on multistream, on Noise."""

import asyncio

import pytest

from p2p.gate import Refusal
from p2p.limits import Limits
from p2p.noise.cipher import LENGTH_SIZE_BYTES
from tests.p2p.hostile.kit import HEADER, NOISE, VARINT_4_GIB, identity_of, proposal
from tests.p2p.hostile.scene import (
    ATTACKER_IP,
    CONNECTION_COST_BYTES,
    HONEST_IP,
    Scene,
    measured,
    node,
    under_attack,
)

LIMITS = Limits()
SMALL_HOUSE = Limits(connections_low=4, connections_high=6, connections_max=8, outbound_reserve=2)
KIBIBYTE = 1_024


async def newcomer_gets_in(scene: Scene) -> None:
    """Check that an honest peer that was not there before gets in at once."""
    async with node(scene.network, "newcomer", "10.3.0.1") as newcomer:
        async with asyncio.timeout(1):
            await newcomer.host.connect(scene.victim.host.peer_id, (scene.door,))
            await asyncio.sleep(0.1)
        assert scene.is_connected(newcomer.host.peer_id)


@pytest.mark.parametrize("said", [b"", HEADER[:7], HEADER + NOISE, HEADER + NOISE + b"\0\x20abc"])
def test_handshakes_that_never_end_keep_nobody_out(said: bytes) -> None:
    async def attack(scene: Scene) -> None:
        strangers = []
        for number in range(6 * LIMITS.pending_upgrades):
            stranger = await scene.knock(ip=f"10.9.{number // 4}.{number % 4}")
            stranger.say(said)
            strangers.append(stranger)
        await asyncio.sleep(0.1)
        pending = sum(not stranger.is_cut for stranger in strangers)
        assert pending == LIMITS.pending_upgrades
        await newcomer_gets_in(scene)
        await asyncio.sleep(scene.victim.host.times.upgrade_s + 1)
        assert all(stranger.is_cut for stranger in strangers)

    under_attack(attack)


def test_handshake_that_trickles_in_is_over_after_its_time() -> None:
    async def attack(scene: Scene) -> None:
        stranger = await scene.knock()
        for byte in HEADER + NOISE:
            stranger.say(bytes((byte,)))
            await asyncio.sleep(0.5)
        assert stranger.is_cut

    under_attack(attack)


def test_one_address_cannot_take_all_places_of_pending_handshakes() -> None:
    async def attack(scene: Scene) -> None:
        strangers = [await scene.knock() for _ in range(3 * LIMITS.pending_upgrades)]
        await asyncio.sleep(0.1)
        assert sum(not stranger.is_cut for stranger in strangers) == LIMITS.inbound_per_ip
        await newcomer_gets_in(scene)

    under_attack(attack)


def test_connections_that_come_and_go_are_refused_at_the_door() -> None:
    async def attack(scene: Scene) -> None:
        for _ in range(500):
            stranger = await scene.knock()
            stranger.leave()
            await asyncio.sleep(0)
        refusals = scene.victim.host.refusals
        assert refusals[Refusal.TOO_FAST] >= 500 - 2 * LIMITS.accepts_per_s
        await newcomer_gets_in(scene)

    under_attack(attack)


def test_one_address_has_few_connections_however_many_identities_it_has() -> None:
    async def attack(scene: Scene) -> None:
        intruders = []
        for number in range(LIMITS.inbound_per_ip):
            intruders.append(await scene.intrude(name=f"sybil {number}"))
            await asyncio.sleep(1)
        with pytest.raises(ConnectionError):
            await scene.intrude(name="one too many")
        assert not any(intruder.is_cut for intruder in intruders)
        assert scene.victim.host.refusals[Refusal.TOO_MANY_FROM_IP] == 1

    under_attack(attack)


def test_house_that_attackers_filled_has_room_again_once_they_are_no_longer_new() -> None:
    async def attack(scene: Scene) -> None:
        intruders = [
            await scene.intrude(name=f"sybil {number}", ip=f"10.9.{number}.1")
            for number in range(SMALL_HOUSE.connections_max - 1)
        ]
        stranger = await scene.knock(ip="10.8.0.1")
        await asyncio.sleep(0.1)
        assert stranger.is_cut
        assert scene.victim.host.refusals[Refusal.FULL] == 1
        await scene.check()
        await asyncio.sleep(SMALL_HOUSE.grace_s + 2)
        assert any(intruder.is_cut for intruder in intruders)
        await newcomer_gets_in(scene)

    under_attack(attack, limits=SMALL_HOUSE)


@pytest.mark.parametrize(
    "said",
    [
        VARINT_4_GIB,
        HEADER + VARINT_4_GIB,
        b"\xff\x07" + bytes(2_000),
        HEADER + NOISE + b"\xff\xff" + bytes(KIBIBYTE),
        HEADER + NOISE + b"\0\x20" + bytes(32),
        b"GET / HTTP/1.1\r\nHost: victim\r\nAccept: */*\r\nUser-Agent: somebody\r\n\r\n" * 2,
        bytes(range(256)) * 256,
        proposal("/unknown/1") + b"".join(b"\x03/%c\n" % letter for letter in range(65, 91)),
    ],
    ids=["4 GiB", "4 GiB later", "1 KiB", "noise", "zero key", "http", "noise bytes", "guesses"],
)
def test_garbage_instead_of_a_handshake_ends_it_and_the_third_time_bans(said: bytes) -> None:
    async def attack(scene: Scene) -> None:
        with measured() as heap:
            for _ in range(3):
                stranger = await scene.knock()
                stranger.say(said)
                await asyncio.sleep(0.1)
                assert stranger.is_cut
        assert heap.peak_bytes < CONNECTION_COST_BYTES
        assert scene.is_banned(ATTACKER_IP)
        stranger = await scene.knock()
        await asyncio.sleep(0.1)
        assert stranger.is_cut
        assert not stranger.heard
        assert scene.victim.host.refusals[Refusal.BANNED] == 1
        assert not scene.is_banned(HONEST_IP)

    under_attack(attack)


def test_unfinished_noise_message_costs_its_few_bytes() -> None:
    async def attack(scene: Scene) -> None:
        stranger = await scene.knock()
        with measured() as heap:
            stranger.say(HEADER + NOISE + b"\x0f\xff")
            for _ in range(4_000):
                stranger.say(b"x")
                await asyncio.sleep(0)
        assert heap.peak_bytes < 64 * KIBIBYTE

    under_attack(attack)


@pytest.mark.parametrize(
    "garbage",
    [bytes(100), b"\0\x05short", b"\xff\xff" + bytes(65_535)],
    ids=["zeros", "short", "long"],
)
def test_garbage_after_the_handshake_ends_the_connection_and_counts(garbage: bytes) -> None:
    async def attack(scene: Scene) -> None:
        for _ in range(3):
            intruder = await scene.intrude()
            intruder.say_bare(garbage)
            await asyncio.sleep(1)
            assert intruder.is_cut
        assert scene.is_banned(identity_of("intruder").peer_id)

    under_attack(attack)


def test_frame_that_never_comes_whole_costs_one_frame() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        with measured() as heap:
            intruder.say_bare(b"\xff\xff" + bytes(60_000))
            await asyncio.sleep(1)
        assert heap.peak_bytes < 4 * (LENGTH_SIZE_BYTES + 65_535)
        await asyncio.sleep(scene.victim.host.times.silence_s + 2)
        assert intruder.is_cut

    under_attack(attack)


def test_identities_that_are_used_up_one_after_the_other_cost_the_address() -> None:
    async def attack(scene: Scene) -> None:
        for number in range(9):
            if scene.is_banned(ATTACKER_IP):
                break
            for _ in range(3):
                intruder = await scene.intrude(name=f"sybil {number}")
                intruder.say_bare(bytes(100))
                await asyncio.sleep(1)
            assert scene.is_banned(identity_of(f"sybil {number}").peer_id)
        assert number == 3
        with pytest.raises(ConnectionError):
            await scene.intrude(name="one more")

    under_attack(attack)
