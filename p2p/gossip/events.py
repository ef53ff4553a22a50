"""What goes into the router and what comes out of it."""

import enum
from typing import TypeAlias

import msgspec

from p2p.wire.peer_id import PeerId
from p2p.wire.role import Direction


class Verdict(enum.Enum):
    """What a validator says of a message.

    Only a provable lie is a REJECT: it costs every peer that sent the message. IGNORE costs nobody
    (old, the same in meaning as another, or we cannot tell while we catch up).
    """

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a topic.

    Attributes:
        id: the same on every node, by the rule of the topic.
        author: None on topics that are not signed.
        seqno: what the author counts; None on topics that are not signed.
        publish_field: the bytes as they came, with tag and length as in an RPC; forwarded as they
            are, so that fields which we do not know survive.
    """

    id: bytes
    topic: str
    payload: bytes
    author: PeerId | None
    seqno: int | None
    publish_field: bytes


class PeerJoined(msgspec.Struct, frozen=True):
    """A meshsub stream with a peer was negotiated, in either direction.

    To be sent again when a peer gets another connection or stream: the router then keeps what it
    knows, announces our topics once more and repeats who is in our mesh or held off.

    Args:
        protocol: the negotiated id, such as "/meshsub/1.2.0".
        ip: the address as text, for the bound on peers from one address.
    """

    peer_id: PeerId
    protocol: str
    direction: Direction
    ip: str


class PeerLeft(msgspec.Struct, frozen=True):
    """The last connection or both streams of a peer are gone."""

    peer_id: PeerId


class RpcReceived(msgspec.Struct, frozen=True):
    """One RPC of a peer, without the length in front of it."""

    peer_id: PeerId
    raw: bytes


class Validated(msgspec.Struct, frozen=True):
    """The answer to a `Validate`; one that comes too late is ignored."""

    message_id: bytes
    verdict: Verdict


class Heartbeat(msgspec.Struct, frozen=True):
    """`GossipParameters.heartbeat_ms` passed."""


Input: TypeAlias = RpcReceived | Validated | Heartbeat | PeerJoined | PeerLeft


class Wake(msgspec.Struct, frozen=True):
    """The outbox of a peer is no longer empty.

    The shell takes from it until `Router.take` returns nothing or its stream is full, and then
    again whenever the stream has room; `Wake` comes back only after nothing was left.
    """

    peer_id: PeerId


class Deliver(msgspec.Struct, frozen=True):
    """A new message for the application, and the peer that brought it first."""

    message: Message
    sender: PeerId


class Validate(msgspec.Struct, frozen=True):
    """Ask the validator of the topic and answer with `Validated`."""

    message: Message
    sender: PeerId


class Published(msgspec.Struct, frozen=True):
    """Our message was queued for so many peers; for none, gossip may still carry it."""

    message_id: bytes
    peer_count: int


class AlreadyPublished(msgspec.Struct, frozen=True):
    """The message was seen before, so it is not sent again."""

    message_id: bytes


class SubscriptionChanged(msgspec.Struct, frozen=True):
    """A peer subscribed to one of the known topics, or left it."""

    peer_id: PeerId
    topic: str
    is_subscribed: bool


class DialPeer(msgspec.Struct, frozen=True):
    """Connect to a peer that a trusted one named, or to a direct peer that is missing.

    Args:
        envelope: the peer's signed record, verified; empty for a direct peer, whose address the
            shell knows.
    """

    peer_id: PeerId
    envelope: bytes


class ResetStream(msgspec.Struct, frozen=True):
    """The peer sent bytes that are not an RPC: reset the stream it writes to."""

    peer_id: PeerId
    reason: str


class Disconnect(msgspec.Struct, frozen=True):
    """The score of a peer fell below the graylist threshold."""

    peer_id: PeerId
    reason: str


Effect: TypeAlias = (
    Wake
    | Deliver
    | Validate
    | Published
    | AlreadyPublished
    | SubscriptionChanged
    | DialPeer
    | ResetStream
    | Disconnect
)
