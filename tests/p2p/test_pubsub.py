"""Gossip between hosts: topics, streams, validators, and peers that are slow, lost or rude."""

import asyncio

import pytest
from structlog.testing import capture_logs

from p2p.gossip.events import Message, SubscriptionChanged, Verdict
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import control_field, prune_field, subscription_field
from p2p.gossip_streams import UNSENT_BYTES_MAX
from p2p.pubsub import MESH_PROTOCOLS, OPENING_PAUSES_S
from p2p.stream import Stream
from p2p.wire.peer_id import PeerId
from p2p.wire.protobuf import length_prefixed
from p2p.wire.records import PeerRecord
from primitives.errors import ConfigurationError, LocalProtocolError, PeerError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.club import JUDGED, NEWS, beside, club, two
from tests.p2p.town import hold, identity_of, meet, now_s, pass_time, peer_of, until


@in_virtual_time
async def test_message_reaches_the_other_once_and_not_its_author() -> None:
    async with two() as (one, other):
        assert one.pubsub.publish(NEWS, b"first") == 1
        assert other.pubsub.publish(NEWS, b"second") == 1
        await until(lambda: one.heard and other.heard)
        await pass_time(5)
        assert (one.heard, other.heard) == ([b"second"], [b"first"])
        assert one.pubsub.publish(NEWS, b"first") is None


@pytest.mark.parametrize("protocol", MESH_PROTOCOLS)
@in_virtual_time
async def test_every_version_of_meshsub_carries_messages(protocol: str) -> None:
    async with club() as members:
        one, other = await members.join(1), await members.join(2, protocols=(protocol,))
        await meet(one.host, other.host)
        await until(lambda: one.knows(other) and other.knows(one))
        one.pubsub.publish(NEWS, b"there")
        other.pubsub.publish(NEWS, b"back")
        await until(lambda: one.heard and other.heard)
        assert one.host.usages.of(protocol).outbound_streams == 1


@in_virtual_time
async def test_message_goes_through_a_third_peer() -> None:
    async with club() as members:
        first, middle, last = [await members.join(number) for number in (1, 2, 3)]
        await meet(first.host, middle.host)
        await meet(last.host, middle.host)
        await until(lambda: middle.knows(first, last))
        first.pubsub.publish(NEWS, bytes(900_000))
        await until(lambda: last.heard)
        assert last.heard == middle.heard == [bytes(900_000)]
        assert last.host.connections.of(first.host.peer_id) is None


@in_virtual_time
async def test_message_published_alone_reaches_who_comes_in_time() -> None:
    async with club() as members:
        one, other = await members.join(1), await members.join(2)
        assert one.pubsub.publish(NEWS, b"early") == 0
        await meet(one.host, other.host)
        await until(lambda: one.knows(other))
        assert one.pubsub.publish(NEWS, b"now") == 1
        await until(lambda: b"now" in other.heard)


@in_virtual_time
async def test_topic_that_nobody_knows_and_payload_above_the_limit_are_refused() -> None:
    async with club() as members:
        one = await members.join(1)
        with pytest.raises(LocalProtocolError):
            one.pubsub.publish("gossip about nothing", b"x")
        with pytest.raises(LocalProtocolError):
            one.pubsub.publish(NEWS, bytes(1_100_000))


@in_virtual_time
async def test_subscriptions_of_peers_are_told_as_they_change() -> None:
    async with two() as (one, other):
        changes: list[SubscriptionChanged] = []
        one.pubsub.watch_subscriptions(changes.append)
        other.pubsub.subscribe(JUDGED, other.hear)
        await until(lambda: changes)
        other.pubsub.unsubscribe(NEWS)
        await until(lambda: len(changes) == 2)
        peer = other.host.peer_id
        assert changes == [
            SubscriptionChanged(peer, JUDGED, is_subscribed=True),
            SubscriptionChanged(peer, NEWS, is_subscribed=False),
        ]
        assert not one.knows(other)
        one.pubsub.publish(NEWS, b"unheard")
        await pass_time(2)
        assert not other.heard


@pytest.mark.parametrize(
    ("verdict", "is_heard", "counter"),
    [
        (Verdict.ACCEPT, True, "delivered"),
        (Verdict.IGNORE, False, "ignored"),
        (Verdict.REJECT, False, "rejected"),
    ],
)
@in_virtual_time
async def test_validator_decides_what_is_heard(
    verdict: Verdict, is_heard: bool, counter: str
) -> None:
    asked: list[tuple[bytes, PeerId]] = []

    async def judge(message: Message, sender: PeerId) -> Verdict:
        asked.append((message.payload, sender))
        await asyncio.sleep(1)
        return verdict

    async with two(topic=JUDGED) as (one, other):
        other.pubsub.validate(JUDGED, judge)
        with pytest.raises(ConfigurationError):
            other.pubsub.validate(JUDGED, judge)
        one.pubsub.publish(JUDGED, b"claim")
        await pass_time(0.5)
        assert not other.heard
        await pass_time(1)
        assert asked == [(b"claim", one.host.peer_id)]
        assert bool(other.heard) is is_heard
        assert getattr(other.pubsub.router.report().topics[JUDGED], counter) == 1


@in_virtual_time
async def test_message_without_a_validator_is_ignored() -> None:
    async with two(topic=JUDGED) as (one, other):
        one.pubsub.publish(JUDGED, b"claim")
        await pass_time(1)
        assert not other.heard
        assert other.pubsub.router.report().topics[JUDGED].ignored == 1


@in_virtual_time
async def test_validator_that_takes_too_long_or_crashes_says_nothing() -> None:
    async def judge(message: Message, sender: PeerId) -> Verdict:
        if message.payload == b"crash":
            raise ZeroDivisionError
        await asyncio.sleep(1_000)
        return Verdict.ACCEPT

    async with two(topic=JUDGED) as (one, other):
        other.pubsub.validate(JUDGED, judge)
        with capture_logs() as logs:
            one.pubsub.publish(JUDGED, b"slow")
            one.pubsub.publish(JUDGED, b"crash")
            await pass_time(6)
        assert {line["event"] for line in logs} >= {"validator too slow", "validator crashed"}
        assert not other.heard
        assert other.pubsub.router.report().topics[JUDGED].ignored == 2
        assert one.host.connections.peers


@in_virtual_time
async def test_validators_that_still_run_end_with_the_service() -> None:
    started: list[bytes] = []

    async def judge(message: Message, sender: PeerId) -> Verdict:
        started.append(message.payload)
        await asyncio.sleep(4)
        return Verdict.ACCEPT

    began_s = now_s()
    async with two(topic=JUDGED) as (one, other):
        other.pubsub.validate(JUDGED, judge)
        one.pubsub.publish(JUDGED, b"claim")
        await until(lambda: started)
    assert now_s() - began_s < 10


@in_virtual_time
async def test_slow_peer_costs_a_bounded_outbox_and_others_hear_everything() -> None:
    async with club() as members:
        parameters = GossipParameters(outbox_bytes_max=300_000)
        author = await members.join(1, parameters=parameters)
        slow, fast = await members.join(2), await members.join(3)
        for reader in (slow, fast):
            await meet(reader.host, author.host)
        await until(lambda: author.knows(slow, fast))
        (stalled,) = slow.host.connections
        stalled.channel.pause_reading()
        for number in range(40):
            author.pubsub.publish(NEWS, number.to_bytes(4, "big") * 10_000)
            await pass_time(0.01)
        await until(lambda: len(fast.heard) == 40)
        report = author.pubsub.router.report()
        assert report.outbox_bytes <= 300_000 + 40_100
        assert report.outbox_dropped > 0
        assert stalled.error is None
        stalled.channel.resume_reading()
        await until(lambda: author.pubsub.router.report().outbox_bytes == 0)


@in_virtual_time
async def test_publisher_in_a_hurry_waits_until_all_is_in_the_streams() -> None:
    async with two() as (one, other):
        for number in range(20):
            one.pubsub.publish(NEWS, number.to_bytes(4, "big") * 25_000)
        assert one.pubsub.router.report().outbox_bytes > UNSENT_BYTES_MAX
        await one.pubsub.drained()
        assert one.pubsub.router.report().outbox_bytes == 0
        await until(lambda: len(other.heard) == 20)


@in_virtual_time
async def test_publisher_in_a_hurry_does_not_wait_for_a_peer_that_is_gone() -> None:
    async with two() as (one, other):
        (stalled,) = other.host.connections
        stalled.channel.pause_reading()
        for number in range(30):
            one.pubsub.publish(NEWS, number.to_bytes(4, "big") * 25_000)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(one.pubsub.drained())
            await pass_time(1)
            assert not waiting.done()
            stalled.channel.abort()
        await until(lambda: not one.host.connections.peers)


@in_virtual_time
async def test_peer_that_gives_our_stream_up_gets_another_and_our_topics_again() -> None:
    async with two() as (one, other):
        ear = other.pubsub._ears[one.host.peer_id]  # noqa: SLF001
        ear.give_up()
        await pass_time(2)
        assert one.host.usages.of(MESH_PROTOCOLS[0]).outbound_streams == 2
        one.pubsub.publish(NEWS, b"again")
        await until(lambda: other.heard)


@in_virtual_time
async def test_peer_that_opens_its_stream_anew_is_told_our_topics_again() -> None:
    told: list[bytes] = []

    async def listen(stream: Stream) -> None:
        while chunk := await stream.read():
            told.append(chunk)

    async with beside() as (reader, stranger):
        stranger.handle(MESH_PROTOCOLS[0], listen)
        connection = await meet(stranger, reader.host)
        for count in (1, 2):
            stream = await connection.open_stream([MESH_PROTOCOLS[0]])
            await until(lambda: reader.pubsub._ears)  # noqa: SLF001
            await pass_time(1)
            announced = length_prefixed(subscription_field(NEWS.encode(), is_subscribed=True))
            assert b"".join(told).count(announced) == count
            stream.reset()
            await until(lambda: not reader.pubsub._ears)  # noqa: SLF001
        assert connection.is_open


@in_virtual_time
async def test_peer_that_gives_every_stream_up_is_left_alone_after_some() -> None:
    async def give_up(stream: Stream) -> None:
        await pass_time(0.1)
        stream.reset()

    async with beside() as (reader, stranger):
        stranger.handle(MESH_PROTOCOLS[0], give_up)
        connection = await meet(reader.host, stranger)
        await pass_time(120)
        opened = reader.host.usages.of(MESH_PROTOCOLS[0]).outbound_streams
        assert opened == len(OPENING_PAUSES_S)
        assert connection.is_open


@in_virtual_time
async def test_stream_of_a_peer_that_comes_second_replaces_the_first() -> None:
    async with beside() as (reader, stranger):
        connection = await meet(stranger, reader.host)
        first = await connection.open_stream([MESH_PROTOCOLS[0]])
        await pass_time(0.1)
        second = await connection.open_stream([MESH_PROTOCOLS[0]])
        with pytest.raises(PeerError):
            await first.read()
        second.write_frame(b"")
        await pass_time(1)
        assert second.queued_bytes == 0
        assert len(reader.pubsub._ears) == 1  # noqa: SLF001
        second.reset()
        await until(lambda: not reader.pubsub._ears)  # noqa: SLF001


@in_virtual_time
async def test_peer_that_writes_to_our_stream_breaks_a_rule() -> None:
    async def babble(stream: Stream) -> None:
        stream.write(b"babble")
        await stream.read_to_end(100_000)

    async with beside() as (reader, stranger):
        stranger.handle(MESH_PROTOCOLS[0], babble)
        await meet(reader.host, stranger)
        bans = reader.host.bans
        await until(lambda: bans.is_banned(stranger.peer_id, now_ms=int(now_s() * 1_000)))


@in_virtual_time
async def test_half_closed_stream_is_ours_to_write_until_it_is_lost() -> None:
    streams: list[Stream] = []

    async def shut(stream: Stream) -> None:
        stream.close_write()
        streams.append(stream)
        await hold(stream)

    async with beside() as (reader, stranger):
        stranger.handle(MESH_PROTOCOLS[0], shut)
        await meet(reader.host, stranger)
        await until(lambda: streams)
        assert await streams[0].read(), "our subscriptions"
        streams[0].reset()
        await until(lambda: len(streams) == 2)


@in_virtual_time
async def test_peer_that_learns_gossip_later_is_spoken_to() -> None:
    async with beside() as (reader, stranger):
        await meet(reader.host, stranger)
        await pass_time(10)
        assert not reader.pubsub._mouths  # noqa: SLF001
        stranger.handle(MESH_PROTOCOLS[0], hold)
        await until(lambda: reader.pubsub._mouths)  # noqa: SLF001


@in_virtual_time
async def test_gossip_goes_on_over_the_other_connection_when_one_is_lost() -> None:
    async with club() as members:
        one, other = await members.join(1), await members.join(2)
        async with asyncio.TaskGroup() as dials:
            for near, far in ((one, other), (other, one)):
                dials.create_task(near.host.connect(far.host.peer_id, far.host.addresses))
        await until(lambda: one.knows(other) and other.knows(one))
        assert len(one.host.connections) == 2
        await pass_time(10)
        assert len(one.host.connections) == 1
        one.pubsub.publish(NEWS, b"there")
        other.pubsub.publish(NEWS, b"back")
        await until(lambda: one.heard and other.heard)


@in_virtual_time
async def test_connection_that_dies_before_our_stream_is_open_leaves_it_to_the_other() -> None:
    async with club() as members:
        one, other = await members.join(1), await members.join(2)
        first = await one.host.connect(other.host.peer_id, other.host.addresses)
        first.channel.pause_reading()
        # It dialled before it knew of the first.
        place = one.host.addresses[0]
        second = await other.host._dial_address(place, one.host.peer_id)  # noqa: SLF001
        await pass_time(1)
        first.channel.abort()
        await until(lambda: one.knows(other) and other.knows(one))
        assert second.is_open


@in_virtual_time
async def test_mesh_protects_its_peers_from_trims_until_they_leave() -> None:
    async with two() as (one, other):
        table = one.host.connections
        await pass_time(2)
        assert other.host.peer_id in table._protected  # noqa: SLF001
        one.pubsub.unsubscribe(NEWS)
        await pass_time(2)
        assert not table._protected  # noqa: SLF001
        one.pubsub.subscribe(NEWS, one.hear)
        await pass_time(30)
        assert other.host.peer_id in table._protected  # noqa: SLF001
        await one.host.disconnect(other.host.peer_id)
        await pass_time(2)
        assert not table._protected  # noqa: SLF001


@in_virtual_time
async def test_peer_that_a_trusted_one_names_in_a_prune_is_dialled() -> None:
    async with club() as members:
        reader = await members.join(1)
        stranger, named = [
            await members.stack.enter_async_context(members.town.open(number)) for number in (2, 3)
        ]
        record = PeerRecord(named.peer_id, 1, named.addresses).seal(identity_of(3))
        connection = await meet(stranger, reader.host)
        stream = await connection.open_stream([MESH_PROTOCOLS[0]])
        await until(lambda: reader.pubsub._ears)  # noqa: SLF001
        reader.pubsub.router.set_application_score(stranger.peer_id, 10_000)
        prune = prune_field(Prune(NEWS.encode(), ((named.peer_id, record),), 60))
        stream.write_frame(control_field([prune]))
        await until(lambda: reader.host.connections.of(named.peer_id))
        stream.reset()


@in_virtual_time
async def test_missing_direct_peer_is_dialled_and_a_dial_that_fails_does_no_harm() -> None:
    async with club() as members:
        parameters = GossipParameters(direct_dial_ticks=2)
        one = await members.join(1, direct=(peer_of(2), peer_of(3)), parameters=parameters)
        friend = await members.join(2)
        one.host.peers.add_addresses(friend.host.peer_id, friend.host.addresses, now_ms=1)
        await until(lambda: one.host.connections.of(friend.host.peer_id))
        await pass_time(10)


@in_virtual_time
async def test_peer_below_the_graylist_threshold_is_banned() -> None:
    async with two() as (one, other):
        one.pubsub.router.report_misbehaviour(other.host.peer_id, count=100)
        await until(lambda: not one.host.connections.peers)
        assert one.host.bans.is_banned(other.host.peer_id, now_ms=int(now_s() * 1_000))


@pytest.mark.parametrize("raw", [b"\xff" * 11, b"\x04\x12\x09ab", b"\xff\xff\xff\x7f"])
@in_virtual_time
async def test_stream_of_a_peer_that_sends_no_rpc_is_reset_and_the_peer_charged(raw: bytes) -> None:
    async with beside() as (reader, stranger):
        stranger.handle(MESH_PROTOCOLS[0], hold)
        connection = await meet(stranger, reader.host)
        stream = await connection.open_stream([MESH_PROTOCOLS[0]])
        stream.write(raw)
        with pytest.raises(PeerError):
            await stream.read()
        await pass_time(2)
        parts = reader.pubsub.router.scores().get(stranger.peer_id)
        assert parts is None or parts.behaviour <= 0
