"""The gossipsub router of one node: events in, effects out, and an outbox for each peer.

One owner feeds it events with the time, which never goes back, and carries out the effects in
order. It holds no socket and no timer. What is bounded: peers by whoever sends `PeerJoined`, topics
by the rules given here, everything else by constants in the files of this package.

On an RPC the order is subscriptions, messages, control; below the graylist threshold all of it is
ignored. Source: gossipsub-v1.0, v1.1 and v1.2.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from p2p.dice import Dice
from p2p.gossip.events import (
    DialPeer,
    Disconnect,
    Effect,
    Heartbeat,
    Input,
    PeerJoined,
    PeerLeft,
    ResetStream,
    RpcReceived,
    SubscriptionChanged,
    Validated,
)
from p2p.gossip.intake import Intake
from p2p.gossip.lazy_push import LazyPush
from p2p.gossip.mesh import Mesh
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.peer import Peer
from p2p.gossip.publishing import Publishing
from p2p.gossip.report import RouterReport, report_topic
from p2p.gossip.rpc import Control, Rpc, decode_rpc
from p2p.gossip.score_parts import ScoreParts
from p2p.gossip.state import RouterState
from p2p.gossip.topic import TOPIC_SIZE_BYTES_MAX, TOPICS_MAX, Topic, TopicRules
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId
from primitives.errors import LocalProtocolError, MalformedBytesError

MALFORMED_PENALTY: Final = 10
"""Broken rules that bytes which are no RPC count for; the third time leads below the graylist."""
DEFAULT_PARAMETERS: Final = GossipParameters()


class Router:
    """One node's view of all topics.

    Args:
        rules: the topics that are known; all others are ignored without being remembered.
        dice: chooses peers; from a secret source on a live node, or an attacker could foresee it.
        seqno_first: see `Publishing`.
        direct: peers that get and may send everything, outside of meshes and scores.
    """

    def __init__(
        self,
        identity: Identity,
        rules: Iterable[TopicRules],
        *,
        dice: Dice,
        parameters: GossipParameters = DEFAULT_PARAMETERS,
        seqno_first: int = 0,
        direct: Iterable[PeerId] = (),
    ) -> None:
        state = self._state = RouterState(parameters, dice=dice, direct=direct)
        self._malformed_rpcs = 0
        self._ignored_rpcs = 0
        self._mesh = Mesh(state)
        self._lazy_push = LazyPush(state)
        self._intake = Intake(state, self._lazy_push, own=identity.peer_id)
        self._publishing = Publishing(
            state, identity, intake=self._intake, mesh=self._mesh, seqno_first=seqno_first
        )
        for topic_rules in rules:
            self.allow(topic_rules)

    def allow(self, rules: TopicRules) -> None:
        """Know a further topic from now on; subscriptions that peers sent before are lost.

        Raises:
            LocalProtocolError: the topic is known, its name is too long, or there are too many.
        """
        state = self._state
        topic = Topic(rules)
        if len(topic.raw) > TOPIC_SIZE_BYTES_MAX:
            raise LocalProtocolError(f"a topic's name has at most {TOPIC_SIZE_BYTES_MAX} bytes")
        if rules.name in state.topics or len(state.topics) >= TOPICS_MAX:
            raise LocalProtocolError(f"{rules.name} is known, or there are {TOPICS_MAX} topics")
        state.topics[rules.name] = topic
        state.topics_by_raw[topic.raw] = topic
        if rules.score is not None:
            state.scores.score_topic(rules.name, rules.score)

    def handle(self, event: Input, *, now_ms: int) -> list[Effect]:
        """Advance by one event; the caller carries out the effects in order."""
        match event:
            case RpcReceived():
                self._receive(event, now_ms)
            case Validated():
                self._intake.settle(event.message_id, event.verdict)
            case Heartbeat():
                self._beat(now_ms)
            case PeerJoined():
                self._join(event, now_ms)
            case PeerLeft():
                self._leave(event.peer_id, now_ms)
            case _:
                assert_never(event)
        return self._take_effects()

    def subscribe(self, name: str, *, now_ms: int) -> list[Effect]:
        """Join a topic: tell everybody and build a mesh; harmless when subscribed."""
        topic = self._topic(name)
        if not topic.is_subscribed:
            topic.is_subscribed = True
            for peer in self._state.peers.values():
                peer.outbox.announce(topic.raw, is_subscribed=True)
            self._mesh.join(topic, now_ms=now_ms)
        return self._take_effects()

    def unsubscribe(self, name: str, *, now_ms: int) -> list[Effect]:
        """Leave a topic: tell everybody and dissolve the mesh; harmless when not subscribed."""
        topic = self._topic(name)
        if topic.is_subscribed:
            topic.is_subscribed = False
            for peer in self._state.peers.values():
                peer.outbox.announce(topic.raw, is_subscribed=False)
            self._mesh.leave(topic, now_ms=now_ms)
            self._lazy_push.forget_topic(topic)
        return self._take_effects()

    def publish(self, name: str, payload: bytes, *, now_ms: int) -> list[Effect]:
        """Send a message to a topic, subscribed or not; it is not delivered to ourselves.

        Returns:
            `Published` or `AlreadyPublished`, and who has to be woken.

        Raises:
            LocalProtocolError: an unknown topic, or a payload that is too large for it.
        """
        self._publishing.publish(self._topic(name), payload, now_ms=now_ms)
        return self._take_effects()

    def take(self, peer_id: PeerId, size_bytes_max: int) -> bytes:
        """Remove and return RPCs for a peer, each behind its length; nothing if none waits.

        Args:
            peer_id: who they are for.
            size_bytes_max: what the stream has room for. A first message that is larger, and all
                control, come nevertheless.
        """
        peer = self._state.peers.get(peer_id)
        return b"" if peer is None else peer.outbox.take(size_bytes_max, unwanted=peer.unwanted)

    def remember_record(self, peer_id: PeerId, envelope: bytes) -> None:
        """Keep the signed record of a connected peer, which the caller verified, for others."""
        peer = self._state.peers.get(peer_id)
        if peer is not None:
            peer.envelope = envelope

    def set_application_score(self, peer_id: PeerId, score: float) -> None:
        """Set what the application thinks of a peer that is here (P5)."""
        self._state.scores.set_application(peer_id, score)

    def report_misbehaviour(self, peer_id: PeerId, *, count: int = 1) -> None:
        """Charge a peer with broken rules of another protocol (P7)."""
        stats = self._state.scores.find(peer_id)
        if stats is not None:
            self._state.scores.misbehaved(stats, count)

    def scores(self) -> dict[PeerId, ScoreParts]:
        """Return the scores that are known, part by part, for an operator to read."""
        scores = self._state.scores
        return {peer_id: scores.parts(peer_id) for peer_id in scores}

    def score(self, peer_id: PeerId) -> float:
        """Return the score of a peer as the rules see it; 0 for a stranger."""
        stats = self._state.scores.find(peer_id)
        return 0 if stats is None else stats.score

    def mesh_peers(self, name: str) -> tuple[PeerId, ...]:
        """Return the mesh of a topic; a trim of connections spares these."""
        return tuple(self._topic(name).mesh)

    def report(self) -> RouterReport:
        """Return all counters and sizes, for metrics and for people."""
        state = self._state
        outboxes = [peer.outbox for peer in state.peers.values()]
        return RouterReport(
            topics={name: report_topic(topic) for name, topic in state.topics.items()},
            peers=len(state.peers),
            malformed_rpcs=self._malformed_rpcs,
            ignored_rpcs=self._ignored_rpcs,
            pending=self._intake.pending,
            pending_overflows=self._intake.overflows,
            pending_expired=self._intake.expired,
            seen=len(state.seen),
            seen_overflows=state.seen.overflows,
            cache_bytes=state.cache.size_bytes,
            broken_promises=self._lazy_push.broken_promises,
            outbox_bytes=sum(outbox.payload_bytes for outbox in outboxes),
            outbox_dropped=sum(outbox.dropped_count for outbox in outboxes),
        )

    def _receive(self, event: RpcReceived, now_ms: int) -> None:
        peer = self._state.peers.get(event.peer_id)
        if peer is None or self._is_graylisted(peer):
            self._ignored_rpcs += 1
            return
        try:
            rpc = decode_rpc(event.raw)
        except MalformedBytesError as error:
            self._malformed_rpcs += 1
            self._state.scores.misbehaved(peer.stats, MALFORMED_PENALTY)
            self._state.effects.append(ResetStream(event.peer_id, str(error)))
            return
        if rpc.subscriptions:
            self._receive_subscriptions(peer, rpc, now_ms)
        if rpc.messages:
            self._intake.receive(rpc.messages, peer, now_ms=now_ms)
        if rpc.control is not None:
            self._receive_control(peer, rpc.control, now_ms)

    def _receive_subscriptions(self, peer: Peer, rpc: Rpc, now_ms: int) -> None:
        # The last word on a topic counts, so a flood of changes comes to nothing.
        for raw, is_subscribed in dict(rpc.subscriptions).items():
            topic = self._state.topics_by_raw.get(raw)
            if topic is None or (peer.peer_id in topic.subscribers) is is_subscribed:
                continue
            if is_subscribed:
                topic.subscribers[peer.peer_id] = peer
                self._mesh.subscribed(peer, topic, now_ms=now_ms)
            else:
                del topic.subscribers[peer.peer_id]
                self._mesh.remove(peer, topic)
            self._state.effects.append(SubscriptionChanged(peer.peer_id, topic.name, is_subscribed))

    def _receive_control(self, peer: Peer, control: Control, now_ms: int) -> None:
        topics = self._state.topics_by_raw
        for raw in dict.fromkeys(control.graft):
            if raw in topics:
                self._mesh.on_graft(peer, topics[raw], now_ms=now_ms)
        for prune in {prune.topic: prune for prune in control.prune}.values():
            if prune.topic in topics:
                self._mesh.on_prune(peer, topics[prune.topic], prune, now_ms=now_ms)
        if control.ihave:
            self._lazy_push.on_ihave(peer, control.ihave, now_ms=now_ms)
        if control.iwant:
            self._lazy_push.on_iwant(peer, control.iwant)
        if control.idontwant:
            self._lazy_push.on_idontwant(peer, control.idontwant)

    def _beat(self, now_ms: int) -> None:
        state = self._state
        state.tick += 1
        self._lazy_push.punish_broken(now_ms=now_ms)
        state.scores.refresh(now_ms)
        self._intake.heartbeat(now_ms=now_ms)
        for peer in state.peers.values():
            peer.begin_heartbeat(state.tick)
            self._disconnect_if_bad(peer)
        advertised = state.cache.advertised()
        for topic in state.topics.values():
            if topic.is_subscribed:
                self._mesh.heartbeat(topic, now_ms=now_ms)
            else:
                self._publishing.heartbeat(topic, now_ms=now_ms)
            if topic.name in advertised:
                self._lazy_push.advertise(topic, advertised[topic.name])
        for peer in state.peers.values():
            self._lazy_push.offer_dropped(peer)
        state.cache.shift()
        if state.tick % state.parameters.direct_dial_ticks == 0:
            missing = (peer_id for peer_id in state.direct_ids if peer_id not in state.peers)
            state.effects.extend(DialPeer(peer_id, b"") for peer_id in missing)

    def _join(self, event: PeerJoined, now_ms: int) -> None:
        state = self._state
        stats = state.scores.join(event.peer_id, ip=event.ip)
        peer = state.peers.get(event.peer_id)
        if peer is None:
            is_direct = event.peer_id in state.direct_ids
            peer = Peer(
                event.peer_id,
                stats,
                state.effects,
                parameters=state.parameters,
                is_direct=is_direct,
            )
            state.peers[event.peer_id] = peer
            if is_direct:
                state.direct[event.peer_id] = peer
        peer.negotiated(event.protocol, event.direction)
        for topic in state.topics.values():
            if topic.is_subscribed:
                peer.outbox.announce(topic.raw, is_subscribed=True)
            # What was under way to it may be lost, or it forgot.
            self._mesh.repeat(peer, topic, now_ms=now_ms)
        self._disconnect_if_bad(peer)

    def _leave(self, peer_id: PeerId, now_ms: int) -> None:
        state = self._state
        peer = state.peers.pop(peer_id, None)
        if peer is None:
            return
        state.direct.pop(peer_id, None)
        self._lazy_push.forget_peer(peer_id)
        for topic in state.topics.values():
            self._mesh.remove(peer, topic)
            if topic.subscribers.pop(peer_id, None) is not None:
                state.effects.append(SubscriptionChanged(peer_id, topic.name, is_subscribed=False))
        state.scores.leave(peer_id, now_ms=now_ms)

    def _is_graylisted(self, peer: Peer) -> bool:
        threshold = self._state.parameters.score.graylist_threshold
        return peer.stats.score < threshold and not peer.is_direct

    def _disconnect_if_bad(self, peer: Peer) -> None:
        if self._is_graylisted(peer) and not peer.is_disconnecting:
            peer.is_disconnecting = True
            reason = f"score {peer.stats.score:.0f} is below the graylist threshold"
            self._state.effects.append(Disconnect(peer.peer_id, reason))

    def _topic(self, name: str) -> Topic:
        topic = self._state.topics.get(name)
        if topic is None:
            raise LocalProtocolError(f"{name} is not a topic of this network")
        return topic

    def _take_effects(self) -> list[Effect]:
        effects = self._state.effects
        taken = effects.copy()
        effects.clear()
        return taken
