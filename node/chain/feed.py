"""The feed: tells the parts of the node what became durable, in order.

Guards: publishing never waits; a subscriber that falls behind is told so and delays nobody. What
waits for one is bounded by events and by the receipts in them. Belongs to the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Self, TypeAlias

import msgspec

from node.chain.errors import SubscriberLagError
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.receipt import Receipt
from node.ledger.staking.records import Members
from primitives.ids import CommitIndex, Digest, Epoch, Height, TimestampMs

EVENTS_WAITING_MAX: Final = 1_024
RECEIPTS_WAITING_MAX: Final = 65_536
"""Of all events that wait for one subscriber: some 20 MB, which subscribers share."""


class CommitExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """A commit is durable.

    Args:
        epoch: of the commit.
        commit_index: in that epoch.
        height: after the commit.
        digest: of the commit.
        state_root: after it.
        receipts: in the order of execution.
        checkpoint: what validators sign, None for a commit that gets none.
        next_members: the committee of the next epoch, if this commit closed one.
    """

    epoch: Epoch
    commit_index: CommitIndex
    height: Height
    time_ms: TimestampMs
    digest: Digest
    state_root: Digest
    receipts: tuple[Receipt, ...]
    checkpoint: Checkpoint | None
    next_members: Members | None


class CertificateFormed(msgspec.Struct, frozen=True):
    """A certificate is durable; its checkpoint and all before it are final.

    Args:
        formed_ms: when this node knew it, by its own clock.
    """

    certificate: Certificate
    formed_ms: TimestampMs


ChainEvent: TypeAlias = CommitExecuted | CertificateFormed


class Subscription:
    """What waits for one subscriber; leave it to end it. One task reads from it."""

    def __init__(self, subscriptions: "set[Subscription]", *, size_max: int) -> None:
        self._subscriptions = subscriptions
        self._size_max = size_max
        self._waiting: deque[ChainEvent] = deque()
        self._receipts_waiting = 0
        self._is_lagging = False
        self._arrived = asyncio.Event()

    def __enter__(self) -> Self:
        self._subscriptions.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._subscriptions.discard(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChainEvent:
        """Wait for the next event.

        Raises:
            SubscriberLagError: some were missed; nothing more will come.
        """
        while not self._waiting and not self._is_lagging:
            self._arrived.clear()
            await self._arrived.wait()
        if self._is_lagging:
            raise SubscriberLagError(limit=self._size_max)
        event = self._waiting.popleft()
        self._receipts_waiting -= _receipt_count(event)
        return event

    @property
    def is_waiting(self) -> bool:
        """Tell whether the next event is there already."""
        return bool(self._waiting)

    def offer(self, event: ChainEvent) -> None:
        """Add an event; the feed does this."""
        self._receipts_waiting += _receipt_count(event)
        self._waiting.append(event)
        is_much = len(self._waiting) > 1 and self._receipts_waiting > RECEIPTS_WAITING_MAX
        if len(self._waiting) > self._size_max or is_much:
            self._is_lagging = True
            self._waiting.clear()
            self._subscriptions.discard(self)
        self._arrived.set()


class Feed:
    """Publishes events to whoever subscribes."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @property
    def subscriber_count(self) -> int:
        """Return how many subscribe now."""
        return len(self._subscriptions)

    def publish(self, event: ChainEvent) -> None:
        """Hand an event to every subscriber; never waits."""
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    def subscribe(self, *, size_max: int = EVENTS_WAITING_MAX) -> Subscription:
        """Return a subscription; enter it, and from then on every event comes to it."""
        return Subscription(self._subscriptions, size_max=size_max)

    async def wait_for(self, predicate: Callable[[ChainEvent], bool]) -> ChainEvent:
        """Return the next event that is looked for; bound the wait with `asyncio.timeout`.

        Nothing is missed between a look at the chain and this call if there is no await between.
        """
        with self.subscribe() as events:
            async for event in events:
                if predicate(event):
                    return event
        raise AssertionError("a subscription ends by an error only")


def _receipt_count(event: ChainEvent) -> int:
    return len(event.receipts) if isinstance(event, CommitExecuted) else 0
