"""Hold what waits to be sent to one peer: control first, then payload, within 4 MiB.

When payload overflows, the oldest goes and is advertised later. GRAFT and PRUNE are never lost: the
latest of each topic counts, so there is at most one per topic. A message that the peer no longer
wants is left out when its turn comes.
"""

from collections import deque
from collections.abc import Container
from typing import Final

from p2p.gossip.events import Effect, Message, Wake
from p2p.gossip.rpc import Prune
from p2p.gossip.rpc_fields import control_field, graft_field, prune_field, subscription_field
from p2p.wire.protobuf import bytes_field
from p2p.wire.varint import encode_varint

RPC_BATCH_SIZE_BYTES: Final = 64 * 1024
"""Small messages share an RPC up to this size: one RPC costs its reader more than one message."""
CONTROL_SIZE_BYTES_MAX: Final = 512 * 1024
"""One RPC holds no more control than this; subscriptions and the last entry come on top."""
LAZY_BYTES_MAX: Final = 512 * 1024
"""IHAVE and IWANT that wait; more of them is dropped, since gossip repeats itself."""
UNWANTED_IDS_MAX: Final = 2_048
"""Ids for IDONTWANT that wait; more of them is dropped, it only saves bytes."""
IDS_PER_RPC: Final = 10
"""go reads no more ids for IDONTWANT from one RPC, in however many entries they are."""
MESSAGES_PER_RPC: Final = 1_000
"""However small: readers bound the entries of an RPC, we and go to 5,000."""
MESSAGES_MAX: Final = 8_192
"""Messages that wait, however small: each keeps some hundred bytes beyond its own."""
DROPPED_IDS_MAX: Final = 1_024
"""Messages that overflowed and will be advertised instead."""


class Refusal:
    """An IDONTWANT for one message, encoded once for all peers that get it.

    Attributes:
        id_field: the id as it stands beside others in an entry.
        alone: the whole control field if there is nothing else.
    """

    __slots__ = ("alone", "id_field")

    def __init__(self, message_id: bytes) -> None:
        self.id_field = bytes_field(1, message_id)
        self.alone = control_field((bytes_field(5, self.id_field),))


class Outbox:
    """The queue to one peer.

    Args:
        wake: appended to `effects` when the first thing comes into an empty outbox.
        effects: the effects of the input that is being handled.
    """

    __slots__ = (
        "_bytes_max",
        "_changes",
        "_effects",
        "_has_control",
        "_is_idle",
        "_lazy",
        "_lazy_bytes",
        "_payloads",
        "_refused",
        "_subscriptions",
        "_wake",
        "dropped",
        "dropped_count",
        "payload_bytes",
    )

    def __init__(self, wake: Wake, effects: list[Effect], *, bytes_max: int) -> None:
        self._wake = wake
        self._effects = effects
        self._bytes_max = bytes_max
        self._is_idle = True
        self._has_control = False
        self._subscriptions: dict[bytes, bool] = {}
        self._changes: dict[bytes, bytes] = {}
        self._lazy: list[bytes] = []
        self._lazy_bytes = 0
        self._refused: list[Refusal] = []
        self._payloads: deque[Message] = deque()
        self.payload_bytes = 0
        self.dropped: dict[bytes, str] = {}
        self.dropped_count = 0

    def push(self, message: Message) -> None:
        """Queue a message."""
        self._payloads.append(message)
        self.payload_bytes += len(message.publish_field)
        if self.payload_bytes > self._bytes_max or len(self._payloads) > MESSAGES_MAX:
            self._drop_oldest()
        if self._is_idle:
            self._rouse()

    def announce(self, topic: bytes, *, is_subscribed: bool) -> None:
        """Queue whether we are subscribed to a topic; the latest word counts."""
        self._subscriptions[topic] = is_subscribed
        self._rouse_for_control()

    def graft(self, topic: bytes) -> None:
        """Queue a GRAFT, which takes the place of a PRUNE that waits."""
        self._changes[topic] = graft_field(topic)
        self._rouse_for_control()

    def prune(self, prune: Prune) -> None:
        """Queue a PRUNE, which takes the place of a GRAFT that waits."""
        self._changes[prune.topic] = prune_field(prune)
        self._rouse_for_control()

    def gossip(self, field: bytes) -> bool:
        """Queue an IHAVE or an IWANT, unless too many wait already; return whether it will go."""
        if self._lazy_bytes + len(field) > LAZY_BYTES_MAX:
            return False
        self._lazy.append(field)
        self._lazy_bytes += len(field)
        self._rouse_for_control()
        return True

    def refuse(self, refusal: Refusal) -> None:
        """Queue an IDONTWANT, unless too many wait already."""
        if len(self._refused) < UNWANTED_IDS_MAX:
            self._refused.append(refusal)
            self._has_control = True
            if self._is_idle:
                self._rouse()

    def take(self, size_bytes_max: int, *, unwanted: Container[bytes]) -> bytes:
        """Remove and return whole RPCs, each behind its length; nothing if the outbox is empty.

        Args:
            size_bytes_max: what there is room for; a first RPC that is larger comes all the same,
                since control never waits and a message cannot be cut.
            unwanted: ids that the peer said it has.
        """
        frames: list[bytes] = []
        body = b""
        if self._has_control:
            body = self._take_control(frames)
        payloads = self._payloads
        if len(payloads) == 1:
            # One message, with or without an IDONTWANT before it, is what nearly always waits.
            message = payloads.pop()
            field = message.publish_field
            self.payload_bytes -= len(field)
            if message.id not in unwanted:
                if body and len(body) + len(field) > RPC_BATCH_SIZE_BYTES:
                    frames.append(encode_varint(len(body)) + body)
                    body = b""
                # In front, where a reader expects it: most RPCs are messages and nothing else.
                body = field + body if body else field
        elif payloads:
            body = self._take_payloads(frames, body, size_bytes_max, unwanted)
        self._is_idle = not payloads
        if body:
            frames.append(encode_varint(len(body)) + body)
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _take_payloads(
        self, frames: list[bytes], body: bytes, size_bytes_max: int, unwanted: Container[bytes]
    ) -> bytes:
        """Remove what there is room for; return what goes into the last RPC.

        The body, which is the last of the control, goes behind the first messages.
        """
        fields: list[bytes] = []
        batch_bytes = len(body)
        size_bytes = sum(map(len, frames))
        payloads = self._payloads
        while payloads:
            message = payloads[0]
            field = message.publish_field
            if message.id not in unwanted:
                after_bytes = batch_bytes + len(field)
                if (batch_bytes or frames) and size_bytes + after_bytes > size_bytes_max:
                    break
                is_full = after_bytes > RPC_BATCH_SIZE_BYTES or len(fields) == MESSAGES_PER_RPC
                if batch_bytes and is_full:
                    frames.append(encode_varint(batch_bytes) + b"".join(fields) + body)
                    size_bytes += len(frames[-1])
                    fields.clear()
                    body = b""
                    after_bytes = len(field)
                fields.append(field)
                batch_bytes = after_bytes
            payloads.popleft()
            self.payload_bytes -= len(field)
        return b"".join(fields) + body

    def _take_control(self, frames: list[bytes]) -> bytes:
        """Remove all control; append RPCs but the last, whose body is returned."""
        self._has_control = False
        refused = self._refused
        if len(refused) == 1 and not (self._changes or self._lazy or self._subscriptions):
            return refused.pop().alone
        body = b"".join(
            subscription_field(topic, is_subscribed=is_subscribed)
            for topic, is_subscribed in self._subscriptions.items()
        )
        batches = _batches([*self._changes.values(), *self._lazy])
        for number, start in enumerate(range(0, len(refused), IDS_PER_RPC)):
            ids = [one.id_field for one in refused[start : start + IDS_PER_RPC]]
            if number == len(batches):
                batches.append([])
            batches[number].append(bytes_field(5, b"".join(ids)))
        self._subscriptions.clear()
        self._changes.clear()
        self._lazy.clear()
        self._lazy_bytes = 0
        refused.clear()
        for batch in batches[:-1]:
            # One control field per RPC: js keeps only the last of several.
            body += control_field(batch)
            frames.append(encode_varint(len(body)) + body)
            body = b""
        return body + control_field(batches[-1]) if batches else body

    def _drop_oldest(self) -> None:
        payloads = self._payloads
        while len(payloads) > 1 and (
            self.payload_bytes > self._bytes_max or len(payloads) > MESSAGES_MAX
        ):
            message = payloads.popleft()
            self.payload_bytes -= len(message.publish_field)
            self.dropped_count += 1
            if len(self.dropped) < DROPPED_IDS_MAX:
                self.dropped[message.id] = message.topic

    def _rouse_for_control(self) -> None:
        self._has_control = True
        if self._is_idle:
            self._rouse()

    def _rouse(self) -> None:
        self._is_idle = False
        self._effects.append(self._wake)


def _batches(entries: list[bytes]) -> list[list[bytes]]:
    """Divide control entries, in order, into what fits into one RPC each."""
    batches: list[list[bytes]] = []
    batch_bytes = 0
    for entry in entries:
        if not batches or batch_bytes + len(entry) > CONTROL_SIZE_BYTES_MAX:
            batches.append([])
            batch_bytes = 0
        batches[-1].append(entry)
        batch_bytes += len(entry)
    return batches
