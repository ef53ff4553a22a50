"""What an application does wrong must not cost gossip, and leaving waits for nobody."""

import asyncio

import pytest
from structlog.testing import capture_logs

from p2p.gossip.events import Deliver, Message, SubscriptionChanged, Verdict
from p2p.pubsub import PubSub
from p2p.wire.peer_id import PeerId
from primitives.errors import LocalProtocolError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.club import JUDGED, NEWS, RULES, Reader, club, two
from tests.p2p.town import meet, now_s, pass_time, peer_of, until


@in_virtual_time
async def test_subscription_to_an_unknown_topic_is_refused_and_leaves_nothing_behind() -> None:
    async with two() as (one, other):
        with pytest.raises(LocalProtocolError):
            one.pubsub.subscribe("gossip about nothing", one.hear)
        await pass_time(5)
        other.pubsub.publish(NEWS, b"still here")
        await until(lambda: one.heard)


@in_virtual_time
async def test_reader_that_crashes_costs_neither_the_sender_nor_those_behind() -> None:
    def crash(delivery: Deliver) -> None:
        raise ZeroDivisionError(delivery)

    async with club() as members:
        first, middle, last = [await members.join(number) for number in (1, 2, 3)]
        await meet(first.host, middle.host)
        await meet(last.host, middle.host)
        await until(lambda: middle.knows(first, last))
        middle.pubsub.subscribe(NEWS, crash)
        with capture_logs() as logs:
            for number in range(3):
                first.pubsub.publish(NEWS, b"%d" % number)
            await pass_time(5)
        assert [line["event"] for line in logs].count("callback crashed") == 3
        assert last.heard == [b"0", b"1", b"2"]
        assert len(middle.host.connections) == 2


@in_virtual_time
async def test_watcher_that_crashes_harms_nobody() -> None:
    def crash(change: SubscriptionChanged) -> None:
        raise ZeroDivisionError(change)

    async with two() as (one, other):
        changes: list[SubscriptionChanged] = []
        one.pubsub.watch_subscriptions(crash)
        one.pubsub.watch_subscriptions(changes.append)
        with capture_logs():
            other.pubsub.subscribe(JUDGED, other.hear)
            await until(lambda: changes)
        await pass_time(5)
        assert one.knows(other)


@in_virtual_time
async def test_crash_after_a_verdict_does_not_end_the_service() -> None:
    async def judge(message: Message, sender: PeerId) -> Verdict:
        del message, sender
        return Verdict.ACCEPT

    def crash(delivery: Deliver) -> None:
        raise ZeroDivisionError(delivery)

    async with two(topic=JUDGED) as (one, other):
        other.pubsub.validate(JUDGED, judge)
        other.pubsub.subscribe(JUDGED, crash)
        with capture_logs():
            one.pubsub.publish(JUDGED, b"claim")
            await pass_time(5)
        other.pubsub.subscribe(JUDGED, other.hear)
        one.pubsub.publish(JUDGED, b"again")
        await until(lambda: other.heard)


@in_virtual_time
async def test_direct_peer_is_protected_from_trims() -> None:
    async with club() as members:
        one = await members.join(1, direct=(peer_of(2),))
        friend = await members.join(2)
        await meet(one.host, friend.host)
        await pass_time(2)
        assert friend.host.peer_id in one.host.connections._protected  # noqa: SLF001


@in_virtual_time
async def test_leaving_waits_for_no_validator() -> None:
    ended: list[bytes] = []

    async def judge(message: Message, sender: PeerId) -> Verdict:
        del sender
        try:
            await asyncio.sleep(4)
        finally:
            ended.append(message.payload)
        return Verdict.ACCEPT

    async with club() as members:
        one = await members.join(1, topics=(JUDGED,))
        host = await members.stack.enter_async_context(members.town.open(2))
        async with PubSub(host, RULES) as pubsub:
            other = Reader(host, pubsub)
            pubsub.subscribe(JUDGED, other.hear)
            pubsub.validate(JUDGED, judge)
            await meet(one.host, host)
            await until(lambda: one.knows(other, topic=JUDGED))
            one.pubsub.publish(JUDGED, b"claim")
            await until(lambda: pubsub.router.report().pending)
            left_s = now_s()
        assert now_s() - left_s < 0.5
        assert ended == [b"claim"]
