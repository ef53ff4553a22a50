"""Many seeds, on all cores; every failing one is printed with the command that replays it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import msgspec

from devnet.simulator.validators.report import Report
from devnet.simulator.validators.simulation import Simulation
from devnet.simulator.validators.swarm import draw_scenario
from primitives.errors import ConfigurationError
from primitives.order import quantile


class SweepSummary(msgspec.Struct, kw_only=True):
    """What a sweep found."""

    seeds: int = 0
    verdicts: dict[str, int] = {}
    failures: list[dict[str, str]] = []
    commits: int = 0
    crashes: int = 0
    faults: dict[str, int] = {}
    byzantine: dict[str, int] = {}
    recovery_ms_p50: int | None = None
    recovery_ms_p99: int | None = None
    recovery_ms_max: int | None = None
    simulated_s: int = 0
    cpu_s: float = 0.0
    speed_by_nodes: dict[str, float] = {}


def parse_seeds(text: str) -> range:
    """Read `first:last` (last excluded) or one seed.

    Raises:
        ConfigurationError: one line that says what would be right.
    """
    first, colon, last = text.partition(":")
    if not first.isdigit() or (colon and not last.isdigit()):
        raise ConfigurationError(f"bad seeds '{text}'; write for instance 0:500")
    return range(int(first), int(last) if colon else int(first) + 1)


def sweep(seeds: range, *, nodes: int | None, seconds: int, jobs: int) -> Iterator[Report]:
    """Run every seed, in order of finishing within the order of seeds."""
    work = partial(run_seed, nodes=nodes, seconds=seconds)
    if jobs == 1:
        yield from map(work, seeds)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(work, seeds, chunksize=1)


def run_seed(seed: int, *, nodes: int | None, seconds: int) -> Report:
    """Run one drawn scenario."""
    return Simulation(draw_scenario(seed, nodes=nodes, seconds=seconds)).run()


def summarise(reports: Iterable[Report]) -> SweepSummary:
    """Add reports up."""
    summary = SweepSummary()
    verdicts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    byzantine: Counter[str] = Counter()
    speeds: dict[int, list[float]] = {}
    recoveries: list[int] = []
    for report in reports:
        summary.seeds += 1
        summary.commits += report.commits
        summary.crashes += report.crashes
        summary.simulated_s += report.simulated_s
        summary.cpu_s += report.wall_s
        verdicts[report.verdict] += 1
        faults.update(report.faults)
        byzantine.update(report.byzantine)
        size = speeds.setdefault(report.nodes, [0.0, 0.0])
        size[0] += report.simulated_s
        size[1] += report.wall_s
        if report.recovery_ms is not None:
            recoveries.append(report.recovery_ms)
        if report.verdict != "pass":
            summary.failures.append(
                {"verdict": report.verdict, "reason": report.reason, "replay": report.replay}
            )
    summary.verdicts = dict(verdicts)
    summary.faults = dict(sorted(faults.items()))
    summary.byzantine = dict(sorted(byzantine.items()))
    summary.speed_by_nodes = {
        str(nodes): round(simulated / cpu, 1) for nodes, (simulated, cpu) in sorted(speeds.items())
    }
    if recoveries:
        summary.recovery_ms_p50 = quantile(recoveries, numerator=50, denominator=100)
        summary.recovery_ms_p99 = quantile(recoveries, numerator=99, denominator=100)
        summary.recovery_ms_max = max(recoveries)
    return summary
