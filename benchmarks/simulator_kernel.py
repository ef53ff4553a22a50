"""CPU per message that the simulator's kernel delivers, without any protocol on it.

The budget is 8 us: at about 270 deliveries per simulated second the kernel then takes 0.2 % of a
core, and the protocol under test decides how fast a simulation runs.
"""

import time

from devnet.simulator.kernel.latency import parse_latency
from devnet.simulator.kernel.network import LinkOrder, Network
from devnet.simulator.kernel.network_faults import LinkFaults
from devnet.simulator.kernel.scheduler import Scheduler, TieOrder

BUDGET_US = 8
NODES = 4
BURSTS = 10_000
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


def main() -> None:
    """Print one line per kind of network."""
    for name, faults in (("perfect", PERFECT), ("chaos", CHAOS)):
        for order in LinkOrder:
            cost_us = measure_us(faults, order)
            print(f"{name:8} {order.name:4} {cost_us:5.2f} us per delivered message")


if __name__ == "__main__":
    main()
