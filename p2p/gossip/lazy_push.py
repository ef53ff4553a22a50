"""Tell peers outside the mesh what there is, and fetch what the mesh did not bring.

IHAVE, IWANT, IDONTWANT and promises: a peer that advertises has to deliver within three seconds.
Source: gossipsub-v1.0 "Gossip", v1.1 "Spam Protection Measures", v1.2 "IDONTWANT".
"""

from collections.abc import Iterable
from typing import Final

from p2p.gossip.peer import Peer
from p2p.gossip.rpc_fields import ihave_field, iwant_field
from p2p.gossip.state import RouterState
from p2p.gossip.topic import Topic
from p2p.wire.peer_id import PeerId

REQUESTS_MAX: Final = 10
"""Times that a peer may ask for one message; beyond what is sent, it still costs nothing."""
IHAVE_FLOOD_FACTOR: Final = 3
"""Times more RPCs than are read that cost nothing: those of two seconds in which we stood still."""


class _Promise:
    """A message that was advertised, and until when it has to come from whom."""

    __slots__ = ("topic", "waiting")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.waiting: dict[PeerId, int] = {}


class LazyPush:
    """The lazy half of gossipsub."""

    def __init__(self, state: RouterState) -> None:
        self._state = state
        self._scores = state.scores
        self._seen = state.seen
        self._cache = state.cache
        self._parameters = state.parameters
        self._dice = state.dice
        # By id, since whoever brings the message keeps the promise for all.
        self._promises: dict[bytes, _Promise] = {}
        self.broken_promises = 0

    def on_ihave(
        self, peer: Peer, offers: Iterable[tuple[bytes, list[bytes]]], *, now_ms: int
    ) -> None:
        """Ask for what we have not seen of the topics we are in."""
        parameters = self._parameters
        # Counted below the threshold too: there a flood would cost nothing more than it has.
        peer.ihave_rpcs += 1
        if peer.ihave_rpcs > parameters.ihave_rpcs_max:
            if peer.ihave_rpcs == IHAVE_FLOOD_FACTOR * parameters.ihave_rpcs_max + 1:
                # Once a heartbeat: below, what came may have waited for us while we were busy.
                self._scores.misbehaved(peer.stats)
            return
        if peer.stats.score < parameters.score.gossip_threshold:
            return
        seen = self._seen
        unseen: dict[bytes, Topic] = {}
        for raw, message_ids in offers:
            topic = self._state.topics_by_raw.get(raw)
            if topic is not None and topic.is_subscribed:
                unseen.update(
                    (message_id, topic)
                    for message_id in message_ids[: parameters.ids_per_ihave_max]
                    if message_id not in seen
                )
        allowed = min(len(unseen), parameters.ids_asked_max - peer.ids_asked)
        if allowed <= 0:
            return
        asked = self._dice.sample(list(unseen), allowed)
        if peer.outbox.gossip(iwant_field(asked)):
            # Who was not asked, because it does not read, breaks no promise.
            peer.ids_asked += allowed
            until_ms = now_ms + parameters.promise_ms
            self._promise(peer.peer_id, asked[0], unseen[asked[0]], until_ms)

    def on_iwant(self, peer: Peer, message_ids: list[bytes]) -> None:
        """Send what a peer asks for, a few times each and within half of its outbox."""
        parameters = self._parameters
        is_served = peer.stats.score >= parameters.score.gossip_threshold
        outbox = peer.outbox
        insistent = False
        for message_id in dict.fromkeys(message_ids[: parameters.ids_per_ihave_max]):
            message = self._cache.get(message_id)
            if message is None:
                continue
            if outbox.payload_bytes >= parameters.outbox_bytes_max // 2:
                # It may well ask again for what we did not send.
                break
            requests = self._cache.count_request(message_id, peer.peer_id)
            if requests > REQUESTS_MAX:
                insistent = True
            elif is_served and requests <= parameters.retransmissions_max:
                # What it asks for it wants, whatever it said before.
                peer.unwanted.pop(message_id, None)
                outbox.push(message)
        if insistent:
            self._scores.misbehaved(peer.stats)

    def on_idontwant(self, peer: Peer, message_ids: list[bytes]) -> None:
        """Spare a peer what it has already."""
        allowed = self._parameters.idontwant_ids_max - peer.idontwant_ids
        if allowed <= 0:
            return
        until = self._state.tick + self._parameters.idontwant_ticks
        unwanted = peer.unwanted
        for message_id in message_ids[:allowed]:
            unwanted[message_id] = until
        peer.idontwant_ids += min(allowed, len(message_ids))

    def kept(self, message_id: bytes) -> None:
        """Learn that a message arrived: whoever promised it has not lied."""
        if self._promises:
            self._promises.pop(message_id, None)

    def punish_broken(self, *, now_ms: int) -> None:
        """Charge those who advertised and did not deliver in time."""
        for message_id, promise in list(self._promises.items()):
            waiting = promise.waiting
            for peer_id, until_ms in list(waiting.items()):
                if until_ms > now_ms:
                    continue
                del waiting[peer_id]
                self.broken_promises += 1
                peer = self._state.peers.get(peer_id)
                if peer is not None:
                    self._scores.misbehaved(peer.stats)
            if not waiting:
                del self._promises[message_id]

    def forget_peer(self, peer_id: PeerId) -> None:
        """Expect nothing more from a peer that left."""
        for message_id, promise in list(self._promises.items()):
            if promise.waiting.pop(peer_id, None) is not None and not promise.waiting:
                del self._promises[message_id]

    def forget_topic(self, topic: Topic) -> None:
        """Expect nothing more of a topic that we left, since its messages are dropped."""
        for message_id, promise in list(self._promises.items()):
            if promise.topic is topic:
                del self._promises[message_id]

    def advertise(self, topic: Topic, message_ids: list[bytes]) -> None:
        """Offer recent messages to some peers outside the mesh."""
        parameters = self._parameters
        threshold = parameters.score.gossip_threshold
        mesh, fanout = topic.mesh, topic.fanout
        outside = [
            peer
            for peer_id, peer in topic.subscribers.items()
            if peer_id not in mesh
            and peer_id not in fanout
            and not peer.is_direct
            and peer.stats.score >= threshold
        ]
        if not outside:
            return
        count = max(parameters.degree_lazy, int(parameters.gossip_factor * len(outside)))
        chosen = self._dice.sample(outside, min(count, len(outside)))
        most = parameters.ids_per_ihave_max
        offer = ihave_field(topic.raw, message_ids) if len(message_ids) <= most else b""
        for peer in chosen:
            # Another part for each peer, so that together they hear of everything.
            peer.outbox.gossip(
                offer or ihave_field(topic.raw, self._dice.sample(message_ids, most))
            )

    def offer_dropped(self, peer: Peer) -> None:
        """Advertise what did not fit into the outbox of a peer."""
        dropped = peer.outbox.dropped
        if not dropped:
            return
        by_topic: dict[str, list[bytes]] = {}
        for message_id, topic in dropped.items():
            if self._cache.get(message_id) is not None:
                by_topic.setdefault(topic, []).append(message_id)
        dropped.clear()
        for topic, message_ids in by_topic.items():
            peer.outbox.gossip(ihave_field(self._state.topics[topic].raw, message_ids))

    def _promise(self, peer_id: PeerId, message_id: bytes, topic: Topic, until_ms: int) -> None:
        promise = self._promises.get(message_id)
        if promise is None:
            if len(self._promises) >= self._parameters.promises_max:
                return
            promise = self._promises[message_id] = _Promise(topic)
        promise.waiting.setdefault(peer_id, until_ms)
