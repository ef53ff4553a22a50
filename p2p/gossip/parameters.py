"""The numbers of gossipsub: mesh degrees, gossip, queues, and what each deed does to a score.

Defaults are those of go-libp2p-pubsub unless a line says otherwise; scores follow Filecoin (Lotus),
whose network has run with them for years. Scores are local and never agreed on, so they may be
real numbers.
"""

from dataclasses import dataclass
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS

RPC_SIZE_BYTES_MAX: Final = 1024 * 1024
"""What we read; go and py reset the stream above it."""
RPC_SENT_SIZE_BYTES_MAX: Final = RPC_SIZE_BYTES_MAX - 64
PAYLOAD_SIZE_BYTES_MAX: Final = 1_048_000
"""The largest payload that fits an RPC with its topic and signature; larger things are split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicScore:
    """What a peer's deeds on one topic are worth (P1 to P4); a weight of 0 switches a part off.

    Attributes:
        weight: multiplies the sum of all parts of the topic.
        mesh_time_weight: P1, a reward for each quantum in our mesh.
        first_weight: P2, a reward for each message that came from the peer first.
        deficit_weight: P3, negative; multiplies the squared lack of deliveries in the mesh.
        failure_weight: P3b, negative; the deficit at the time of a prune, kept.
        invalid_weight: P4, negative; multiplies the square of invalid messages.
    """

    weight: float = 0.1
    mesh_time_weight: float = 0.00027
    mesh_time_quantum_ms: int = SECOND_MS
    mesh_time_cap: float = 1
    first_weight: float = 0
    first_decay_ms: int = HOUR_MS
    first_cap: float = 100
    deficit_weight: float = 0
    deficit_decay_ms: int = HOUR_MS
    deficit_cap: float = 100
    deficit_threshold: float = 20
    deficit_window_ms: int = 10
    deficit_activation_ms: int = 5 * MINUTE_MS
    failure_weight: float = 0
    failure_decay_ms: int = HOUR_MS
    invalid_weight: float = -1000
    invalid_decay_ms: int = HOUR_MS


BLOCKS_SCORE: Final = TopicScore(first_weight=5)
"""For rare and weighty messages, as Filecoin scores its blocks."""
TRANSACTIONS_SCORE: Final = TopicScore(
    mesh_time_weight=0.00028, first_weight=0.5, first_decay_ms=10 * MINUTE_MS, invalid_weight=-100
)
"""As Filecoin, but an invalid message costs a tenth: two nodes may disagree about a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreParameters:
    """What is common to all topics: thresholds and P5 to P7.

    Attributes:
        gossip_threshold: below, no IHAVE or IWANT in either direction.
        publish_threshold: below, we do not send our own messages to the peer.
        graylist_threshold: below, everything from the peer is ignored and it is disconnected.
        px_threshold: from here on we dial the peers that a peer names to us.
        opportunistic_threshold: a median below it lets us graft better peers.
        topics_cap: the most that all topics together may give; 0 for no bound.
        application_weight: P5, multiplies what the shell set for a peer.
        ip_weight: P6, multiplies the squared surplus of peers on one address.
        behaviour_weight: P7, multiplies the square of broken rules above the threshold.
        retain_ms: how long a bad score outlives the connection, or leaving would reset it.
    """

    gossip_threshold: float = -500
    publish_threshold: float = -1000
    graylist_threshold: float = -2500
    px_threshold: float = 1000
    opportunistic_threshold: float = 3.5
    topics_cap: float = 0
    application_weight: float = 1
    ip_weight: float = -100
    ip_threshold: int = 5
    behaviour_weight: float = -10
    behaviour_threshold: float = 6
    behaviour_decay_ms: int = HOUR_MS
    decay_interval_ms: int = SECOND_MS
    decay_to_zero: float = 0.01
    retain_ms: int = 6 * HOUR_MS
    retained_peers_max: int = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipParameters:
    """The numbers of the mesh and of the gossip around it.

    Attributes:
        degree: peers in a full mesh; `degree_low` and `degree_high` are where we act.
        degree_score: peers kept for their score when a mesh is too large.
        degree_outbound: peers in a mesh that we dialled, so that nobody can fill it from outside.
        degree_lazy: peers outside the mesh that hear of new messages, at least.
        gossip_factor: the share of them, if that is more.
        heartbeat_ms: how often the shell sends `Heartbeat`; go has 1000, Ethereum and we 700.
        history_windows: heartbeats for which a message can be asked for.
        gossip_windows: heartbeats for which it is advertised.
        seen_ms: how long a message id is remembered, at least.
        flood_size_bytes_max: own messages up to this size go to every subscriber; larger ones to
            the mesh. 0 switches flood publishing off.
        offers_peers: whether a PRUNE names other peers; meant for bootstrap nodes.
        pending_share: one peer may fill one part in so many of the places for a verdict.
        idontwant_size_bytes_min: from this size on, a message is announced as no longer wanted.
    """

    degree: int = 6
    degree_low: int = 5
    degree_high: int = 12
    degree_score: int = 4
    degree_outbound: int = 2
    degree_lazy: int = 6
    gossip_factor: float = 0.25
    heartbeat_ms: int = 700
    history_windows: int = 5
    gossip_windows: int = 3
    seen_ms: int = 120 * SECOND_MS
    seen_ids_max: int = 131_072
    cache_bytes_max: int = 64 * 1024 * 1024
    fanout_ms: int = MINUTE_MS
    prune_backoff_ms: int = MINUTE_MS
    unsubscribe_backoff_ms: int = 10 * SECOND_MS
    backoff_ms_max: int = HOUR_MS
    graft_flood_ms: int = 10 * SECOND_MS
    backoff_clear_ticks: int = 15
    px_peers_max: int = 16
    offers_peers: bool = False
    promise_ms: int = 3 * SECOND_MS
    promises_max: int = 16_384
    retransmissions_max: int = 3
    ids_per_ihave_max: int = 5_000
    ids_asked_max: int = 5_000
    ihave_rpcs_max: int = 10
    idontwant_size_bytes_min: int = 1_024
    idontwant_ids_max: int = 2_048
    idontwant_ticks: int = 3
    opportunistic_ticks: int = 60
    opportunistic_peers: int = 2
    direct_dial_ticks: int = 300
    flood_size_bytes_max: int = 64 * 1024
    pending_max: int = 4_096
    pending_bytes_max: int = 64 * 1024 * 1024
    pending_share: int = 4
    pending_ms: int = 10 * SECOND_MS
    outbox_bytes_max: int = 4 * 1024 * 1024
    score: ScoreParameters = ScoreParameters()
