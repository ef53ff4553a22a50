"""What is counted of one peer, and what the counters are worth."""

from collections.abc import Mapping
from dataclasses import dataclass

from p2p.gossip.parameters import ScoreParameters, TopicScore


class TopicStats:
    """The counters of one peer on one topic."""

    __slots__ = (
        "first_deliveries",
        "grafted_ms",
        "invalid",
        "is_deficit_active",
        "mesh_deliveries",
        "mesh_failures",
        "mesh_time_ms",
    )

    def __init__(self) -> None:
        self.grafted_ms: int | None = None
        self.mesh_time_ms = 0
        self.is_deficit_active = False
        self.first_deliveries: float = 0
        self.mesh_deliveries: float = 0
        self.mesh_failures: float = 0
        self.invalid: float = 0


class PeerStats:
    """The counters of one peer, and the score that follows from them.

    Attributes:
        score: as of the last refresh or penalty.
        neighbours: peers on the same address, this one included; 0 where that means nothing.
    """

    __slots__ = (
        "application",
        "behaviour",
        "expires_ms",
        "ip",
        "is_here",
        "neighbours",
        "score",
        "topics",
    )

    def __init__(self) -> None:
        self.topics: dict[str, TopicStats] = {}
        self.is_here = True
        self.expires_ms = 0
        self.ip: str | None = None
        self.neighbours = 0
        self.application: float = 0
        self.behaviour: float = 0
        self.score: float = 0

    def topic(self, topic: str) -> TopicStats:
        """Return the counters of a topic; callers ask for scored topics only."""
        counters = self.topics.get(topic)
        if counters is None:
            counters = self.topics[topic] = TopicStats()
        return counters


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreParts:
    """A score and what it is made of, weights included.

    Attributes:
        topics: P1 to P4 of all topics, capped.
        mesh_time: P1 of it.
        first_deliveries: P2 of it.
        deficit: P3 and P3b of it.
        invalid: P4 of it.
        application: P5.
        ip: P6.
        behaviour: P7.
    """

    total: float
    topics: float
    mesh_time: float
    first_deliveries: float
    deficit: float
    invalid: float
    application: float
    ip: float
    behaviour: float


def judge(
    stats: PeerStats, topics: Mapping[str, TopicScore], parameters: ScoreParameters
) -> ScoreParts:
    """Return the score of a peer, part by part."""
    time = first = deficit = invalid = 0.0
    for topic, counters in stats.topics.items():
        rules = topics[topic]
        weight = rules.weight
        if counters.mesh_time_ms:
            quanta = counters.mesh_time_ms / rules.mesh_time_quantum_ms
            time += weight * rules.mesh_time_weight * min(quanta, rules.mesh_time_cap)
        first += weight * rules.first_weight * counters.first_deliveries
        lack = rules.deficit_threshold - counters.mesh_deliveries
        if counters.is_deficit_active and lack > 0:
            deficit += weight * rules.deficit_weight * lack * lack
        deficit += weight * rules.failure_weight * counters.mesh_failures
        invalid += weight * rules.invalid_weight * counters.invalid * counters.invalid
    total = time + first + deficit + invalid
    if parameters.topics_cap:
        total = min(total, parameters.topics_cap)
    application = parameters.application_weight * stats.application
    surplus = max(0, stats.neighbours - parameters.ip_threshold)
    ip = parameters.ip_weight * surplus * surplus
    excess = max(0.0, stats.behaviour - parameters.behaviour_threshold)
    behaviour = parameters.behaviour_weight * excess * excess
    return ScoreParts(
        total=total + application + ip + behaviour,
        topics=total,
        mesh_time=time,
        first_deliveries=first,
        deficit=deficit,
        invalid=invalid,
        application=application,
        ip=ip,
        behaviour=behaviour,
    )
