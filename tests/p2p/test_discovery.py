import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from p2p.discovery import Discovery, DiscoveryPlan
from p2p.host import Host
from p2p.peer_store import PEERS_MAX, PeerStore
from p2p.slots import STRANGERS
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import length_prefixed
from p2p.wire.records import PeerRecord
from p2p.wire.role import Direction
from primitives.errors import ConfigurationError
from tests.dsl.virtual_time import LoopClock, run_jumping
from tests.p2p.town import Town, identity_of, meet, pass_time, peer_of, place_of, until


@asynccontextmanager
async def searching(host: Host, plan: DiscoveryPlan) -> AsyncIterator[Discovery]:
    discovery = Discovery(host, plan)
    search = asyncio.ensure_future(discovery.run())  # noqa: TID251 - the context ends it below
    try:
        yield discovery
    finally:
        search.cancel()
        with suppress(asyncio.CancelledError):
            await search


def plan_of(*numbers: int, slots: int = 8) -> DiscoveryPlan:
    bootstrap = tuple(place_of(f"10.0.{n}.1").with_peer(peer_of(n)) for n in numbers)
    return DiscoveryPlan(chain="test", bootstrap=bootstrap, slots=slots)


def test_peers_of_a_bootstrap_peer_are_found_and_dialled() -> None:
    async def main() -> None:
        town = Town()
        async with (
            town.open(1) as first,
            town.open(2) as second,
            town.open(3) as third,
            searching(first, plan_of()),
            searching(second, plan_of(1)),
            searching(third, plan_of(1)),
        ):
            await until(lambda: len(third.connections.peers) == 2)
            assert set(third.connections.peers) == {first.peer_id, second.peer_id}

    run_jumping(main())


def test_search_stops_at_its_slots() -> None:
    async def main() -> None:
        town = Town()
        async with (
            town.open(1),
            town.open(2),
            town.open(3),
            town.open(9) as seeker,
            searching(seeker, plan_of(1, 2, 3, slots=2)),
        ):
            await pass_time(60)
            outbound = [c for c in seeker.connections if c.direction is Direction.OUTBOUND]
            assert len(outbound) == 2

    run_jumping(main())


def test_peer_that_is_down_is_dialled_again_when_its_back_off_is_over() -> None:
    async def main() -> None:
        town = Town()
        async with town.open(9) as seeker, searching(seeker, plan_of(1)):
            await pass_time(5)
            assert not seeker.connections.peers
            async with town.open(1) as late:
                await until(lambda: seeker.connections.of(late.peer_id) is not None)

    run_jumping(main())


def test_banned_peer_is_not_dialled() -> None:
    async def main() -> None:
        town = Town()
        async with town.open(1), town.open(9) as seeker:
            seeker.ban(peer_of(1), reason="test")
            async with searching(seeker, plan_of(1)):
                await pass_time(60)
            assert not seeker.connections.peers

    run_jumping(main())


@pytest.mark.parametrize("answer", [b"\x05abc", b"\x03abc"], ids=["cut off", "no record"])
def test_bad_answer_teaches_nothing_and_only_a_malformed_one_is_a_strike(answer: bytes) -> None:
    async def main() -> None:
        town = Town()
        async with town.open(1) as liar, town.open(9) as seeker:
            discovery = Discovery(seeker, plan_of())
            liar.handle("/test/req/peers/1", lambda stream: tell(stream, answer))
            connection = await meet(seeker, liar)
            known = len(seeker.peers)
            for _ in range(3):
                assert await discovery.ask(connection) == 0
            assert len(seeker.peers) == known
            is_banned = seeker.bans.is_banned(liar.peer_id, now_ms=seeker.clock.monotonic_ms())
            assert is_banned is (answer == b"\x05abc")

    run_jumping(main())


async def tell(stream: Stream, answer: bytes) -> None:
    await stream.read_frame(10)
    stream.write(b"\0")
    stream.write_frame(answer)


def test_bootstrap_peer_that_a_crowd_displaced_is_dialled_nevertheless() -> None:
    async def main() -> None:
        town = Town()
        async with town.open(9) as seeker, searching(seeker, plan_of(1)):
            await pass_time(1)
            for number in range(PEERS_MAX + 1):
                seeker.peers.answered(PeerId(b"crowd %d" % number), now_ms=2_000_000 + number)
            assert seeker.peers.get(peer_of(1)) is None
            async with town.open(1) as late:
                await until(lambda: seeker.connections.of(late.peer_id) is not None)

    run_jumping(main())


def test_peers_that_told_of_themselves_get_half_of_the_slots_even_once_they_answered() -> None:
    async def main() -> None:
        town = Town()
        async with AsyncExitStack() as stack:
            seeker = await stack.enter_async_context(town.open(9))
            for number in range(1, 9):
                stranger = await stack.enter_async_context(town.open(number, ip=f"10.{number}.0.1"))
                await meet(stranger, seeker)
            await pass_time(1)
            for connection in seeker.connections:
                await connection.close()
            await until(lambda: not seeker.connections.peers)
            await stack.enter_async_context(searching(seeker, plan_of(slots=4)))
            await pass_time(60)
            outbound = [c for c in seeker.connections if c.direction is Direction.OUTBOUND]
            assert len(outbound) == 2

    run_jumping(main())


def test_peers_of_the_last_run_are_dialled_without_being_told() -> None:
    async def main() -> None:
        town = Town()
        async with town.open(1) as far:
            last_run = PeerStore(peer_of(9))
            last_run.add_addresses(far.peer_id, far.addresses, now_ms=1)
            last_run.reached(far.peer_id)
            restored = PeerStore.decode(last_run.encode(), own=peer_of(9))
            async with (
                Host(
                    identity_of(9),
                    transports=(town.network.host("10.0.9.1"),),
                    clock=LoopClock(),
                    dice=random.Random(9),
                    peers=restored,
                ) as seeker,
                searching(seeker, plan_of()) as discovery,
            ):
                await until(lambda: seeker.connections.of(far.peer_id) is not None)
                assert discovery._held()[0].teller is None  # noqa: SLF001

    run_jumping(main())


@pytest.mark.parametrize("is_known", [True, False])
def test_teller_of_a_peer_is_who_led_us_to_it_and_not_who_brought_news(is_known: bool) -> None:
    place = place_of("10.0.2.1")
    record = PeerRecord(peer_of(2), 5, (place,)).seal(identity_of(2))

    async def main() -> None:
        town = Town()
        async with town.open(1) as teller, town.open(2), town.open(9) as seeker:
            teller.handle("/test/req/peers/1", lambda stream: tell(stream, length_prefixed(record)))
            if is_known:
                seeker.peers.add_addresses(peer_of(2), (place,), now_ms=1)
            discovery = Discovery(seeker, plan_of())
            assert await discovery.ask(await meet(seeker, teller)) == 1
            await seeker.connect(peer_of(2))
            tellers = [held.teller for held in discovery._held()]  # noqa: SLF001
            assert tellers == [STRANGERS, STRANGERS if is_known else teller.peer_id]

    run_jumping(main())


def test_bootstrap_address_without_a_peer_is_refused() -> None:
    plan = DiscoveryPlan(chain="test", bootstrap=(Multiaddr.parse("/ip4/10.0.0.1/tcp/1"),))
    with pytest.raises(ConfigurationError, match="does not end in /p2p/"):
        plan.check()
