"""What gas buys: the time of every opcode and host function for its gas, on the fast tier.

A case is a function that holds its instructions many times; what the same function takes without
them is subtracted. Storage is a state on a disk, and every instruction pays its part of the commit:
the slots that it changes, and the events that it leaves in the receipt.
"""

import gc
import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.table import Table

from benchmarks.vm_bench import Bench, Trial
from benchmarks.vm_cases import Case

RUNS_PER_WINDOW: Final = 10


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        windows: of which the best counts.
        window_ns: how long one lasts, at least.
        entries: of the state on the disk.
    """

    windows: int = 12
    window_ns: int = 400_000
    entries: int = 100_000


CLOCK_STEP_NS: Final = 1.0
"""Where the time of the least opcode drowns in noise, it counts as what a clock can tell."""

PATIENT: Final = Effort()
QUICK: Final = Effort(windows=5, window_ns=200_000, entries=20_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one case takes.

    Attributes:
        time_ns: of one unit, its part of the commit included.
        settled_ns: that part.
        gas: of one unit.
    """

    case: Case
    time_ns: float
    settled_ns: float
    gas: float

    @property
    def ns_per_gas(self) -> float:
        """Time for gas."""
        return self.time_ns / self.gas


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the opcodes are apart; each counts with the operands that are dearest for it."""

    dearest: Cost
    median: float
    cheapest: Cost


def measure_costs(cases: Sequence[Case], effort: Effort) -> list[Cost]:
    """Measure all cases, one after the other."""
    with ExitStack() as stack:
        bench = Bench.open(effort.entries, stack)
        # What lives as long as the benchmark is nobody's garbage.
        gc.collect()
        gc.freeze()
        stack.callback(gc.unfreeze)
        return [_cost(bench, case, effort) for case in cases]


def spread_of(costs: Sequence[Cost]) -> Spread:
    """Return the extremes and the median of the opcodes."""
    ranked = sorted(dearest_by_op(costs).values(), key=lambda cost: cost.ns_per_gas)
    median = statistics.median(cost.ns_per_gas for cost in ranked)
    return Spread(dearest=ranked[-1], median=median, cheapest=ranked[0])


def dearest_by_op(costs: Sequence[Cost]) -> dict[str, Cost]:
    """Return of each opcode the case in which it takes longest for its gas."""
    dearest: dict[str, Cost] = {}
    for cost in costs:
        known = dearest.get(cost.case.op)
        if known is None or cost.ns_per_gas > known.ns_per_gas:
            dearest[cost.case.op] = cost
    return dearest


def table_of(costs: Sequence[Cost]) -> Table:
    """Return all cases as a table, the dearest first."""
    median = spread_of(costs).median
    counting = {id(cost) for cost in dearest_by_op(costs).values()}
    table = Table(title="time for gas, fast tier", title_justify="left", box=box.SIMPLE)
    table.add_column("opcode and operands")
    for heading in ("gas", "ns", "of it commit", "ns per gas", "over the median"):
        table.add_column(heading, justify="right")
    for cost in sorted(costs, key=lambda cost: -cost.ns_per_gas):
        table.add_row(
            cost.case.name,
            f"{cost.gas:.1f}",
            f"{cost.time_ns:.0f}",
            f"{cost.settled_ns:.0f}",
            f"{cost.ns_per_gas:.2f}",
            f"{cost.ns_per_gas / median:.2f}" if id(cost) in counting else "",
        )
    return table


def _cost(bench: Bench, case: Case, effort: Effort) -> Cost:
    trial = bench.trial(case)
    with_units, without = _least(trial, effort)
    settled_ns = trial.settled_ns() / case.count
    return Cost(
        case=case,
        time_ns=max(CLOCK_STEP_NS, with_units - without) / case.count + settled_ns,
        settled_ns=settled_ns,
        gas=trial.gas / case.count - case.prepaid,
    )


def _least(trial: Trial, effort: Effort) -> tuple[float, float]:
    """Return the least times with and without the case, in ns; both see the same moments.

    Runs that are all alike count one by one, runs with other operands every time by the mean of a
    window: a lucky one would tell too little.
    """
    window_ns = effort.window_ns if trial.is_varied else 1
    windows = effort.windows if trial.is_varied else effort.windows * RUNS_PER_WINDOW
    trial.subject()
    trial.empty()
    with_units = without = math.inf
    for _ in range(windows):
        with_units = min(with_units, _window(trial.subject, window_ns))
        without = min(without, _window(trial.empty, window_ns))
    return with_units, without


def _window(run: Callable[[], int], window_ns: int) -> float:
    """Return the mean time of a run in a window."""
    spent_ns = runs = 0
    while spent_ns < window_ns:
        spent_ns += run()
        runs += 1
    return spent_ns / runs
