"""What a probe does with topics: hear what others publish; publish when enough of them listen."""

import asyncio
from typing import Final

from p2p.gossip.events import SubscriptionChanged
from p2p.gossip.topic import TopicRules
from p2p.host import Host
from p2p.probe.events import Emit, Published, Subscribed
from p2p.probe.inbox import Inbox
from p2p.probe.meter import Meter
from p2p.probe.payload import payload_of
from p2p.probe.plan import GossipPlan
from p2p.pubsub import PubSub
from p2p.wire.peer_id import PeerId, peer_id_text

BURST_BYTES: Final = 64 * 1024
"""What is published before we wait for it to leave: an outbox that overflows drops messages."""


class Topics:
    """The topics of one plan over a host."""

    def __init__(self, host: Host, plan: GossipPlan, *, inbox: Inbox, emit: Emit) -> None:
        rules = [
            TopicRules(name=name, policy=plan.policy, message_id=plan.message_id)
            for name in plan.topics
        ]
        protocols = [f"/meshsub/{version}.0" for version in plan.versions]
        self.pubsub = PubSub(host, rules, protocols=protocols)
        self._author = peer_id_text(host.peer_id)
        self._plan = plan
        self._inbox = inbox
        self._emit = emit
        self._listeners: dict[str, set[PeerId]] = {name: set() for name in plan.topics}
        self._has_listeners = asyncio.Event()
        self._look()
        self.pubsub.watch_subscriptions(self._note)

    def subscribe(self) -> None:
        """Hear all topics, unless the plan is only to publish."""
        if self._plan.is_subscriber:
            for name in self._plan.topics:
                self.pubsub.subscribe(name, self._inbox.take)

    async def publish(self) -> None:
        """Wait for listeners, then publish what the plan says and wait until it has left."""
        plan = self._plan
        await self._has_listeners.wait()
        await asyncio.sleep(plan.settle_s)
        if not plan.publish_count:
            return
        begun = Meter.read()
        unsent_bytes = 0
        for index in range(plan.publish_count):
            if plan.rate:
                due_s = begun.seconds + index / plan.rate
                await asyncio.sleep(max(0.0, due_s - Meter.read().seconds))
            payload = payload_of(self._author, index, size_bytes=plan.size_bytes)
            for name in plan.topics:
                self.pubsub.publish(name, payload)
                unsent_bytes += len(payload)
            if unsent_bytes >= BURST_BYTES:
                unsent_bytes = 0
                await self._breathe()
        await self._breathe()
        took = Meter.read().since(begun)
        self._emit(Published(plan.publish_count, took.seconds, took.cpu_s))

    async def _breathe(self) -> None:
        """Let what was published get out of the outboxes and onto its way."""
        await self.pubsub.drained()
        await asyncio.sleep(0)

    def _note(self, change: SubscriptionChanged) -> None:
        peer = peer_id_text(change.peer_id)
        self._emit(Subscribed(peer, change.topic, change.is_subscribed))
        listeners = self._listeners[change.topic]
        if change.is_subscribed:
            listeners.add(change.peer_id)
        else:
            listeners.discard(change.peer_id)
        self._look()

    def _look(self) -> None:
        if all(len(heard) >= self._plan.listeners_min for heard in self._listeners.values()):
            self._has_listeners.set()
