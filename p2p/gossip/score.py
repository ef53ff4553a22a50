"""Judge peers by what they do: the peer score of gossipsub 1.1, P1 to P7.

    score = sum over topics of weight x (P1 + P2 + P3 + P3b + P4), capped, + P5 + P6 + P7

Rewards are capped and penalties grow with the square, so nobody buys a misdeed with good ones. A
bad score outlives the connection; a good one does not. Scores are local: no node tells another.
Source: github.com/libp2p/specs, gossipsub-v1.1, "Peer Scoring".
"""

from collections.abc import Iterator
from typing import Final

from p2p.gossip.parameters import ScoreParameters, TopicScore
from p2p.gossip.score_parts import PeerStats, ScoreParts, TopicStats, judge
from p2p.wire.ip import network_text, parse_ip
from p2p.wire.peer_id import PeerId

DECAYS_MAX: Final = 10_000
"""Intervals made up at once after a pause; by then every counter is far below zero's bound."""
_DECAYED_SHARE: Final = 0.01
_IPV6_PREFIX_BITS: Final = 64


class ScoreBook:
    """The scores of the peers that are here, and of those that left with a bad one."""

    def __init__(self, parameters: ScoreParameters) -> None:
        self._parameters = parameters
        self._topics: dict[str, TopicScore] = {}
        self._stats: dict[PeerId, PeerStats] = {}
        self._retained: dict[PeerId, None] = {}
        self._by_ip: dict[str, dict[PeerId, PeerStats]] = {}
        self._refreshed_ms: int | None = None

    def score_topic(self, topic: str, parameters: TopicScore) -> None:
        """Judge a further topic from now on."""
        self._topics[topic] = parameters

    def join(self, peer_id: PeerId, *, ip: str) -> PeerStats:
        """Return what is known of a peer that is here now, at this address."""
        stats = self._stats.get(peer_id)
        if stats is None:
            stats = self._stats[peer_id] = PeerStats()
        self._retained.pop(peer_id, None)
        self._leave_ip(peer_id, stats)
        stats.is_here = True
        key = ip_key(ip)
        if key is not None:
            stats.ip = key
            self._by_ip.setdefault(key, {})[peer_id] = stats
            self._judge_ip(key)
        self._judge(stats)
        return stats

    def leave(self, peer_id: PeerId, *, now_ms: int) -> None:
        """Forget a peer that left, unless its score is bad."""
        stats = self._stats[peer_id]
        stats.is_here = False
        for topic in list(stats.topics):
            self.pruned(stats, topic)
            # No peer may come back to spend what it earned before.
            stats.topics[topic].first_deliveries = 0
        self._judge(stats)
        is_bad = stats.score < 0
        self._leave_ip(peer_id, stats)
        if not is_bad:
            del self._stats[peer_id]
            return
        stats.expires_ms = now_ms + self._parameters.retain_ms
        self._retained[peer_id] = None
        if len(self._retained) > self._parameters.retained_peers_max:
            oldest = next(iter(self._retained))
            del self._retained[oldest], self._stats[oldest]

    def find(self, peer_id: PeerId) -> PeerStats | None:
        """Return what is known of a peer, here or not."""
        return self._stats.get(peer_id)

    def grafted(self, stats: PeerStats, topic: str, *, now_ms: int) -> None:
        """Learn that a peer is in our mesh from now on."""
        if topic in self._topics:
            counters = stats.topic(topic)
            counters.grafted_ms = now_ms
            counters.mesh_time_ms = 0
            counters.is_deficit_active = False

    def pruned(self, stats: PeerStats, topic: str) -> None:
        """Learn that a peer left our mesh; what it failed to deliver stays with it."""
        counters = stats.topics.get(topic)
        if counters is None or counters.grafted_ms is None:
            return
        parameters = self._topics[topic]
        deficit = parameters.deficit_threshold - counters.mesh_deliveries
        if counters.is_deficit_active and deficit > 0:
            counters.mesh_failures += deficit * deficit
        counters.grafted_ms = None
        counters.mesh_time_ms = 0
        counters.is_deficit_active = False

    def delivered_first(self, stats: PeerStats, topic: str) -> None:
        """Learn that a peer brought a valid message before all others."""
        parameters = self._topics.get(topic)
        if parameters is None:
            return
        counters = stats.topic(topic)
        if counters.first_deliveries < parameters.first_cap:
            counters.first_deliveries += 1
        self._count_mesh_delivery(counters, parameters)

    def delivered_again(self, stats: PeerStats, topic: str, *, delay_ms: int) -> None:
        """Learn that a peer brought a message so long after the first copy."""
        parameters = self._topics.get(topic)
        if parameters is not None and delay_ms <= parameters.deficit_window_ms:
            self._count_mesh_delivery(stats.topic(topic), parameters)

    def delivered_invalid(self, stats: PeerStats, topic: str) -> None:
        """Learn that a peer brought a message that is a lie; counts at once."""
        if topic in self._topics:
            stats.topic(topic).invalid += 1
            self._judge(stats)

    def misbehaved(self, stats: PeerStats, count: int = 1) -> None:
        """Learn that a peer broke rules of the protocol; counts at once."""
        stats.behaviour += count
        self._judge(stats)

    def set_application(self, peer_id: PeerId, score: float) -> None:
        """Set what the shell thinks of a peer that is here (P5); counts at once."""
        stats = self._stats.get(peer_id)
        if stats is not None:
            stats.application = score
            self._judge(stats)

    def refresh(self, now_ms: int) -> None:
        """Let counters decay, count the time in the mesh, forget old scores; once a heartbeat."""
        parameters = self._parameters
        if self._refreshed_ms is None:
            self._refreshed_ms = now_ms
        decays = min((now_ms - self._refreshed_ms) // parameters.decay_interval_ms, DECAYS_MAX)
        self._refreshed_ms += decays * parameters.decay_interval_ms
        for peer_id in [
            peer_id for peer_id in self._retained if self._stats[peer_id].expires_ms <= now_ms
        ]:
            del self._retained[peer_id], self._stats[peer_id]
        for stats in self._stats.values():
            if not stats.is_here:
                # A score that decays while its owner is away would reward staying away.
                continue
            for topic, counters in stats.topics.items():
                self._refresh_topic(counters, self._topics[topic], decays, now_ms)
            stats.behaviour = self._decay(stats.behaviour, parameters.behaviour_decay_ms, decays)
            self._judge(stats)

    def parts(self, peer_id: PeerId) -> ScoreParts:
        """Return the score of a peer, part by part."""
        return judge(self._stats[peer_id], self._topics, self._parameters)

    def __iter__(self) -> Iterator[PeerId]:
        """Yield the peers with a score, here or retained."""
        return iter(self._stats)

    def _refresh_topic(
        self, counters: TopicStats, parameters: TopicScore, decays: int, now_ms: int
    ) -> None:
        if counters.grafted_ms is not None:
            counters.mesh_time_ms = now_ms - counters.grafted_ms
            if counters.mesh_time_ms > parameters.deficit_activation_ms:
                counters.is_deficit_active = True
        if not decays:
            return
        decay = self._decay
        if counters.first_deliveries:
            counters.first_deliveries = decay(
                counters.first_deliveries, parameters.first_decay_ms, decays
            )
        if counters.mesh_deliveries:
            counters.mesh_deliveries = decay(
                counters.mesh_deliveries, parameters.deficit_decay_ms, decays
            )
        if counters.mesh_failures:
            counters.mesh_failures = decay(
                counters.mesh_failures, parameters.failure_decay_ms, decays
            )
        if counters.invalid:
            counters.invalid = decay(counters.invalid, parameters.invalid_decay_ms, decays)

    def _decay(self, counter: float, duration_ms: int, decays: int) -> float:
        """Return the counter after so many intervals; it is a hundredth after the duration."""
        if not counter or not decays:
            return counter
        exponent = decays * self._parameters.decay_interval_ms / duration_ms
        decayed: float = counter * _DECAYED_SHARE**exponent
        return decayed if decayed >= self._parameters.decay_to_zero else 0

    def _count_mesh_delivery(self, counters: TopicStats, parameters: TopicScore) -> None:
        if counters.grafted_ms is not None and counters.mesh_deliveries < parameters.deficit_cap:
            counters.mesh_deliveries += 1

    def _leave_ip(self, peer_id: PeerId, stats: PeerStats) -> None:
        if stats.ip is None:
            return
        key, stats.ip, stats.neighbours = stats.ip, None, 0
        del self._by_ip[key][peer_id]
        if not self._by_ip[key]:
            del self._by_ip[key]
        else:
            self._judge_ip(key)

    def _judge_ip(self, key: str) -> None:
        peers = self._by_ip[key]
        for stats in peers.values():
            stats.neighbours = len(peers)
            self._judge(stats)

    def _judge(self, stats: PeerStats) -> None:
        stats.score = judge(stats, self._topics, self._parameters).total


def ip_key(ip: str) -> str | None:
    """Return what addresses of one owner share; None for those that say nothing about owners.

    Loopback and private addresses are shared by design, and other transports have none.
    """
    address = parse_ip(ip)
    if address is None or address.is_loopback or address.is_private:
        return None
    if address.version == 4:
        return str(address)
    return network_text(address, bits=_IPV6_PREFIX_BITS)
