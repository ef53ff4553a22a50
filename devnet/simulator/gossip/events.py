"""What happens to a simulated gossip node, and what its program asks of the machine."""

from typing import TypeAlias

import msgspec

from p2p.gossip.events import Effect, Verdict
from p2p.wire.role import Direction


class FromPeer(msgspec.Struct, frozen=True):
    """Framed RPCs of another node."""

    peer: int
    raw: bytes


class Connected(msgspec.Struct, frozen=True):
    """A connection to another node is open."""

    peer: int
    direction: Direction


class Disconnected(msgspec.Struct, frozen=True):
    """The connection to another node is gone."""

    peer: int


class Beat(msgspec.Struct, frozen=True):
    """A heartbeat is due."""


class Publish(msgspec.Struct, frozen=True):
    """The application has a message."""

    payload: bytes


class Judged(msgspec.Struct, frozen=True):
    """The validator has an answer."""

    message_id: bytes
    verdict: Verdict


class Transmit(msgspec.Struct, frozen=True):
    """Send framed RPCs; attackers write their own."""

    peer: int
    raw: bytes


NodeInput: TypeAlias = FromPeer | Connected | Disconnected | Beat | Publish | Judged
NodeEffect: TypeAlias = Effect | Transmit
