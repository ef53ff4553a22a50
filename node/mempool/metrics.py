"""Show Prometheus what waits, how it left, and what the memory of signatures saves.

The rooms count in plain integers; this collector reads them when it is scraped.
"""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from node.mempool.pool import Pool
from node.signatures.verified import VerifiedSignatures


class MempoolCollector(Collector):
    """Collect the metrics of one pool; register it with the registry of the node."""

    def __init__(self, pool: Pool, verified: VerifiedSignatures) -> None:
        self._pool = pool
        self._verified = verified

    @override
    def collect(self) -> Iterable[Metric]:
        """Yield every metric as it is now."""
        pool = self._pool
        yield GaugeMetricFamily("mempool_transactions", "Transactions that wait.", value=len(pool))
        yield GaugeMetricFamily(
            "mempool_in_flight",
            "Of these, in own blocks not executed yet.",
            value=pool.flying_count,
        )
        yield GaugeMetricFamily("mempool_bytes", "Memory they take.", value=pool.used_bytes)
        yield GaugeMetricFamily(
            "mempool_senders", "Accounts that sent them.", value=pool.sender_count
        )
        admitted = CounterMetricFamily(
            "mempool_admissions", "Transactions offered and not refused.", labels=["outcome"]
        )
        for admission, count in pool.admissions.items():
            admitted.add_metric([admission.value], count)
        yield admitted
        departed = CounterMetricFamily(
            "mempool_departures", "Transactions that left, by reason.", labels=["reason"]
        )
        for departure, count in pool.departures.items():
            departed.add_metric([departure.value], count)
        yield departed
        proposed = CounterMetricFamily(
            "mempool_proposals", "What became of those proposed here.", labels=["outcome"]
        )
        for outcome, count in pool.proposals.items():
            proposed.add_metric([outcome], count)
        yield proposed
        checks = CounterMetricFamily(
            "mempool_executor_signatures", "Signatures the executor needed.", labels=["source"]
        )
        checks.add_metric(["memory"], self._verified.hits)
        checks.add_metric(["checked"], self._verified.misses)
        yield checks
