"""What peers say of themselves, whom we believe, and what we remember of it."""

from contextlib import AsyncExitStack, suppress

import pytest

from p2p.connection import Connection
from p2p.errors import ProtocolsRefusedError
from p2p.handlers import StreamHandler
from p2p.host import Host
from p2p.identify import (
    OBSERVED_MAX,
    OBSERVERS_MIN,
    ObservedAddresses,
    ask_identity,
    push_identity,
)
from p2p.identify_message import IDENTIFY_PROTOCOL, PUSH_PROTOCOL, IdentifyMessage
from p2p.stream import Stream
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.records import PeerRecord
from primitives.errors import PeerError, RemoteProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import (
    ECHO,
    Town,
    end_of,
    hold,
    identity_of,
    meet,
    now_s,
    pass_time,
    peer_of,
    place_of,
    until,
)

SEEN = Multiaddr.of_tcp("9.9.9.9", 4_001)


def says(message: IdentifyMessage) -> StreamHandler:
    async def say(stream: Stream) -> None:
        for part in message.encode_parts():
            stream.write_frame(part)

    return say


def replace_identify(host: Host, handler: StreamHandler) -> None:
    host.handlers.remove(IDENTIFY_PROTOCOL)
    host.handle(IDENTIFY_PROTOCOL, handler)


async def introduced(host: Host, peer: Host) -> IdentifyMessage:
    await until(lambda: host.introductions.of(peer.peer_id))
    message = host.introductions.of(peer.peer_id)
    assert message is not None
    return message


@in_virtual_time
async def test_both_sides_introduce_themselves_after_the_upgrade() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        of_far, of_near = await introduced(near, far), await introduced(far, near)
        assert of_far.public_key == identity_of(2).public_key_protobuf
        assert of_far.addresses == far.addresses
        assert of_far.observed == connection.local
        assert (of_far.agent_version, of_far.protocol_version) == ("peer/2", "hanse/1")
        assert {ECHO, IDENTIFY_PROTOCOL, PUSH_PROTOCOL} <= set(of_far.protocols)
        assert of_near.agent_version == "peer/1"
        assert of_near.observed == connection.remote
    assert town.diary(near).said == [(far.peer_id, of_far)]
    assert near.introductions.of(far.peer_id) is None


@in_virtual_time
async def test_addresses_and_signed_record_of_a_peer_are_kept() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        await near.connect(far.peer_id, far.addresses)
        await introduced(far, near)
        stored = far.peers.get(near.peer_id)
        assert stored is not None
        assert stored.addresses == near.addresses
        record = PeerRecord.open(stored.envelope)
        assert (record.peer_id, record.addresses) == (near.peer_id, near.addresses)


@in_virtual_time
async def test_record_of_another_peer_and_one_that_nobody_signed_are_not_kept() -> None:
    other = PeerRecord(peer_of(9), 5, (SEEN,)).seal(identity_of(9))
    town = Town()
    async with town.open(1) as near, town.open(2) as lying, town.open(3) as broken:
        replace_identify(lying, says(IdentifyMessage(signed_record=other)))
        replace_identify(broken, says(IdentifyMessage(signed_record=b"nonsense")))
        for peer in (lying, broken):
            await meet(near, peer)
            await introduced(near, peer)
            stored = near.peers.get(peer.peer_id)
            assert stored is not None
            assert stored.envelope == b""
        assert near.peers.get(peer_of(9)) is None
        assert near.connections.peers == (lying.peer_id, broken.peer_id)


@in_virtual_time
async def test_key_of_another_peer_is_a_violation() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        replace_identify(far, says(IdentifyMessage(public_key=identity_of(3).public_key_protobuf)))
        connection = await meet(near, far)
        with pytest.raises(RemoteProtocolError, match="another key"):
            await ask_identity(connection)
        assert near.introductions.of(far.peer_id) is None


@pytest.mark.parametrize("raw", [b"", b"\x05abc", b"\xff" * 20, b"\x04\x0a\x02\x08\x01"])
@in_virtual_time
async def test_message_that_cannot_be_read_is_a_violation(raw: bytes) -> None:
    async def say(stream: Stream) -> None:
        stream.write(raw)

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        replace_identify(far, say)
        with pytest.raises(RemoteProtocolError):
            await ask_identity(await meet(near, far))


@in_virtual_time
async def test_peer_that_does_not_say_who_it_is_in_five_seconds_is_not_waited_for() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        replace_identify(far, hold)
        connection = await meet(near, far)
        began_s = now_s()
        with pytest.raises(PeerError, match="too long"):
            await ask_identity(connection)
        assert 5 <= now_s() - began_s < 5.1
        assert connection.is_open


@in_virtual_time
async def test_peer_that_speaks_no_identify_stays_connected() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        far.handlers.remove(IDENTIFY_PROTOCOL)
        connection = await meet(near, far)
        with pytest.raises(ProtocolsRefusedError):
            await ask_identity(connection)
        await near.introductions.push(connection)
        await pass_time(1)
        assert connection.is_open


@in_virtual_time
async def test_endless_message_is_cut_off() -> None:
    async def flood(stream: Stream) -> None:
        while True:
            stream.write(bytes(10_000))
            await stream.drain()

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        replace_identify(far, flood)
        with pytest.raises(RemoteProtocolError, match="more than"):
            await ask_identity(await meet(near, far))
        assert near.usages.of(IDENTIFY_PROTOCOL).received_bytes < 1_000_000


@in_virtual_time
async def test_protocol_that_comes_later_is_pushed_to_all_peers() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        await meet(near, far)
        await introduced(near, far)
        await introduced(far, near)
        await pass_time(10)
        far.handle("/late/1", hold)
        await pass_time(2)
        assert "/late/1" in (await introduced(near, far)).protocols
        assert (await introduced(near, far)).public_key is not None
        far.handle("/later/1", hold)
        far.handle("/latest/1", hold)
        await pass_time(10)
        assert {"/later/1", "/latest/1"} <= set((await introduced(near, far)).protocols)
        assert far.usages.of(PUSH_PROTOCOL).outbound_streams == 2
    assert len(town.diary(near).said) == 3


@in_virtual_time
async def test_push_that_a_peer_does_not_take_costs_nothing_but_a_note() -> None:
    async def give_up(stream: Stream) -> None:
        stream.reset()

    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        near.handlers.remove(PUSH_PROTOCOL)
        near.handle(PUSH_PROTOCOL, give_up)
        connection = await meet(far, near)
        await introduced(far, near)
        await pass_time(10)
        far.handle("/late/1", hold)
        await pass_time(2)
        assert connection.is_open
        assert far.usages.of(PUSH_PROTOCOL).outbound_streams <= 1


@in_virtual_time
async def test_push_changes_what_it_names() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        before = await introduced(far, near)
        await push_identity(connection, IdentifyMessage(protocols=("/new/1",)))
        after = await introduced(far, near)
        assert after.protocols == ("/new/1",)
        assert (after.addresses, after.agent_version) == (before.addresses, before.agent_version)
        await pass_time(5)
        await push_identity(connection, IdentifyMessage(agent_version="renamed"))
        assert (await introduced(far, near)).agent_version == "renamed"


@in_virtual_time
async def test_peer_that_pushes_too_often_is_not_read_but_asked_once() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        true = await introduced(far, near)
        await push_identity(connection, IdentifyMessage(protocols=("/new/1",)))
        for _ in range(3):
            await push_identity(connection, IdentifyMessage(protocols=("/ignored/1",)))
        await pass_time(4)
        assert (await introduced(far, near)).protocols == ("/new/1",)
        await pass_time(2)
        assert (await introduced(far, near)).protocols == true.protocols
        assert far.usages.of(IDENTIFY_PROTOCOL).outbound_streams == 2


@in_virtual_time
async def test_peer_that_lies_when_asked_again_gets_a_strike() -> None:
    lie = IdentifyMessage(public_key=identity_of(9).public_key_protobuf)
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        connection = await meet(near, far)
        await introduced(far, near)
        replace_identify(near, says(lie))
        strikes = 0
        while not far.bans.is_banned(near.peer_id, now_ms=far.clock.monotonic_ms()):
            for _ in range(2):
                await push_identity(connection, IdentifyMessage())
            await pass_time(11)
            strikes += 1
        assert strikes <= 3


@in_virtual_time
async def test_push_before_any_answer_counts_as_one() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        replace_identify(near, hold)
        connection = await meet(near, far)
        await push_identity(connection, IdentifyMessage(agent_version="shy"))
        assert (await introduced(far, near)).agent_version == "shy"


@in_virtual_time
async def test_push_that_lies_is_a_strike() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        lie = IdentifyMessage(public_key=identity_of(9).public_key_protobuf)
        for _ in range(3):
            with suppress(PeerError):
                await push_identity(await meet(near, far), lie)
            await pass_time(6)
        assert far.bans.is_banned(near.peer_id, now_ms=far.clock.monotonic_ms())


@in_virtual_time
async def test_wildcard_is_announced_as_the_address_of_the_connection() -> None:
    town = Town()
    async with town.host(1, ip="0.0.0.0") as near, town.open(2) as far:  # noqa: S104 - made up
        await near.listen(place_of("0.0.0.0"))  # noqa: S104 - made up
        connection = await far_end(near, far)
        own = connection.local.tcp
        assert own is not None
        assert (await introduced(far, near)).addresses == (Multiaddr.of_tcp(own.host, 4_001),)


async def far_end(near: Host, far: Host) -> Connection:
    await near.connect(far.peer_id, far.addresses)
    return await end_of(near, far)


def test_address_counts_once_three_peers_of_different_networks_see_it() -> None:
    observed = ObservedAddresses()
    seers = ["10.1.0.1", "10.1.9.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"]
    news = [observed.note(SEEN, observer=place_of(seer)) for seer in seers]
    assert news == [False, False, False, True, False]
    assert observed.credible == (SEEN,)


def test_peers_on_this_machine_and_addresses_without_a_port_say_nothing() -> None:
    observed = ObservedAddresses()
    for number in range(OBSERVERS_MIN):
        assert not observed.note(SEEN, observer=place_of(f"127.0.{number}.1"))
        bare = Multiaddr.parse("/ip4/9.9.9.9")
        assert not observed.note(bare, observer=place_of(f"10.{number}.0.1"))
    assert observed.credible == ()


def test_addresses_seen_are_bounded_and_a_credible_one_stays() -> None:
    observed, other = ObservedAddresses(), Multiaddr.of_tcp("8.8.8.8", 4_001)
    for number in range(OBSERVERS_MIN):
        observed.note(SEEN, observer=place_of(f"10.{number}.0.1"))
    for number in range(OBSERVERS_MIN - 1):
        observed.note(other, observer=place_of(f"10.{number}.0.1"))
    for port in range(1, OBSERVED_MAX + 1):
        observed.note(Multiaddr.of_tcp("9.9.9.9", port), observer=place_of("10.0.0.1"))
    assert observed.credible == (SEEN,)
    assert not observed.note(other, observer=place_of("10.9.0.1")), "its observers were forgotten"


def test_when_all_addresses_are_credible_no_further_one_is_noted() -> None:
    observed = ObservedAddresses()
    for port in range(1, OBSERVED_MAX + 2):
        for number in range(OBSERVERS_MIN):
            observed.note(Multiaddr.of_tcp("9.9.9.9", port), observer=place_of(f"10.{number}.0.1"))
    assert len(observed.credible) == OBSERVED_MAX


@in_virtual_time
async def test_only_who_dialled_us_knows_where_we_listen() -> None:
    town = Town()
    async with AsyncExitStack() as stack:
        near = await stack.enter_async_context(town.open(1))
        for number in range(2, 2 + OBSERVERS_MIN):
            ip = f"10.{number}.0.1"
            far = await stack.enter_async_context(town.open(number, ip=ip))
            replace_identify(far, says(IdentifyMessage(observed=SEEN)))
            await meet(near, far)
            await introduced(near, far)
        assert not near.introductions.observed.credible
        for number in range(20, 20 + OBSERVERS_MIN):
            ip = f"10.{number}.0.1"
            far = await stack.enter_async_context(town.open(number, ip=ip))
            replace_identify(far, says(IdentifyMessage(observed=SEEN)))
            await meet(far, near)
            await introduced(near, far)
        assert near.introductions.observed.credible == (SEEN,)


@in_virtual_time
async def test_credible_address_is_announced() -> None:
    town = Town()
    async with town.open(1) as near, town.open(2) as far:
        for number in range(OBSERVERS_MIN):
            near.introductions.observed.note(SEEN, observer=place_of(f"10.{number}.0.1"))
        await meet(near, far)
        assert (await introduced(far, near)).addresses == (SEEN, *near.addresses)
