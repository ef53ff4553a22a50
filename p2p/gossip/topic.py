"""One topic: the rules it is configured with, and who is in its mesh."""

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.gossip.backoff import Backoff
from p2p.gossip.parameters import PAYLOAD_SIZE_BYTES_MAX, TopicScore
from p2p.gossip.policy import MessageIdRule, SigningPolicy, message_id_function

if TYPE_CHECKING:
    from p2p.gossip.peer import Peer
    from p2p.wire.peer_id import PeerId

TOPICS_MAX: Final = 128
"""Topics that one node knows; only these are ever counted for a peer."""
TOPIC_SIZE_BYTES_MAX: Final = 256


class Validation(enum.Enum):
    """Who says whether a message is valid.

    `NONE`: whatever the policy lets through. `ASYNC`: the shell, which gets a `Validate` effect.
    """

    NONE = "none"
    ASYNC = "async"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRules:
    """What every node of a network has to agree on for one topic, and how we score it.

    Attributes:
        score: None for a topic that says nothing about a peer.
    """

    name: str
    policy: SigningPolicy = SigningPolicy.STRICT_NO_SIGN
    message_id: MessageIdRule = MessageIdRule.TOPIC20
    size_bytes_max: int = PAYLOAD_SIZE_BYTES_MAX
    validation: Validation = Validation.NONE
    score: TopicScore | None = None


class TopicCounters:
    """What happened on one topic since the start."""

    __slots__ = (
        "delivered",
        "delivered_bytes",
        "duplicates",
        "forwarded",
        "ignored",
        "published",
        "rejected",
    )

    def __init__(self) -> None:
        self.published = 0
        self.delivered = 0
        self.delivered_bytes = 0
        self.duplicates = 0
        self.forwarded = 0
        self.ignored = 0
        self.rejected = 0


class Topic:
    """The state of one known topic.

    Attributes:
        subscribers: connected peers that are subscribed.
        mesh: peers that send us every message and get every message; empty unless we subscribe.
        fanout: peers that get what we publish without being subscribed.
    """

    __slots__ = (
        "backoff",
        "counters",
        "fanout",
        "is_signed",
        "is_subscribed",
        "is_validated",
        "make_id",
        "mesh",
        "name",
        "published_ms",
        "raw",
        "rules",
        "size_bytes_max",
        "subscribers",
    )

    def __init__(self, rules: TopicRules) -> None:
        self.rules = rules
        self.name = rules.name
        self.raw = rules.name.encode()
        self.is_signed = rules.policy is SigningPolicy.STRICT_SIGN
        self.is_validated = rules.validation is Validation.ASYNC
        self.size_bytes_max = rules.size_bytes_max
        self.make_id = message_id_function(rules.message_id, topic=self.raw)
        self.is_subscribed = False
        self.subscribers: dict[PeerId, Peer] = {}
        self.mesh: dict[PeerId, Peer] = {}
        self.fanout: dict[PeerId, Peer] = {}
        self.published_ms = 0
        self.backoff = Backoff()
        self.counters = TopicCounters()
