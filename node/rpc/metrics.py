"""`/metrics`: what the node counts, in the text form of Prometheus, read when it is asked for.

Names are `<room>_<thing>_<unit>[_total]`; labels come from bounded sets. p2p declares its own.
Source: the Prometheus exposition format 0.0.4.
"""

import os
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from node.mempool.pool import Pool
from node.rpc.context import MetricSource, NodeContext
from node.rpc.door import Door
from node.rpc.exchange import Tally
from node.rpc.limits import Quota
from p2p.metrics import P2pCollector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_KIB: Final = 1_024
_STATM: Final = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return how much memory this node holds; on systems without /proc, the most it ever held."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * _KIB
    return pages * os.sysconf("SC_PAGE_SIZE")


class NodeCollector(Collector):
    """Collects what the rooms of the node count."""

    def __init__(self, context: NodeContext, *, door: Door, tally: Tally, quota: Quota) -> None:
        self._context = context
        self._door = door
        self._tally = tally
        self._quota = quota

    @override
    def collect(self) -> Iterable[Metric]:
        """Yield every metric as it is now."""
        yield from self._chain()
        yield from self._parts()
        yield from self._duties()
        yield from self._server()
        yield _gauge("node_resident_memory_bytes", "Memory that the node holds.", resident_bytes())
        uptime_ms = self._context.clock.monotonic_ms() - self._context.started_ms
        yield _gauge("node_uptime_seconds", "Time since the node began.", uptime_ms / 1_000)
        yield _gauge("node_ready", "Whether the node follows the chain.", self._context.is_ready())

    def _chain(self) -> Iterator[Metric]:
        chain = self._context.chain
        head, certified = chain.head, chain.certified
        final = 0 if certified is None else certified.checkpoint.height
        since = chain.genesis.time_ms if certified is None else certified.checkpoint.timestamp_ms
        yield _gauge("chain_height", "Commits executed since genesis.", head.height)
        yield _gauge("chain_epoch", "Epoch of the next commit.", head.epoch)
        yield _gauge("chain_certified_height", "Height of the newest certificate.", final)
        yield _gauge(
            "chain_finality_lag_commits",
            "Executed commits above the newest certificate.",
            max(0, head.height - final),
        )
        # By the wall clock: that of the chain stands still with it, when it matters most.
        now_ms = self._context.clock.wall_ms()
        yield _gauge(
            "chain_finality_lag_seconds",
            "Wall time since the newest certificate.",
            max(0, now_ms - since) / 1_000,
        )
        age_ms = max(0, now_ms - head.time_ms)
        yield _gauge("chain_head_age_seconds", "Wall time since the last commit.", age_ms / 1_000)
        yield _gauge("chain_subscribers", "Who listens to the feed.", chain.feed.subscriber_count)

    def _parts(self) -> Iterator[Metric]:
        context = self._context
        yield _gauge("mempool_transactions", "Transactions that wait.", len(context.mempool.pool))
        yield _gauge("mempool_bytes", "Their bytes.", context.mempool.pool.used_bytes)
        yield from _counters(context.mempool.pool)
        if context.blobs is not None:
            total = context.blobs.total
            yield _gauge("blobs_count", "Blobs that are kept.", total.blobs)
            yield _gauge("blobs_bytes", "Their bytes.", total.size_bytes)
            yield _gauge("blobs_limit_bytes", "How many may be kept.", total.bytes_max)
            yield _gauge("blobs_file_bytes", "Bytes of files for workers.", total.file_bytes)

    def _duties(self) -> Iterator[Metric]:
        duties = self._context.duties
        if duties is None:
            return
        yield _gauge("duties_jobs", "Duties under way.", len(duties.status().jobs))
        last = GaugeMetricFamily(
            "duties_last_seconds", "How long the last duty of a step took.", labels=["step"]
        )
        times = {mark.step: mark.took_ms for one in duties.rounds() for mark in one.jobs}
        for step, took_ms in sorted(times.items()):
            last.add_metric([step], took_ms / 1_000)
        yield last

    def _server(self) -> Iterator[Metric]:
        tally = self._tally
        yield _gauge("rpc_connections", "Connections of clients.", self._door.connection_count)
        yield _gauge("rpc_subscriptions", "Subscriptions of WebSockets.", self._quota.taken)
        yield CounterMetricFamily(
            "rpc_refused_connections", "Connections not let in.", value=self._door.refused_total
        )
        yield CounterMetricFamily("rpc_requests", "Requests.", value=tally.requests)
        yield CounterMetricFamily("rpc_refused", "Requests that were refused.", value=tally.refused)
        yield CounterMetricFamily("rpc_failed", "Requests that failed here.", value=tally.failed)


def _counters(pool: Pool) -> Iterator[Metric]:
    admissions = CounterMetricFamily("mempool_offers", "Offers, by outcome.", labels=["outcome"])
    for outcome, count in pool.admissions.items():
        admissions.add_metric([outcome.value], count)
    departures = CounterMetricFamily("mempool_departures", "What left, by reason.", labels=["why"])
    for why, count in pool.departures.items():
        departures.add_metric([why.value], count)
    yield from (admissions, departures)


class _Part(Collector):
    """Collects what a part of the node offers."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source

    @override
    def collect(self) -> Iterable[Metric]:
        return self._source.collect()


class Metrics:
    """All metrics of one node."""

    def __init__(self, context: NodeContext, *, door: Door, tally: Tally, quota: Quota) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(NodeCollector(context, door=door, tally=tally, quota=quota))
        if context.host is not None:
            self._registry.register(P2pCollector(context.host, context.pubsub))
        for source in context.metrics:
            self._registry.register(_Part(source))

    def text(self) -> bytes:
        """Return them as Prometheus reads them."""
        return generate_latest(self._registry)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
