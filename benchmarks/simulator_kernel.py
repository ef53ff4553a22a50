"""CPU per message that the simulator's kernel delivers, without any protocol on it.

The peer is the least that any discrete-event simulator does: push a callback onto a heap, pop it
and call it. The budget is 8 us: at about 270 deliveries per simulated second the kernel then takes
0.2 % of a core, and the protocol under test decides how fast a simulation runs.
"""

import time
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING

from benchmarks.comparison import Row, compare, run
from devnet.simulator.kernel.latency import parse_latency
from devnet.simulator.kernel.network import LinkOrder, Network
from devnet.simulator.kernel.network_faults import LinkFaults
from devnet.simulator.kernel.scheduler import Scheduler, TieOrder

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET_US = 8
GOAL_HEAPS = 12
NODES = 4
BURSTS = 10_000
BURSTS_QUICK = 2_000
BURST_GAP_US = 60_000

PERFECT = LinkFaults()
CHAOS = LinkFaults(
    loss_permille=100,
    duplicate_permille=200,
    reorder_permille=100,
    reorder_us_max=100_000,
    spike_permille=10,
    spike_us_min=300_000,
    spike_us_max=3_000_000,
    corrupt_permille=10,
)


def measure_us(faults: LinkFaults, order: LinkOrder, *, bursts: int = BURSTS) -> float:
    """Let every node send to every other, again and again; return CPU us per delivered message."""
    scheduler = Scheduler(1, tie_order=TieOrder.SHUFFLED)
    network: Network[bytes] = Network(
        scheduler,
        parse_latency("wan5:jitter"),
        lambda _source, _target, _message: True,
        order=order,
    )
    network.set_link_faults(faults)
    network.gst_us = bursts * BURST_GAP_US
    links = [(source, target) for source in range(NODES) for target in range(NODES)]
    start_s = time.process_time()
    for _ in range(bursts):
        for source, target in links:
            if source != target:
                network.send(source, target, b"a message of about forty bytes in length")
        scheduler.run_until(scheduler.now_us + BURST_GAP_US)
    spent_s = time.process_time() - start_s
    return spent_s * 1e6 / network.counters.delivered


def measure_heap_us(*, bursts: int = BURSTS) -> float:
    """Do the same with nothing but a heap of callbacks; return CPU us per call."""
    rng = Random(1)
    heap: list[tuple[int, int, Callable[[], None]]] = []
    count = bursts * NODES * (NODES - 1)
    start_s = time.process_time()
    for sequence in range(count):
        heappush(heap, (sequence + rng.getrandbits(6), sequence, _ignore))
        if len(heap) > NODES * NODES:
            heappop(heap)[2]()
    return (time.process_time() - start_s) * 1e6 / count


def measure_rows(bursts: int) -> list[Row]:
    """Measure every kind of network."""
    rows = []
    for name, faults in (("perfect", PERFECT), ("chaos", CHAOS)):
        for order in LinkOrder:
            heap_us = measure_heap_us(bursts=bursts)
            rows.append(
                compare(
                    f"{name}, {order.name}",
                    "us per delivered message",
                    measure_us(faults, order, bursts=bursts),
                    peer_name="a bare heap of callbacks",
                    peer=heap_us,
                    goal=GOAL_HEAPS,
                )
            )
    worst_us = max(row.ours for row in rows)
    rows.append(
        compare(
            "the worst of them",
            "us per delivered message",
            worst_us,
            peer_name="budget on this class of machine",
            peer=BUDGET_US,
            goal=1,
        )
    )
    return rows


def _ignore() -> None:
    """Stand for the least that an event can do."""


def main() -> None:
    """Measure everything, or with less patience."""
    run(
        "simulator_kernel",
        lambda is_quick: measure_rows(BURSTS_QUICK if is_quick else BURSTS),
    )


if __name__ == "__main__":
    main()
