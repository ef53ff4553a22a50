"""The kernel must stay cheap, or simulations of many hours become impossible."""

import pytest

from benchmarks.simulator_kernel import BUDGET_US, CHAOS, measure_us
from devnet.simulator.kernel.network import LinkOrder

# A shared machine may be slow for a while; a kernel that got ten times slower still shows.
PATIENCE = 4


@pytest.mark.slow
def test_delivery_under_chaos_stays_within_its_budget() -> None:
    assert measure_us(CHAOS, LinkOrder.FIFO, bursts=2_000) <= BUDGET_US * PATIENCE
