"""What the router knows of one connected peer."""

from typing import Final

from p2p.gossip.events import Effect, Wake
from p2p.gossip.outbox import Outbox
from p2p.gossip.parameters import GossipParameters
from p2p.gossip.score_parts import PeerStats
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Direction

MESHSUB_PROTOCOLS: Final = ("/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0")
"""What we speak, best first. floodsub is left out: it has no defence."""


class Peer:
    """One logical peer, however many connections and streams it has.

    Attributes:
        is_outbound: we dialled it, so it is not one of many that came to us on purpose.
        knows_backoff: its PRUNE holds a backoff and peers (version 1.1).
        knows_idontwant: it understands IDONTWANT (version 1.2).
        unwanted: ids it has already, with the heartbeat from which on they may go.
        envelope: its signed record, verified; empty if unknown.
        ihave_rpcs: RPCs with an IHAVE since the last heartbeat.
        ids_asked: ids we asked it for since then.
        idontwant_ids: ids it refused since then.
        duplicates: messages it sent that were seen, in this span of the seen ids.
        duplicates_span: which span that is.
        pending: its messages that wait for a verdict.
        pending_bytes: their size.
    """

    __slots__ = (
        "duplicates",
        "duplicates_span",
        "envelope",
        "idontwant_ids",
        "ids_asked",
        "ihave_rpcs",
        "is_direct",
        "is_disconnecting",
        "is_outbound",
        "knows_backoff",
        "knows_idontwant",
        "outbox",
        "peer_id",
        "pending",
        "pending_bytes",
        "stats",
        "unwanted",
    )

    def __init__(
        self,
        peer_id: PeerId,
        stats: PeerStats,
        effects: list[Effect],
        *,
        parameters: GossipParameters,
        is_direct: bool,
    ) -> None:
        self.peer_id = peer_id
        self.stats = stats
        self.is_direct = is_direct
        self.is_outbound = False
        self.is_disconnecting = False
        self.knows_backoff = False
        self.knows_idontwant = False
        self.outbox = Outbox(Wake(peer_id), effects, bytes_max=parameters.outbox_bytes_max)
        self.unwanted: dict[bytes, int] = {}
        self.envelope = b""
        self.ihave_rpcs = 0
        self.ids_asked = 0
        self.idontwant_ids = 0
        self.duplicates = 0
        self.duplicates_span = 0
        self.pending = 0
        self.pending_bytes = 0

    def negotiated(self, protocol: str, direction: Direction) -> None:
        """Learn the version that the peer speaks and who opened the connection."""
        self.is_outbound = direction is Direction.OUTBOUND
        self.knows_backoff = protocol in MESHSUB_PROTOCOLS[:2]
        self.knows_idontwant = protocol == MESHSUB_PROTOCOLS[0]

    def begin_heartbeat(self, tick: int) -> None:
        """Forget what counts for one heartbeat, and the unwanted ids whose time is over."""
        self.ihave_rpcs = 0
        self.ids_asked = 0
        self.idontwant_ids = 0
        if self.unwanted:
            self.unwanted = {
                message_id: until for message_id, until in self.unwanted.items() if until > tick
            }
