"""Show Prometheus what the host and its topics count, without costing the hot paths anything.

The rooms count in plain integers; this collector reads them when it is scraped. Labels come from
bounded sets: our own protocols and topics, and the reasons of an enum.
"""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from p2p.host import Host
from p2p.pubsub import PubSub
from p2p.wire.role import Direction


class P2pCollector(Collector):
    """Collect the metrics of one host; register it with the registry of the node."""

    def __init__(self, host: Host, pubsub: PubSub | None = None) -> None:
        self._host = host
        self._pubsub = pubsub

    @override
    def collect(self) -> Iterable[Metric]:
        """Yield every metric as it is now."""
        yield from self._connections()
        yield from self._protocols()
        if self._pubsub is not None:
            yield from _topics(self._pubsub)
            yield from _router(self._pubsub)

    def _connections(self) -> Iterator[Metric]:
        host = self._host
        count = GaugeMetricFamily(
            "p2p_connections", "Open connections, by who dialled.", labels=["direction"]
        )
        for direction in Direction:
            of_direction = [c for c in host.connections if c.direction is direction]
            count.add_metric([direction.value], len(of_direction))
        yield count
        yield GaugeMetricFamily("p2p_peers", "Connected peers.", value=len(host.connections.peers))
        yield GaugeMetricFamily("p2p_known_peers", "Peers in the store.", value=len(host.peers))
        yield GaugeMetricFamily("p2p_bans", "Peers and addresses banned.", value=len(host.bans))
        refused = CounterMetricFamily(
            "p2p_refused_connections", "Inbound connections not let in.", labels=["reason"]
        )
        for reason, number in host.refusals.items():
            refused.add_metric([reason.name.lower()], number)
        yield refused

    def _protocols(self) -> Iterator[Metric]:
        streams = CounterMetricFamily(
            "p2p_streams", "Streams that agreed on a protocol.", labels=["protocol", "direction"]
        )
        traffic = CounterMetricFamily(
            "p2p_stream_bytes", "Bytes of streams, negotiation apart.", labels=["protocol", "flow"]
        )
        for protocol, usage in self._host.usages.items():
            streams.add_metric([protocol, "inbound"], usage.inbound_streams)
            streams.add_metric([protocol, "outbound"], usage.outbound_streams)
            traffic.add_metric([protocol, "received"], usage.received_bytes)
            traffic.add_metric([protocol, "sent"], usage.sent_bytes)
        yield streams
        yield traffic


def _topics(pubsub: PubSub) -> Iterator[Metric]:
    report = pubsub.router.report()
    messages = CounterMetricFamily(
        "p2p_gossip_messages", "Messages by what became of them.", labels=["topic", "fate"]
    )
    payload = CounterMetricFamily(
        "p2p_gossip_delivered_bytes", "Payload of new messages.", labels=["topic"]
    )
    mesh = GaugeMetricFamily("p2p_gossip_mesh_peers", "Peers in the mesh.", labels=["topic"])
    heard = GaugeMetricFamily("p2p_gossip_subscribers", "Peers that subscribe.", labels=["topic"])
    for name, topic in report.topics.items():
        for fate in ("published", "delivered", "duplicates", "forwarded", "ignored", "rejected"):
            messages.add_metric([name, fate], getattr(topic, fate))
        payload.add_metric([name], topic.delivered_bytes)
        mesh.add_metric([name], topic.mesh)
        heard.add_metric([name], topic.subscribers)
    yield from (messages, payload, mesh, heard)


def _router(pubsub: PubSub) -> Iterator[Metric]:
    report = pubsub.router.report()
    gauges = {
        "pending": "Messages that wait for a validator.",
        "seen": "Message ids remembered.",
        "cache_bytes": "Bytes of messages that can be asked for.",
        "outbox_bytes": "Bytes that wait for slow peers.",
    }
    for name, text in gauges.items():
        yield GaugeMetricFamily(f"p2p_gossip_{name}", text, value=getattr(report, name))
    counters = {
        "malformed_rpcs": "RPCs that could not be read.",
        "ignored_rpcs": "RPCs of graylisted peers and strangers.",
        "pending_overflows": "Messages dropped because too many wait for a validator.",
        "broken_promises": "Messages advertised and not sent when asked for.",
        "outbox_dropped": "Messages dropped because a peer was too slow.",
    }
    for name, text in counters.items():
        yield CounterMetricFamily(f"p2p_gossip_{name}", text, value=getattr(report, name))
