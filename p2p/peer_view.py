"""What an operator sees of each connected peer: who, where, how fast, and what it is worth."""

from dataclasses import dataclass

from p2p.gossip.score_parts import ScoreParts


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """One connected peer.

    Attributes:
        direction: "inbound" or "outbound".
        age_ms: since the connection began.
        rtt_ms: of the last keep-alive ping; None before the first.
        score: what gossip makes of it, part by part; None without gossip.
    """

    peer: str
    direction: str
    address: str
    agent: str | None
    age_ms: int
    rtt_ms: int | None
    streams: int
    received_bytes: int
    sent_bytes: int
    score: ScoreParts | None
