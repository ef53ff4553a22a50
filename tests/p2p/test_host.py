"""Hosts that find each other: who is let in, who has to go, who is told."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from p2p.channel import Channel
from p2p.errors import BannedPeerError, DialError, StreamResetError
from p2p.gate import Refusal
from p2p.host import Host
from p2p.limits import Limits
from p2p.penalties import BAN_MS
from p2p.stream import Stream
from p2p.transport import TcpTransport
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import ConfigurationError, PeerError, RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import (
    ECHO,
    HOLD,
    Town,
    end_of,
    into,
    ip_of_number,
    meet,
    now_s,
    pass_time,
    peer_of,
    place_of,
    until,
)


@in_virtual_time
async def test_two_hosts_connect_and_both_are_told_once() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        await meet(near, far)
        await meet(near, far)
        assert near.connections.peers == (far.peer_id,)
        assert far.connections.peers == (near.peer_id,)
    assert town.diary(near).came == town.diary(near).left == [far.peer_id]
    assert town.diary(far).came == town.diary(far).left == [near.peer_id]


@in_virtual_time
async def test_stream_to_a_known_peer_connects_first() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        near.peers.add_addresses(far.peer_id, far.addresses, now_ms=1)
        stream = await near.open_stream(far.peer_id, [ECHO])
        stream.write(b"hello")
        assert await stream.read() == b"hello"
        stream.reset()


@in_virtual_time
async def test_hosts_meet_over_tcp_too() -> None:
    town = Town()
    tcp = TcpTransport()
    async with town.host(1, transport=tcp) as near, town.host(2, transport=tcp) as far:
        await far.listen(Multiaddr.parse("/ip4/127.0.0.1/tcp/0"))
        far.handle(HOLD, into([]))
        connection = await near.connect(far.peer_id, far.addresses)
        await connection.open_stream([HOLD])
        assert len(far.connections) == 1
        await connection.close()


@in_virtual_time
async def test_host_says_goodbye_to_all_and_leaves_nothing_running() -> None:
    town = Town()
    async with town.open(1) as near:
        async with town.open(2) as far:
            connection = await meet(near, far)
            await connection.open_stream([HOLD])
        await until(lambda: connection.error)
        assert "goodbye" in str(connection.error)
        await until(lambda: not near.connections.peers)
        with pytest.raises(DialError):
            await near.connect(far.peer_id)


@in_virtual_time
async def test_error_of_whoever_uses_the_host_stays_what_it_is() -> None:
    town = Town()
    with pytest.raises(ConfigurationError, match="no transport reaches"):
        async with town.open(1) as host:
            await host.listen(Multiaddr.parse("/ip4/10.0.0.1/udp/1"))


@in_virtual_time
async def test_host_that_goes_down_waits_for_no_handshake() -> None:
    town = Town()
    began_s = now_s()
    async with town.open(1) as near, town.open(2):
        stranger = town.network.host("10.0.9.1")
        channel = await stranger.dial(place_of(ip_of_number(2)))
        await pass_time(1)
    assert now_s() - began_s < 2
    assert not near.connections.peers
    channel.abort()


@in_virtual_time
async def test_dial_that_ends_after_the_host_went_down_fails() -> None:
    town = Town()
    async with town.open(2) as far, AsyncExitStack() as stack:
        near = await stack.enter_async_context(town.open(1))
        async with asyncio.TaskGroup() as tasks:
            dial = tasks.create_task(expect_dial_error(near, far))
            for _ in range(4):
                await asyncio.sleep(0)
            await stack.aclose()
        assert "going down" in dial.result()
        await until(lambda: not far.connections.peers)


@in_virtual_time
async def test_peer_is_told_of_by_its_first_connection_even_when_two_begin_at_once() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        async with asyncio.TaskGroup() as dials:
            dials.create_task(near.connect(far.peer_id, far.addresses))
            dials.create_task(far.connect(near.peer_id, near.addresses))
        await pass_time(1)
        assert len(near.connections) == len(far.connections) == 2
        assert town.diary(near).came == [far.peer_id]
        assert town.diary(far).came == [near.peer_id]
        assert not town.diary(near).left


@in_virtual_time
async def test_duplicate_connections_resolve_to_the_same_one_on_both_sides() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        async with asyncio.TaskGroup() as dials:
            dials.create_task(near.connect(far.peer_id, far.addresses))
            dials.create_task(far.connect(near.peer_id, near.addresses))
        await pass_time(3)
        assert len(near.connections) == 2, "both live for a while"
        await pass_time(5)
        (ours,), (theirs,) = near.connections, far.connections
        assert ours.local == theirs.remote
        assert ours.is_open
        smaller = min(near.peer_id, far.peer_id)
        is_ours = ours.direction.value == "outbound"
        assert (near.peer_id if is_ours else far.peer_id) == smaller
        assert not town.diary(near).left


@in_virtual_time
async def test_connection_that_is_closing_is_not_used() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        first = await meet(near, far)
        stream = await first.open_stream([HOLD])
        stream.write(bytes(500_000))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first.close())
            await pass_time(0.1)
            second = await near.connect(far.peer_id)
            assert second is not first
            assert near.connections.of(far.peer_id) is second


@in_virtual_time
async def test_wrong_peer_is_refused_and_named() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        with pytest.raises(DialError, match=r"10\.0\.2\.1"):
            await near.connect(peer_of(3), far.addresses)
        assert not near.connections.peers
        await until(lambda: not far.connections.peers)


@in_virtual_time
async def test_host_that_reaches_itself_hangs_up() -> None:
    town = Town()
    async with town.open(1) as near:
        with pytest.raises(DialError):
            await near.connect(near.peer_id, near.addresses)


@in_virtual_time
async def test_address_that_no_transport_reaches_is_passed_over() -> None:
    town = Town()
    quic = Multiaddr.parse("/ip4/10.0.2.1/udp/4001/quic-v1")
    async with town.open(1) as near, town.open(2) as far:
        connection = await near.connect(far.peer_id, (quic, *far.addresses))
        assert connection.is_open
        with pytest.raises(DialError, match="no transport"):
            await near.connect(peer_of(3), (quic,))
        with pytest.raises(ConfigurationError, match="no transport"):
            await near.listen(quic)


@in_virtual_time
async def test_banned_peer_is_cut_off_and_refused_until_the_ban_ends() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        far.ban(near.peer_id, reason="rude", duration_ms=60_000)
        await until(lambda: connection.error)
        await until(lambda: not far.connections.peers)
        with pytest.raises(BannedPeerError):
            await far.connect(near.peer_id, near.addresses)
        with suppress(PeerError):
            late = await near.connect(far.peer_id)
            await until(lambda: late.error)
        assert not far.connections.peers
        await pass_time(61)
        assert (await far.connect(near.peer_id, near.addresses)).is_open


@in_virtual_time
async def test_third_violation_bans_a_peer_for_ten_minutes() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        for _ in range(2):
            await meet(near, far)
            far.blame(near.peer_id, RemoteProtocolError("nonsense", peer="p"))
        assert far.connections.peers
        far.blame(near.peer_id, StreamResetError("no violation", peer="p"))
        far.blame(near.peer_id, RemoteProtocolError("nonsense", peer="p"))
        assert far.bans.is_banned(near.peer_id, now_ms=far.clock.monotonic_ms())
        await until(lambda: not far.connections.peers)
        await pass_time(BAN_MS / 1_000)
        assert not far.bans.is_banned(near.peer_id, now_ms=far.clock.monotonic_ms())


@in_virtual_time
async def test_handler_that_blames_its_peer_earns_it_a_strike() -> None:
    async def refuse(stream: Stream) -> None:
        raise RemoteProtocolError("nonsense", peer=stream.peer)

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handle("/refuse/1", refuse)
        connection = await meet(near, far)
        for _ in range(3):
            with suppress(PeerError):
                stream = await connection.open_stream(["/refuse/1"])
                await stream.read()
        await until(lambda: far.bans.is_banned(near.peer_id, now_ms=far.clock.monotonic_ms()))
        await until(lambda: connection.error)


@in_virtual_time
async def test_disconnect_says_goodbye_to_one_peer() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two, town.open(3) as three:
        await meet(one, two)
        await meet(one, three)
        await one.disconnect(two.peer_id)
        await until(lambda: one.connections.peers == (three.peer_id,))
        assert town.diary(one).left == [two.peer_id]


@in_virtual_time
async def test_surplus_is_trimmed_to_the_low_mark_the_worst_first() -> None:
    town = Town()
    limits = Limits(connections_low=3, connections_high=5, grace_s=10)
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(town.open(100, limits=limits))
        guests = [await stack.enter_async_context(town.open(number)) for number in range(1, 7)]
        for guest in guests:
            await meet(guest, hub)
        hub.score_of = {guest.peer_id: index for index, guest in enumerate(guests)}.__getitem__
        hub.connections.protect(guests[0].peer_id, "friend")
        await pass_time(5)
        assert len(hub.connections) == 6, "none is older than the grace"
        await pass_time(10)
        stayed = {guests[index].peer_id for index in (0, 4, 5)}
        assert set(hub.connections.peers) == stayed


@in_virtual_time
async def test_one_address_gets_four_connections_at_a_time_and_its_network_sixteen() -> None:
    town = Town()
    async with town.open(100) as hub:
        entered = [await come_in(town, f"10.7.7.{ip}") for ip in range(1, 6) for _ in range(4)]
        await pass_time(0.1)
        assert hub.refusals == {Refusal.TOO_MANY_FROM_SUBNET: 4}
        entered.append(await come_in(town, "10.7.7.1"))
        await pass_time(0.1)
        assert hub.refusals[Refusal.TOO_MANY_FROM_IP] == 1
        for channel in entered:
            channel.abort()
        await pass_time(2)
        entered = [await come_in(town, "10.7.7.1") for _ in range(4)]
        await pass_time(0.1)
        assert hub.refusals.total() == 5
        for channel in entered:
            channel.abort()


@in_virtual_time
async def test_full_host_lets_nobody_in() -> None:
    town = Town()
    limits = Limits(connections_max=1)
    async with town.open(1) as one, town.open(2) as two, town.open(3, limits=limits) as full:
        await meet(one, full)
        with pytest.raises(DialError):
            await two.connect(full.peer_id, full.addresses)
        assert full.refusals == {Refusal.FULL: 1}


@in_virtual_time
async def test_more_connections_to_one_peer_than_the_limit_are_hung_up() -> None:
    town = Town()
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(town.open(100, limits=Limits(connections_per_peer=2)))
        twins = [
            await stack.enter_async_context(town.open(1, ip=f"10.0.{number}.1"))
            for number in range(1, 4)
        ]
        connections = [await twin.connect(hub.peer_id, hub.addresses) for twin in twins]
        await pass_time(1)
        assert [connection.is_open for connection in connections] == [True, True, False]
        assert hub.connections.count(peer_of(1)) == 2


@in_virtual_time
async def test_three_broken_handshakes_ban_an_address() -> None:
    town = Town()
    async with town.open(1) as host:
        for _ in range(3):
            channel = await come_in(town, "66.0.66.1", door=1)
            channel.start(Deaf())
            channel.write(b"\xff" * 100)
            await pass_time(1)
        assert host.bans.is_banned("66.0.66.1", now_ms=host.clock.monotonic_ms())
        (await come_in(town, "66.0.66.1", door=1)).abort()
        assert host.refusals == {Refusal.BANNED: 1}


@in_virtual_time
async def test_private_address_is_not_banned_since_a_proxy_may_stand_there() -> None:
    town = Town()
    async with town.open(1) as host:
        for _ in range(4):
            channel = await come_in(town, "172.17.0.1", door=1)
            channel.start(Deaf())
            channel.write(b"\xff" * 100)
            await pass_time(1)
        assert not host.bans.is_banned("172.17.0.1", now_ms=host.clock.monotonic_ms())


@in_virtual_time
async def test_ban_of_one_peer_is_one_strike_of_its_address_however_many_connections() -> None:
    town = Town()
    async with town.open(100) as hub, AsyncExitStack() as stack:
        for _ in range(3):
            twin = town.host(1, ip="66.0.66.1")
            await stack.enter_async_context(twin)
            await twin.connect(hub.peer_id, hub.addresses)
        await until(lambda: hub.connections.count(peer_of(1)) == 3)
        hub.ban(peer_of(1), reason="rude")
        assert not hub.bans.is_banned("66.0.66.1", now_ms=hub.clock.monotonic_ms())


@in_virtual_time
async def test_dial_of_an_open_connection_returns_it() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        assert await near.connect(far.peer_id) is connection
        assert await far.connect(near.peer_id) is await end_of(far, near)


@in_virtual_time
async def test_failed_dials_are_counted_until_one_succeeds() -> None:
    town = Town()
    async with town.open(1) as near:
        for failures in (1, 2):
            with pytest.raises(DialError):
                await near.connect(peer_of(2), (place_of("10.0.2.1"),))
            stored = near.peers.get(peer_of(2))
            assert stored is not None
            assert stored.failures == failures
            with pytest.raises(DialError, match="the next is in"):
                await near.connect(peer_of(2))
            assert stored.failures == failures, "that was no dial"
            await pass_time(5)
        async with town.open(2) as far:
            await meet(near, far)
            stored = near.peers.get(peer_of(2))
            assert stored is not None
            await until(lambda: stored.failures == 0)


class Deaf:
    """A receiver that does not listen."""

    def bytes_received(self, chunk: bytes) -> None:
        pass

    def writing_resumed(self) -> None:
        pass

    def channel_ended(self, error: Exception | None) -> None:
        pass


async def come_in(town: Town, ip: str, *, door: int = 100) -> Channel:
    """Open a channel to a host from an address, and say nothing."""
    return await town.network.host(ip).dial(place_of(ip_of_number(door)))


async def expect_dial_error(near: Host, far: Host) -> str:
    with pytest.raises(DialError) as caught:
        await near.connect(far.peer_id, far.addresses)
    return str(caught.value)
