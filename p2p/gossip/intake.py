"""Take messages in: policy, id, duplicates, signature, validator; then deliver and forward.

The order matters. A message counts as seen only after its signature holds: otherwise a forged copy
that shares its id with an honest message would keep that one out. It counts as seen before the
validator answers, so that copies wait for one answer.
"""

from collections.abc import Container, Iterable
from typing import Final, assert_never

from p2p.gossip.events import Deliver, Message, Validate, Verdict
from p2p.gossip.lazy_push import LazyPush
from p2p.gossip.outbox import Refusal
from p2p.gossip.peer import Peer
from p2p.gossip.policy import (
    MESSAGE_OVERHEAD_BYTES_MAX,
    Origin,
    check_origin,
    check_signature,
    check_unsigned,
)
from p2p.gossip.rpc import WireMessage
from p2p.gossip.seen import REJECTED, SeqnoFloors
from p2p.gossip.state import RouterState
from p2p.gossip.topic import Topic
from p2p.wire.peer_id import PeerId
from primitives.errors import BadSignatureError, InvalidKeyError, MalformedBytesError

COPIES_MAX: Final = 3
"""Times that an honest peer sends one message: pushed, and asked for once or twice."""
COPIES_SLACK: Final = 64
"""Copies beyond that count as one broken rule; in a quiet network there are few ids to go by."""
SENDERS_MAX: Final = 128
"""Peers remembered for one message that waits for its verdict; more than a node has."""


class _Pending:
    """A message that waits for its verdict, and the peers that sent it meanwhile."""

    __slots__ = ("message", "sender", "senders", "since_ms", "topic")

    def __init__(self, message: Message, topic: Topic, sender: Peer, since_ms: int) -> None:
        self.message = message
        self.topic = topic
        self.sender = sender
        self.senders: dict[PeerId, None] = {sender.peer_id: None}
        self.since_ms = since_ms


class Intake:
    """The eager half of gossipsub."""

    def __init__(self, state: RouterState, lazy_push: LazyPush, *, own: PeerId) -> None:
        self._own = own
        self._lazy_push = lazy_push
        self._topics_by_raw = state.topics_by_raw
        self._effects = state.effects
        self._scores = state.scores
        self._seen = state.seen
        self._cache = state.cache
        self._direct = state.direct
        self._parameters = state.parameters
        self._score_min = state.parameters.score.graylist_threshold
        self._floors = SeqnoFloors()
        self._pending: dict[bytes, _Pending] = {}
        self._pending_bytes = 0
        self.overflows = 0
        self.expired = 0

    @property
    def pending(self) -> int:
        """How many messages wait for their verdict."""
        return len(self._pending)

    def receive(self, wires: Iterable[WireMessage], sender: Peer, *, now_ms: int) -> None:
        """Take the messages of one RPC; those of topics that we are not in are dropped."""
        for wire in wires:
            topic = self._topics_by_raw.get(wire.topic or b"")
            if topic is None or not topic.is_subscribed:
                continue
            try:
                origin = _check_form(wire, topic)
                payload = _check_size(wire, topic)
                message_id = topic.make_id(wire)
                arrived_ms = self._seen.get(message_id)
                if arrived_ms is not None:
                    self._receive_again(message_id, topic, sender, now_ms - arrived_ms, arrived_ms)
                    # Whoever sends a message has it; saves the copy that may wait in its outbox.
                    if sender.outbox.payload_bytes:
                        self._lazy_push.on_idontwant(sender, [message_id])
                    continue
                if origin is not None:
                    if origin.author == self._own or self._floors.is_replay(*origin):
                        topic.counters.ignored += 1
                        self._lazy_push.kept(message_id)
                        continue
                    check_signature(wire)
            except InvalidKeyError:
                # Others know more kinds of keys than we do, so who forwards it does not lie.
                topic.counters.ignored += 1
                self._lazy_push.kept(topic.make_id(wire))
                continue
            except (MalformedBytesError, BadSignatureError):
                self._blame(sender, topic)
                if sender.stats.score < self._score_min and not sender.is_direct:
                    # One RPC may hold thousands of forgeries, and each costs a verification.
                    return
                continue
            message = Message(
                id=message_id,
                topic=topic.name,
                payload=payload,
                author=None if origin is None else origin.author,
                seqno=None if origin is None else origin.seqno,
                publish_field=wire.publish_field,
            )
            self._receive_first(message, topic, sender, now_ms)

    def settle(self, message_id: bytes, verdict: Verdict) -> None:
        """Carry out the verdict of the validator, if the message still waits for it."""
        pending = self._pending.pop(message_id, None)
        if pending is None:
            return
        size_bytes = len(pending.message.publish_field)
        self._pending_bytes -= size_bytes
        pending.sender.pending -= 1
        pending.sender.pending_bytes -= size_bytes
        topic = pending.topic
        match verdict:
            case Verdict.ACCEPT:
                self._accept(pending.message, topic, pending.sender, pending.senders)
            case Verdict.IGNORE:
                topic.counters.ignored += 1
            case Verdict.REJECT:
                self._seen.reject(message_id)
                self._lazy_push.kept(message_id)
                topic.counters.rejected += 1
                for peer_id in pending.senders:
                    stats = self._scores.find(peer_id)
                    if stats is not None:
                        self._scores.delivered_invalid(stats, topic.name)
            case _:
                assert_never(verdict)

    def remember_own(self, message: Message, *, now_ms: int) -> None:
        """Count our own message as seen, and keep it for those who ask."""
        self._remember(message.id, now_ms)
        self._cache.put(message)

    def heartbeat(self, *, now_ms: int) -> None:
        """Give up on verdicts that are late, and forget old ids."""
        limit_ms = now_ms - self._parameters.pending_ms
        for message_id, pending in list(self._pending.items()):
            if pending.since_ms > limit_ms:
                break
            self.expired += 1
            self.settle(message_id, Verdict.IGNORE)
        if self._seen.rotate_if_due(now_ms):
            self._floors.rotate()

    def _receive_first(self, message: Message, topic: Topic, sender: Peer, now_ms: int) -> None:
        size_bytes = len(message.publish_field)
        message_id = message.id
        # Even if there is no place for it: who promised it has sent it.
        self._lazy_push.kept(message_id)
        if topic.is_validated and not self._has_room(sender, size_bytes):
            # Not seen either, so that it can be fetched once there is room.
            self.overflows += 1
            return
        if message.author is not None and message.seqno is not None:
            self._floors.note(message.author, message.seqno)
        self._remember(message_id, now_ms)
        if len(message.payload) >= self._parameters.idontwant_size_bytes_min:
            refusal: Refusal | None = None
            for peer in topic.mesh.values():
                if peer.knows_idontwant and peer is not sender:
                    refusal = refusal or Refusal(message_id)
                    peer.outbox.refuse(refusal)
        if topic.is_validated:
            self._pending[message_id] = _Pending(message, topic, sender, now_ms)
            self._pending_bytes += size_bytes
            sender.pending += 1
            sender.pending_bytes += size_bytes
            self._effects.append(Validate(message, sender.peer_id))
        else:
            self._accept(message, topic, sender, (sender.peer_id,))

    def _remember(self, message_id: bytes, now_ms: int) -> None:
        if self._seen.add(message_id, now_ms=now_ms):
            # Forgotten early, for want of room: without their floors they could be replayed.
            self._floors.rotate()

    def _has_room(self, sender: Peer, size_bytes: int) -> bool:
        """Tell whether the validator has a place, and the sender not more than its share."""
        parameters = self._parameters
        places, bytes_max = parameters.pending_max, parameters.pending_bytes_max
        return (
            len(self._pending) < places
            and self._pending_bytes + size_bytes <= bytes_max
            and sender.pending * parameters.pending_share < places
            and (sender.pending_bytes + size_bytes) * parameters.pending_share <= bytes_max
        )

    def _receive_again(
        self, message_id: bytes, topic: Topic, sender: Peer, delay_ms: int, arrived_ms: int
    ) -> None:
        topic.counters.duplicates += 1
        self._count_duplicate(sender)
        if arrived_ms == REJECTED:
            self._scores.delivered_invalid(sender.stats, topic.name)
            return
        self._scores.delivered_again(sender.stats, topic.name, delay_ms=delay_ms)
        pending = self._pending.get(message_id)
        if pending is not None and len(pending.senders) < SENDERS_MAX:
            pending.senders[sender.peer_id] = None

    def _count_duplicate(self, sender: Peer) -> None:
        """Charge a peer that repeats itself: it sent more copies than there are messages."""
        seen = self._seen
        if sender.duplicates_span != seen.rotations:
            sender.duplicates_span = seen.rotations
            sender.duplicates = 0
        sender.duplicates += 1
        if sender.duplicates > COPIES_MAX * len(seen) + COPIES_SLACK:
            sender.duplicates -= COPIES_SLACK
            self._scores.misbehaved(sender.stats)

    def _accept(
        self, message: Message, topic: Topic, sender: Peer, senders: Container[PeerId]
    ) -> None:
        """Deliver a valid message and pass it on, as it came, to those who did not send it."""
        message_id = message.id
        counters = topic.counters
        counters.delivered += 1
        counters.delivered_bytes += len(message.payload)
        self._scores.delivered_first(sender.stats, topic.name)
        self._cache.put(message)
        self._effects.append(Deliver(message, sender.peer_id))
        author = message.author
        for peer_id, peer in topic.mesh.items():
            if peer_id not in senders and peer_id != author and message_id not in peer.unwanted:
                peer.outbox.push(message)
                counters.forwarded += 1
        for peer_id, peer in self._direct.items():
            if (
                peer_id not in senders
                and peer_id != author
                and peer_id in topic.subscribers
                and message_id not in peer.unwanted
            ):
                peer.outbox.push(message)
                counters.forwarded += 1

    def _blame(self, sender: Peer, topic: Topic) -> None:
        topic.counters.rejected += 1
        if topic.rules.score is None:
            # Whatever a topic is worth: nobody sends a forgery by mistake.
            self._scores.misbehaved(sender.stats)
        self._scores.delivered_invalid(sender.stats, topic.name)


def _check_form(wire: WireMessage, topic: Topic) -> Origin | None:
    """Return who wrote a message of a signed topic; None for one that is not signed.

    Raises:
        MalformedBytesError: not what the policy of the topic asks for.
        InvalidKeyError: the author has a kind of key that we cannot use.
        BadSignatureError: the key in it is not the author's.
    """
    if topic.is_signed:
        return check_origin(wire)
    check_unsigned(wire)
    return None


def _check_size(wire: WireMessage, topic: Topic) -> bytes:
    """Return the payload.

    Raises:
        MalformedBytesError: larger than the topic allows, or padded with fields nobody knows.
    """
    payload = wire.payload
    if payload is None:
        payload = b""
    size_bytes = len(payload)
    overhead_bytes = len(wire.publish_field) - size_bytes
    if size_bytes > topic.size_bytes_max or overhead_bytes > (
        MESSAGE_OVERHEAD_BYTES_MAX + len(topic.raw)
    ):
        raise MalformedBytesError(f"{size_bytes} bytes and {overhead_bytes} bytes around them")
    return payload
