import asyncio
from contextlib import ExitStack

import pytest

from node.chain.errors import SubscriberLagError
from node.chain.feed import RECEIPTS_WAITING_MAX, CommitExecuted, Feed
from node.ledger.receipt import Receipt, ReceiptStatus
from primitives.ids import CommitIndex, Digest, Epoch, Height, TimestampMs
from tests.dsl.virtual_time import in_virtual_time

ZEROS = Digest(bytes(32))
RECEIPT = Receipt(transaction_id=ZEROS, status=ReceiptStatus.DONE)


def event(height: int, *, receipts: int = 0) -> CommitExecuted:
    """Return an event that tells its height."""
    return CommitExecuted(
        epoch=Epoch(0),
        commit_index=CommitIndex(height),
        height=Height(height),
        time_ms=TimestampMs(0),
        digest=ZEROS,
        state_root=ZEROS,
        receipts=(RECEIPT,) * receipts,
        checkpoint=None,
        next_members=None,
    )


@in_virtual_time
async def test_events_come_in_order_to_every_subscriber() -> None:
    feed = Feed()
    with feed.subscribe() as one, feed.subscribe() as other:
        for height in range(3):
            feed.publish(event(height))
        for subscription in (one, other):
            assert [await anext(subscription) for _ in range(3)] == [event(n) for n in range(3)]


@in_virtual_time
async def test_subscriber_waits_for_the_next_event() -> None:
    feed = Feed()
    with feed.subscribe() as events:
        asyncio.get_running_loop().call_later(5, feed.publish, event(1))
        assert await anext(events) == event(1)


@in_virtual_time
async def test_who_falls_behind_is_told_and_nobody_else_is_delayed() -> None:
    feed = Feed()
    with feed.subscribe(size_max=2) as slow, feed.subscribe() as quick:
        for height in range(3):
            feed.publish(event(height))
        assert feed.subscriber_count == 1
        with pytest.raises(SubscriberLagError, match="more than 2 events wait") as caught:
            await anext(slow)
        assert caught.value.limit == 2
        assert [await anext(quick) for _ in range(3)] == [event(n) for n in range(3)]


@in_virtual_time
async def test_receipts_that_wait_are_bounded_together() -> None:
    feed = Feed()
    half = event(1, receipts=RECEIPTS_WAITING_MAX // 2 + 1)
    with feed.subscribe() as events:
        feed.publish(half)
        assert await anext(events) == half
        feed.publish(half)
        feed.publish(half)
        with pytest.raises(SubscriberLagError):
            await anext(events)


@in_virtual_time
async def test_one_great_event_is_not_too_much() -> None:
    feed = Feed()
    great = event(1, receipts=RECEIPTS_WAITING_MAX + 1)
    with feed.subscribe() as events:
        feed.publish(great)
        assert await anext(events) == great


@in_virtual_time
async def test_subscription_that_is_left_gets_nothing_more() -> None:
    feed = Feed()
    with ExitStack() as stack:
        stack.enter_context(feed.subscribe())
        assert feed.subscriber_count == 1
    feed.publish(event(1))
    assert feed.subscriber_count == 0


@in_virtual_time
async def test_waiting_ends_with_the_event_that_is_looked_for() -> None:
    feed = Feed()
    loop = asyncio.get_running_loop()
    for height in range(5):
        loop.call_later(height, feed.publish, event(height))
    wanted = event(3)
    assert await feed.wait_for(lambda found: found == wanted) == wanted
    assert feed.subscriber_count == 0
