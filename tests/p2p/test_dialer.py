"""Dials: addresses in turn, limits of time and number, and who joins whom."""

import asyncio

import pytest

from p2p.dialer import ADDRESSES_MAX
from p2p.errors import DialError
from p2p.host import Host
from p2p.identify_message import IDENTIFY_PROTOCOL
from p2p.limits import Limits, TimeLimits
from p2p.wire.multiaddr import Multiaddr
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import Town, meet, now_s, pass_time, peer_of, place_of, until

NOWHERE = place_of("10.9.9.9")
SILENT = place_of("10.8.8.8")


async def keep_silent(town: Town) -> None:
    """Open a door behind which nobody answers."""
    await town.network.host("10.8.8.8").listen(SILENT, lambda _: None)


async def failure_of(near: Host, number: int, *addresses: Multiaddr) -> str:
    with pytest.raises(DialError) as caught:
        await near.connect(peer_of(number), addresses)
    return str(caught.value)


@in_virtual_time
async def test_silent_addresses_in_front_cost_a_quarter_of_a_second_each() -> None:
    town = Town()
    await keep_silent(town)
    async with town.open(1) as near, town.open(2) as far:
        began_s = now_s()
        connection = await near.connect(far.peer_id, (NOWHERE, SILENT, SILENT, *far.addresses))
        assert 0.5 <= now_s() - began_s < 0.6
        assert connection.is_open
        assert connection.remote == far.addresses[0]


@in_virtual_time
async def test_failure_names_every_address_and_its_reason() -> None:
    town = Town()
    await keep_silent(town)
    async with town.open(1) as near:
        reason = await failure_of(near, 2, NOWHERE, SILENT)
        assert f"{NOWHERE}: cannot connect" in reason
        assert f"{SILENT}: no answer" in reason
        assert "no address" in await failure_of(near, 3)


@in_virtual_time
async def test_dial_of_many_silent_addresses_ends_in_time() -> None:
    town = Town()
    await keep_silent(town)
    async with town.open(1, times=TimeLimits(dial_s=5)) as near:
        began_s = now_s()
        silent = [SILENT.with_peer(peer_of(number)) for number in range(5)]
        assert "out of time" in await failure_of(near, 2, *silent)
        assert 5 <= now_s() - began_s < 5.5


@in_virtual_time
async def test_no_more_than_eight_addresses_are_tried() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        nowhere = [Multiaddr.of_tcp("10.9.9.9", port) for port in range(1, ADDRESSES_MAX + 1)]
        assert str(far.addresses[0]) not in await failure_of(near, 2, *nowhere, *far.addresses)


@in_virtual_time
async def test_addresses_out_of_reach_do_not_count_towards_the_eight() -> None:
    town = Town()
    quic = [Multiaddr.parse(f"/ip4/10.0.2.1/udp/{port}/quic-v1") for port in range(1, 20)]
    async with town.open(1) as near, town.open(2) as far:
        assert (await near.connect(far.peer_id, (*quic, *far.addresses))).is_open


@in_virtual_time
async def test_dial_that_the_peer_throws_out_at_once_is_a_failure() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.ban(near.peer_id, reason="rude", duration_ms=30_000)
        near.peers.add_addresses(far.peer_id, far.addresses, now_ms=1)
        stored = near.peers.get(far.peer_id)
        assert stored is not None
        for failures in (1, 2):
            connection = await near.connect(far.peer_id, far.addresses)
            await until(lambda: not near.connections.peers)
            assert connection.error is not None
            assert (stored.failures, stored.is_reached) == (failures, False)
            assert "the next is in" in await failure_of(near, 2, *far.addresses)
            await pass_time(2**failures + 0.1)
        await pass_time(30)
        await near.connect(far.peer_id, far.addresses)
        await until(lambda: stored.is_reached)
        assert stored.failures == 0


@in_virtual_time
async def test_dial_of_a_peer_that_does_not_say_who_it_is_succeeds_after_five_seconds() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handlers.remove(IDENTIFY_PROTOCOL)
        await meet(near, far)
        stored = near.peers.get(far.peer_id)
        assert stored is not None
        await pass_time(3)
        assert not stored.is_reached
        await pass_time(3.5)
        assert stored.is_reached


@in_virtual_time
async def test_peer_is_left_alone_longer_after_each_failure_until_it_answers() -> None:
    town = Town()
    async with town.open(1) as near:
        for wait_s in (2, 4, 8):
            await failure_of(near, 2, NOWHERE)
            assert "the next is in" in await failure_of(near, 2, NOWHERE)
            await pass_time(wait_s - 0.1)
            assert "the next is in" in await failure_of(near, 2, NOWHERE)
            await pass_time(0.2)
        async with town.open(2) as far:
            await (await meet(near, far)).close()
        await failure_of(near, 2, NOWHERE)
        await pass_time(2.1)
        assert "cannot connect" in await failure_of(near, 2, NOWHERE)


@in_virtual_time
async def test_dials_to_one_peer_at_a_time_are_one_dial() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        async with asyncio.TaskGroup() as dials:
            both = [dials.create_task(near.connect(far.peer_id, far.addresses)) for _ in range(3)]
        assert len({dial.result() for dial in both}) == 1
        assert len(near.connections) == 1


@in_virtual_time
async def test_who_joined_a_dial_that_fails_fails_too() -> None:
    town = Town()
    async with town.open(1) as near:
        async with asyncio.TaskGroup() as dials:
            both = [dials.create_task(failure_of(near, 2, NOWHERE)) for _ in range(2)]
        assert "a dial failed" in both[1].result()


@in_virtual_time
async def test_who_joined_a_dial_that_is_cancelled_dials_itself() -> None:
    town = Town()
    await keep_silent(town)
    async with town.open(1) as near, town.open(2) as far, asyncio.TaskGroup() as dials:
        first = dials.create_task(near.connect(far.peer_id, (SILENT,)))
        await pass_time(1)
        second = dials.create_task(near.connect(far.peer_id, far.addresses))
        await pass_time(1)
        first.cancel()
        connection = await second
        assert connection.is_open


@in_virtual_time
async def test_dials_wait_for_a_free_slot() -> None:
    town = Town()
    await keep_silent(town)
    times = TimeLimits(dial_address_s=6)
    async with (
        town.open(1, limits=Limits(dials=1), times=times) as near,
        town.open(3) as far,
        asyncio.TaskGroup() as dials,
    ):
        dials.create_task(failure_of(near, 2, SILENT))
        await asyncio.sleep(0)
        began_s = now_s()
        await near.connect(far.peer_id, far.addresses)
        assert 6 <= now_s() - began_s < 6.5
