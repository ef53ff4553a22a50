"""What a probe prints: one JSON object per line, told apart by its field `event`.

The peers of other languages in tests/interop print the same, and the tests read them through these
types, so that an unknown field or a missing one is an error.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from p2p.peer_view import PeerView


class ProbeEvent(msgspec.Struct, frozen=True, tag_field="event", forbid_unknown_fields=True):
    """One line; the tag is the name of the event."""


class Listening(ProbeEvent, frozen=True, tag="listening"):
    """The probe is up; `addrs` end in its peer id, and are empty where it does not listen."""

    peer: str
    addrs: tuple[str, ...]


class Connected(ProbeEvent, frozen=True, tag="connected"):
    """A connection is ready for streams; `direction` is inbound or outbound."""

    peer: str
    direction: str
    security: str
    muxer: str


class Disconnected(ProbeEvent, frozen=True, tag="disconnected"):
    """A connection ended, whoever ended it."""

    peer: str
    direction: str


class Identified(ProbeEvent, frozen=True, kw_only=True, tag="identify"):
    """What a peer says of itself.

    Args:
        observed: our address as the peer sees it.
        record: whether a signed peer record came along.
    """

    peer: str
    agent: str | None
    protocol: str | None
    protocols: tuple[str, ...]
    addrs: tuple[str, ...]
    observed: str | None
    record: bool


class Pinged(ProbeEvent, frozen=True, tag="ping"):
    """One answer to a ping of ours."""

    peer: str
    rtt_ms: float


class Subscribed(ProbeEvent, frozen=True, tag="subscription"):
    """A peer takes up a topic or drops it."""

    peer: str
    topic: str
    subscribed: bool


class Echoed(ProbeEvent, frozen=True, tag="echo"):
    """What came back through /interop/echo/1.0.0, and whether it is what was sent."""

    peer: str
    bytes: int
    same: bool


class Performed(ProbeEvent, frozen=True, kw_only=True, tag="perf"):
    """One exchange over /perf/1.0.0 that we asked for; sizes in bytes, CPU of all our threads."""

    peer: str
    up: int
    down: int
    seconds: float
    cpu_s: float


class PerfServed(ProbeEvent, frozen=True, kw_only=True, tag="perf-served"):
    """One exchange over /perf/1.0.0 that a peer asked for; `up` is what it sent us."""

    peer: str
    up: int
    down: int
    seconds: float
    cpu_s: float


class Redialled(ProbeEvent, frozen=True, kw_only=True, tag="redials"):
    """So many connections were opened and closed again, one after the other."""

    peer: str
    n: int
    seconds: float
    cpu_s: float


class MessageReceived(ProbeEvent, frozen=True, kw_only=True, tag="message"):
    """A message of a topic arrived for the first time.

    Args:
        id: in hexadecimal digits.
        author: None where the message is not signed; `from` on the line.
        via: the neighbour that sent it.
        seqno: a decimal number as text, because JavaScript cannot hold 64 bits.
        index: the number in the payload; None where the payload is not intact.
        intact: whether the payload is what its first 16 bytes say.
    """

    topic: str
    id: str
    author: str | None = msgspec.field(name="from")
    via: str
    seqno: str | None
    signed: bool
    size: int
    sha256: str
    index: int | None
    intact: bool


class Published(ProbeEvent, frozen=True, tag="published"):
    """All own messages are out of our hands; time and CPU since the first."""

    n: int
    seconds: float
    cpu_s: float


class Stats(ProbeEvent, frozen=True, kw_only=True, tag="stats"):
    """What arrived so far; `seconds` and `cpu_s` run from the first message to the last expected.

    Printed when the goals are met or time is up, and again after the linger.
    """

    received: int
    bytes: int
    corrupt: int
    seconds: float
    cpu_s: float


class Peers(ProbeEvent, frozen=True, tag="peers"):
    """Who is connected when the goals are met or time is up, each with its score, part by part."""

    peers: tuple[PeerView, ...]


class DialFailed(ProbeEvent, frozen=True, tag="dial-error"):
    """No connection came of an address."""

    addr: str
    error: str


class Done(ProbeEvent, frozen=True, tag="done"):
    """The last line; `fails` names each goal that was not met, and why."""

    ok: bool
    fails: tuple[str, ...]


AnyEvent: TypeAlias = (
    Listening
    | Connected
    | Disconnected
    | Identified
    | Pinged
    | Subscribed
    | Echoed
    | Performed
    | PerfServed
    | Redialled
    | MessageReceived
    | Published
    | Stats
    | Peers
    | DialFailed
    | Done
)

Emit: TypeAlias = Callable[[AnyEvent], None]
"""Who prints the events."""

ENCODER = msgspec.json.Encoder()
DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
