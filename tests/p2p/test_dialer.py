"""Dials: addresses in turn, limits of time and number, and who joins whom."""

import asyncio

import pytest

from p2p.dialer import ADDRESSES_MAX
from p2p.errors import DialError
from p2p.host import Host
from p2p.limits import Limits, TimeLimits
from p2p.wire.multiaddr import Multiaddr
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import Town, meet, now_s, pass_time, peer_of, place_of

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
async def test_addresses_are_tried_in_turn_each_with_its_own_time() -> None:
    town = Town()
    await keep_silent(town)
    async with town.open(1) as near, town.open(2) as far:
        began_s = now_s()
        connection = await near.connect(far.peer_id, (NOWHERE, SILENT, *far.addresses))
        assert 6 <= now_s() - began_s < 6.5
        assert connection.is_open


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
    async with town.open(1) as near:
        began_s = now_s()
        silent = [SILENT.with_peer(peer_of(number)) for number in range(5)]
        assert "out of time" in await failure_of(near, 2, *silent)
        assert 10 <= now_s() - began_s < 10.5


@in_virtual_time
async def test_no_more_than_eight_addresses_are_tried() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        nowhere = [Multiaddr.of_tcp("10.9.9.9", port) for port in range(1, ADDRESSES_MAX + 1)]
        assert str(far.addresses[0]) not in await failure_of(near, 2, *nowhere, *far.addresses)


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
