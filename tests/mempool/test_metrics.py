"""What the pool counts is what Prometheus shows."""

from prometheus_client import CollectorRegistry, generate_latest

from node.mempool.metrics import MempoolCollector
from node.signatures.verified import VerifiedSignatures
from tests.mempool.counter import Counter
from tests.mempool.purse import Purse


def test_counts_are_shown() -> None:
    alice, bob = Purse(1), Purse(2)
    counter = Counter(alice, bob)
    first = alice.transfer()
    for signed in (first, first, bob.transfer()):
        counter.admit(signed)
    counter.take()
    counter.execute(alice, first)
    registry = CollectorRegistry()
    registry.register(MempoolCollector(counter.pool, VerifiedSignatures()))
    shown = generate_latest(registry).decode().splitlines()
    for line in (
        "mempool_transactions 1.0",
        "mempool_in_flight 1.0",
        "mempool_senders 1.0",
        'mempool_admissions_total{outcome="added"} 2.0',
        'mempool_admissions_total{outcome="known"} 1.0',
        'mempool_departures_total{reason="executed"} 1.0',
        'mempool_proposals_total{outcome="taken"} 2.0',
        'mempool_executor_signatures_total{source="memory"} 0.0',
    ):
        assert line in shown
