"""Attacks on the protocols above the streams: identify, push, requests, and whom we remember."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from p2p.errors import RequestRefusedError
from p2p.identify import PUSH_INTERVAL_MS
from p2p.identify_message import (
    ADDRESSES_MAX,
    IDENTIFY_PROTOCOL,
    PROTOCOLS_MAX,
    PUSH_PROTOCOL,
    IdentifyMessage,
)
from p2p.peer_store import ADDRESSES_PER_PEER_MAX, PEERS_MAX, PeerStore
from p2p.request import IN_FLIGHT_MAX, RequestProtocol, RequestServer, ask_once
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, encode_public_key
from p2p.wire.protobuf import bytes_field, length_prefixed
from primitives.errors import PeerError, RemoteProtocolError
from tests.dsl.virtual_time import LoopClock
from tests.p2p.hostile.kit import VARINT_4_GIB, identity_of, proposal
from tests.p2p.hostile.scene import Scene, measured, rogue, under_attack
from tests.p2p.yamux.frames import carrying

KIBIBYTE = 1_024
MEBIBYTE = 1024 * KIBIBYTE
STATUS = RequestProtocol(name="/test/req/status/1")
OTHER_KEY = encode_public_key(identity_of("another").public_key)


def addresses(count: int) -> bytes:
    places = (Multiaddr.of_tcp(f"10.77.{n // 256}.{n % 256}", 1).encode() for n in range(count))
    return b"".join(bytes_field(2, place) for place in places)


@pytest.mark.parametrize(
    "said",
    [
        VARINT_4_GIB,
        length_prefixed(bytes(8 * KIBIBYTE + 1)),
        length_prefixed(b"") * 11,
        length_prefixed(b"\x1a\0" * 4_000),
        length_prefixed(b"\x0f"),
        length_prefixed(bytes_field(1, OTHER_KEY)),
        bytes(300 * KIBIBYTE),
    ],
    ids=["4 GiB", "large", "parts", "fields", "no protobuf", "another key", "endless"],
)
def test_identify_that_breaks_the_rules_is_a_strike_and_nothing_of_it_is_kept(said: bytes) -> None:
    async def lie(stream: Stream) -> None:
        stream.write(said)

    async def attack(scene: Scene) -> None:
        for _ in range(3):
            async with rogue(scene) as attacker:
                attacker.host.handlers.remove(IDENTIFY_PROTOCOL)
                attacker.host.handle(IDENTIFY_PROTOCOL, lie)
                with measured() as heap:
                    await attacker.host.connect(scene.victim.host.peer_id, (scene.door,))
                    await asyncio.sleep(1)
                assert heap.peak_bytes < 2 * MEBIBYTE
                assert scene.victim.host.introductions.of(attacker.peer_id) is None
        assert scene.is_banned(identity_of("rogue").peer_id)

    under_attack(attack)


def test_identify_that_never_ends_is_over_after_its_time() -> None:
    async def dawdle(stream: Stream) -> None:
        while True:
            stream.write(b"\x01")
            await asyncio.sleep(1)

    async def attack(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            attacker.host.handlers.remove(IDENTIFY_PROTOCOL)
            attacker.host.handle(IDENTIFY_PROTOCOL, dawdle)
            await attacker.host.connect(scene.victim.host.peer_id, (scene.door,))
            await asyncio.sleep(7)
            connection = scene.victim.host.connections.of(attacker.peer_id)
            assert connection is not None
            assert connection.stream_count <= 1

    under_attack(attack)


def test_what_is_kept_of_a_large_identify_is_bounded() -> None:
    parts = [addresses(300), b"".join(bytes_field(3, b"/p/%d" % n) for n in range(300))]

    async def boast(stream: Stream) -> None:
        for part in parts:
            stream.write_frame(part)

    async def attack(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            attacker.host.handlers.remove(IDENTIFY_PROTOCOL)
            attacker.host.handle(IDENTIFY_PROTOCOL, boast)
            await attacker.host.connect(scene.victim.host.peer_id, (scene.door,))
            await asyncio.sleep(1)
            message = scene.victim.host.introductions.of(attacker.peer_id)
            assert message is not None
            assert len(message.addresses) == ADDRESSES_MAX
            assert len(message.protocols) == PROTOCOLS_MAX
            stored = scene.victim.host.peers.get(attacker.peer_id)
            assert stored is not None
            assert len(stored.addresses) == ADDRESSES_PER_PEER_MAX

    under_attack(attack)


def test_storm_of_pushes_is_read_once_in_a_while() -> None:
    async def attack(scene: Scene) -> None:
        told = 0

        class Counter:
            def peer_connected(self, connection: object) -> None: ...

            def peer_disconnected(self, peer_id: PeerId) -> None: ...

            def peer_identified(self, peer_id: PeerId, message: IdentifyMessage) -> None:
                nonlocal told
                told += peer_id == attacker.peer_id

        async with rogue(scene) as attacker:
            await attacker.host.connect(scene.victim.host.peer_id, (scene.door,))
            await asyncio.sleep(1)
            scene.victim.host.watch(Counter())
            for number in range(100):
                stream = await attacker.open(PUSH_PROTOCOL)
                stream.write_frame(bytes_field(6, b"agent/%d" % number))
                stream.close_write()
                await asyncio.sleep(0.1)
            assert 1 <= told <= 1 + 10_000 // PUSH_INTERVAL_MS
            assert scene.is_connected(attacker.peer_id)

    under_attack(attack)


async def answer(peer_id: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
    del peer_id
    yield body


@pytest.mark.parametrize(
    "said",
    [VARINT_4_GIB, b"\xff" * 12, length_prefixed(bytes(STATUS.request_size_bytes_max + 1))],
    ids=["4 GiB", "endless length", "large"],
)
def test_request_with_a_length_against_the_rules_is_a_strike(said: bytes) -> None:
    async def attack(scene: Scene) -> None:
        server = RequestServer(STATUS, answer, clock=LoopClock())
        scene.victim.host.handle(STATUS.name, server.serve)
        async with rogue(scene) as attacker:
            for _ in range(3):
                with measured() as heap:
                    stream = await attacker.open(STATUS.name)
                    stream.write(said)
                    await asyncio.sleep(0.1)
                assert heap.peak_bytes < MEBIBYTE
            assert scene.is_banned(attacker.peer_id)

    under_attack(attack)


def test_requests_that_never_come_whole_hold_two_places_and_nobody_elses() -> None:
    async def attack(scene: Scene) -> None:
        server = RequestServer(STATUS, answer, clock=LoopClock())
        scene.victim.host.handle(STATUS.name, server.serve)
        intruder = await scene.intrude()
        half = length_prefixed(bytes(STATUS.request_size_bytes_max))[:-1]
        with measured() as heap:
            for _ in range(40):
                stream_id = intruder.open(proposal(STATUS.name))
                intruder.say(carrying(stream_id, half))
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)
        assert heap.peak_bytes < 2 * IN_FLIGHT_MAX * len(half) + 40 * 3 * 16 * KIBIBYTE
        connection = await scene.honest.host.connect(scene.victim.host.peer_id)
        assert await ask_once(connection, STATUS, b"honest") == b"honest"

    under_attack(attack)


def test_answers_that_are_not_read_end_and_stop_their_handler() -> None:
    made = 0

    async def stream_chunks(peer_id: PeerId, body: bytes) -> AsyncGenerator[bytes, None]:
        nonlocal made
        del peer_id, body
        while True:
            made += 1
            yield bytes(64 * KIBIBYTE)

    async def attack(scene: Scene) -> None:
        server = RequestServer(STATUS, stream_chunks, clock=LoopClock())
        scene.victim.host.handle(STATUS.name, server.serve)
        intruder = await scene.intrude()
        connection = scene.victim.host.connections.of(intruder.peer_id)
        assert connection is not None
        stream_id = intruder.open(proposal(STATUS.name))
        intruder.say(carrying(stream_id, length_prefixed(b"all")))
        await asyncio.sleep(5)
        # A window, what a stream may queue, and one chunk beyond.
        assert made * 64 <= 256 + 256 + 2 * 64
        await asyncio.sleep(8)
        assert connection.stream_count <= 1

    under_attack(attack)


def test_answer_of_4_gib_is_a_violation_of_who_answers() -> None:
    async def lie(stream: Stream) -> None:
        stream.write(b"\0" + VARINT_4_GIB)

    async def attack(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            attacker.host.handle(STATUS.name, lie)
            await attacker.open(PUSH_PROTOCOL)
            connection = scene.victim.host.connections.of(attacker.peer_id)
            assert connection is not None
            with measured() as heap, pytest.raises(RemoteProtocolError):
                await ask_once(connection, STATUS, b"?")
            assert heap.peak_bytes < MEBIBYTE

    under_attack(attack)


def test_refusal_with_a_long_story_is_cut_off() -> None:
    async def talk(stream: Stream) -> None:
        stream.write(b"\x03" + length_prefixed(bytes(257)))

    async def attack(scene: Scene) -> None:
        async with rogue(scene) as attacker:
            attacker.host.handle(STATUS.name, talk)
            await attacker.open(PUSH_PROTOCOL)
            connection = scene.victim.host.connections.of(attacker.peer_id)
            assert connection is not None
            with pytest.raises(PeerError) as caught:
                await ask_once(connection, STATUS, b"?")
            assert not isinstance(caught.value, RequestRefusedError)

    under_attack(attack)


def test_peers_that_only_came_to_us_do_not_displace_those_we_reached() -> None:
    store = PeerStore(identity_of("own").peer_id)
    reached = [identity_of(f"reached {number}").peer_id for number in range(20)]
    for peer_id in reached:
        store.answered(peer_id, now_ms=1)
        store.reached(peer_id)
    for number in range(2 * PEERS_MAX):
        store.answered(PeerId(b"\0$\x08\x01\x12 " + number.to_bytes(32, "big")), now_ms=2 + number)
    assert len(store) == PEERS_MAX
    assert all(store.get(peer_id) is not None for peer_id in reached)
