"""List the connected peers for an operator."""

from p2p.gossip.score_parts import ScoreParts
from p2p.host import Host
from p2p.peer_view import PeerView
from p2p.pubsub import PubSub
from p2p.wire.peer_id import PeerId, peer_id_text


def view_peers(host: Host, pubsub: PubSub | None = None) -> list[PeerView]:
    """Return every connected peer, in the order they came, by the connection that will stay."""
    scores = {} if pubsub is None else pubsub.router.scores()
    return [view for peer_id in host.connections.peers if (view := _view(host, peer_id, scores))]


def _view(host: Host, peer_id: PeerId, scores: dict[PeerId, ScoreParts]) -> PeerView | None:
    connection = host.connections.of(peer_id)
    if connection is None:
        return None
    said = host.introductions.of(peer_id)
    return PeerView(
        peer=peer_id_text(peer_id),
        direction=connection.direction.value,
        address=str(connection.remote),
        agent=None if said is None else said.agent_version,
        age_ms=host.clock.monotonic_ms() - connection.began_ms,
        rtt_ms=connection.traffic.rtt_ms,
        streams=connection.stream_count,
        received_bytes=connection.traffic.received_bytes,
        sent_bytes=connection.traffic.sent_bytes,
        score=scores.get(peer_id),
    )
