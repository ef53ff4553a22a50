"""What travels over the WebSocket: JSON texts of a closed list of messages, both ways.

The client numbers its subscriptions; every notice carries the number, so one socket can hold
several. `type` tells the message.
"""

import enum
from typing import Annotated, Final, TypeAlias

import msgspec

from node.rpc.schemas import LogLine, PlacedEvent
from node.rpc.texts import DigestText, Whole

EVERY_MS_MAX: Final = 1_000
SubscriptionId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Topic(enum.Enum):
    """What can be followed."""

    COMMITS = "commits"
    """Every commit and every certificate."""

    EVENTS = "events"
    """Events of contracts, of one contract if it is named."""

    ROUNDS = "rounds"
    """What happens to training rounds, of one task if it is named."""

    LOGS = "logs"
    """The log of the node; for its operator."""


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of all messages."""


class Subscribe(_Message, frozen=True, kw_only=True, tag="subscribe"):
    """Follow a topic from now on."""

    id: SubscriptionId
    topic: Topic
    contract: DigestText | None = None
    task: Whole | None = None
    every_ms: Annotated[int, msgspec.Meta(ge=0, le=EVERY_MS_MAX)] = 0
    """At least so long between two looks at the chain, then all that came in a `Batch`, where
    every subscription of the socket asks for that; 0: at once. For who only shows what is."""


class Unsubscribe(_Message, frozen=True, kw_only=True, tag="unsubscribe"):
    """Stop following; notices on their way may still come."""

    id: SubscriptionId


class Subscribed(_Message, frozen=True, kw_only=True, tag="subscribed"):
    """From the commit after this height on, everything comes."""

    id: SubscriptionId
    height: Whole


class Unsubscribed(_Message, frozen=True, kw_only=True, tag="unsubscribed"):
    """Nothing more comes for this subscription."""

    id: SubscriptionId


class CommitNotice(_Message, frozen=True, kw_only=True, tag="commit"):
    """A commit was executed and is durable on this node."""

    id: SubscriptionId
    height: Whole
    epoch: Whole
    commit_index: Whole
    digest: DigestText
    time_ms: Whole
    state_root: DigestText
    receipts: Whole
    checkpoint: Whole | None
    """Its number; None for a commit without one."""


class CertificateNotice(_Message, frozen=True, kw_only=True, tag="certificate"):
    """Everything up to this height is final."""

    id: SubscriptionId
    number: Whole
    epoch: Whole
    height: Whole
    formed_ms: Whole
    """When this node knew it, by its own clock."""


class EventNotice(_Message, frozen=True, kw_only=True, tag="event"):
    """A contract told something."""

    id: SubscriptionId
    event: PlacedEvent


class RoundNotice(_Message, frozen=True, kw_only=True, tag="round"):
    """Something happened to a training round."""

    id: SubscriptionId
    task: Whole
    event: PlacedEvent


class LogNotice(_Message, frozen=True, kw_only=True, tag="log"):
    """The node logged something."""

    id: SubscriptionId
    line: LogLine


class Refused(_Message, frozen=True, kw_only=True, tag="refused"):
    """A message of the client was refused; the socket stays open."""

    id: SubscriptionId | None
    code: str
    message: str


Notice: TypeAlias = CommitNotice | CertificateNotice | EventNotice | RoundNotice | LogNotice


class Batch(_Message, frozen=True, kw_only=True, tag="batch"):
    """Notices in the order they happened."""

    notices: tuple[Notice, ...]


FromClient: TypeAlias = Subscribe | Unsubscribe
Single: TypeAlias = Subscribed | Unsubscribed | Notice | Refused
FromNode: TypeAlias = Single | Batch
