"""Send our own messages: to everyone who subscribed if they are small, else to the mesh."""

from p2p.gossip.events import AlreadyPublished, Message, Published
from p2p.gossip.intake import Intake
from p2p.gossip.mesh import Mesh
from p2p.gossip.peer import Peer
from p2p.gossip.policy import signed_message, unsigned_message
from p2p.gossip.state import RouterState
from p2p.gossip.topic import Topic
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId
from primitives.errors import LocalProtocolError


class Publishing:
    """The way out of our own messages.

    Args:
        seqno_first: the seqno of our first signed message; has to be above all of earlier runs, so
            a shell gives the time in Unix nanoseconds, as go, js and rust do.
    """

    def __init__(
        self,
        state: RouterState,
        identity: Identity,
        *,
        intake: Intake,
        mesh: Mesh,
        seqno_first: int,
    ) -> None:
        self._identity = identity
        self._effects = state.effects
        self._seen = state.seen
        self._direct = state.direct
        self._parameters = state.parameters
        self._intake = intake
        self._mesh = mesh
        self._seqno = seqno_first

    def publish(self, topic: Topic, payload: bytes, *, now_ms: int) -> None:
        """Queue a message for those who should have it from us.

        Raises:
            LocalProtocolError: the payload is larger than the topic allows.
        """
        if len(payload) > topic.size_bytes_max:
            raise LocalProtocolError(
                f"{len(payload)} bytes > {topic.size_bytes_max}, the bound of {topic.name}"
            )
        message = self._sign(topic, payload)
        if message.id in self._seen:
            self._effects.append(AlreadyPublished(message.id))
            return
        self._intake.remember_own(message, now_ms=now_ms)
        receivers = self._receivers(topic, len(payload), now_ms)
        for peer in receivers.values():
            peer.outbox.push(message)
        topic.counters.published += 1
        self._effects.append(Published(message.id, len(receivers)))

    def _sign(self, topic: Topic, payload: bytes) -> Message:
        if not topic.is_signed:
            wire = unsigned_message(payload, topic=topic.raw)
            author = seqno = None
        else:
            author, seqno = self._identity.peer_id, self._seqno
            self._seqno += 1
            wire = signed_message(payload, topic=topic.raw, seqno=seqno, identity=self._identity)
        return Message(
            id=topic.make_id(wire),
            topic=topic.name,
            payload=payload,
            author=author,
            seqno=seqno,
            publish_field=wire.publish_field,
        )

    def _receivers(self, topic: Topic, size_bytes: int, now_ms: int) -> dict[PeerId, Peer]:
        score_min = self._parameters.score.publish_threshold
        if size_bytes <= self._parameters.flood_size_bytes_max:
            # Nobody in the mesh can hold back what everybody gets.
            receivers = {
                peer_id: peer
                for peer_id, peer in topic.subscribers.items()
                if peer.stats.score >= score_min
            }
        elif topic.is_subscribed:
            receivers = dict(topic.mesh)
        else:
            self._fill_fanout(topic, score_min)
            topic.published_ms = now_ms
            receivers = dict(topic.fanout)
        for peer_id, peer in self._direct.items():
            if peer_id in topic.subscribers:
                receivers[peer_id] = peer
        return receivers

    def heartbeat(self, topic: Topic, *, now_ms: int) -> None:
        """Forget or refill the fanout of a topic we are not subscribed to."""
        if not topic.fanout:
            return
        if now_ms - topic.published_ms > self._parameters.fanout_ms:
            topic.fanout = {}
        else:
            self._fill_fanout(topic, self._parameters.score.publish_threshold)

    def _fill_fanout(self, topic: Topic, score_min: float) -> None:
        fanout = {
            peer_id: peer
            for peer_id, peer in topic.fanout.items()
            if peer.stats.score >= score_min and peer_id in topic.subscribers
        }
        missing = self._parameters.degree - len(fanout)
        if missing > 0:
            others = self._mesh.choose(topic, self._parameters.degree * 2, score_min=score_min)
            fanout.update(
                [(peer.peer_id, peer) for peer in others if peer.peer_id not in fanout][:missing]
            )
        topic.fanout = fanout
