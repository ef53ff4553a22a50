"""Walk through Twins scenarios and judge each.

Source: Bano et al., "Twins: BFT systems made robust", OPODIS 2021.
"""

import time

import msgspec

from consensus.schedule import first_schedule
from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.lockstep import LockStep
from devnet.simulator.twins.oracle import NoProgressError
from devnet.simulator.twins.space import Scenario, Space
from devnet.simulator.validators.ledger import ViolationError

VIOLATIONS_MAX = 5


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that broke a rule, and the command that repeats it alone.

    Args:
        rounds: leader and partition of every round, as a person reads them.
    """

    index: int
    verdict: str
    reason: str
    rounds: list[str]
    replay: str


class Report(msgspec.Struct, kw_only=True):
    """What a walk found.

    Args:
        scenarios: how many were run, from index `start` on.
        space: how many there are.
        rounds: the partitioned ones; each scenario goes on until it has healed.
        equivocations: scenarios in which a doubled validator signed a round twice.
        steps_max: the most message delays from the start to the end of a scenario.
    """

    verdict: str = "pass"
    scenarios: int = 0
    start: int
    space: int
    violations: list[Violation] = []
    seed: int
    nodes: int
    rounds: int
    commits: int = 0
    equivocations: int = 0
    steps_max: int = 0
    scenarios_per_s: float = 0.0
    cpu_s: float = 0.0


class Enumerator:
    """The scenarios of one size and seed.

    Args:
        cast: who plays; a test gives one with a wrong rule to see it caught.
    """

    def __init__(self, cast: Cast, *, rounds: int, seed: int) -> None:
        self._cast = cast
        self._rounds = rounds
        self._seed = seed
        self.space = Space(nodes=cast.nodes, rounds=rounds, seed=seed)

    def run(
        self, *, start: int = 0, scenarios: int | None = None, cpu_s: float | None = None
    ) -> Report:
        """Run up to a count, for a time, or to the end of the space; stop at many violations."""
        report = Report(
            start=start,
            space=self.space.size,
            seed=self._seed,
            nodes=self._cast.nodes,
            rounds=self._rounds,
        )
        end = self.space.size if scenarios is None else min(start + scenarios, self.space.size)
        began = time.process_time()
        for index in range(start, end):
            if cpu_s is not None and time.process_time() - began >= cpu_s:
                break
            self._judge(self.space.at(index), report)
            if len(report.violations) == VIOLATIONS_MAX:
                break
        report.cpu_s = round(time.process_time() - began, 3)
        report.scenarios_per_s = round(report.scenarios / max(report.cpu_s, 0.001), 1)
        if report.violations:
            report.verdict = report.violations[0].verdict
        return report

    def _judge(self, scenario: Scenario, report: Report) -> None:
        network = LockStep(scenario, self._cast)
        try:
            network.run()
        except ViolationError as error:
            report.violations.append(self._violation(scenario, "diverged", str(error)))
        except NoProgressError as error:
            report.violations.append(self._violation(scenario, "no-progress", str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a core raises is a finding
            report.violations.append(self._violation(scenario, "crashed", repr(error)))
        report.scenarios += 1
        report.commits += network.oracle.commit_count
        report.equivocations += network.oracle.twin_rounds > 0
        report.steps_max = max(report.steps_max, network.step)

    def _violation(self, scenario: Scenario, verdict: str, reason: str) -> Violation:
        return Violation(
            index=scenario.index,
            verdict=verdict,
            reason=reason,
            rounds=self._describe(scenario),
            replay=(
                f"python -m devnet.simulator twins --nodes {self._cast.nodes} "
                f"--rounds {self._rounds} --seed {self._seed} "
                f"--start {scenario.index} --scenarios 1"
            ),
        )

    def _describe(self, scenario: Scenario) -> list[str]:
        schedule = first_schedule(self._cast.context(scenario.chain))
        lines = []
        for number, partition in enumerate(scenario.partitions, start=1):
            groups: list[list[str]] = [[] for _ in range(max(partition) + 1)]
            for place, name in zip(partition, self._cast.names, strict=True):
                groups[place].append(name)
            (leader,) = schedule.leaders(number)
            places = " | ".join(" ".join(group) or "-" for group in groups)
            lines.append(f"round {number}, leader {leader}: {places}")
        return lines
