"""What a run shows: verdict, figures, and the command that replays it."""

from typing import TYPE_CHECKING

import msgspec

from consensus.parameters import Tuning
from consensus.signer import SigningState
from primitives.order import quantile

if TYPE_CHECKING:
    from devnet.simulator.validators.simulation import Scenario, Simulation

RECOVERY_US_MAX = 6_000_000
SETTLE_US = 8_000_000
"""Payload older than this at the end of a run must be committed."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run; durations are simulated unless named wall or cpu."""

    verdict: str
    reason: str
    seed: int
    nodes: int
    byzantine: dict[str, int]
    faults: dict[str, int]
    commits: int
    epochs: int
    rounds: int
    latency_delays_p50: int | None
    latency_delays_max: int | None
    latency_ms_p50: int | None
    latency_ms_p99: int | None
    recovery_ms: int | None
    payload_committed: int
    payload_open: int
    equivocators: int
    alarms: dict[str, int]
    reports: dict[str, int]
    messages: int
    events: int
    crashes: int
    trace_hash: str
    simulated_s: int
    wall_s: float
    replay: str


def measure(simulation: "Simulation", *, violation: str | None, wall_s: float) -> Report:
    """Judge a finished run."""
    ledger = simulation.ledger
    verdict, reason = _judge(simulation, violation)
    latencies = ledger.latencies_us
    return Report(
        verdict=verdict,
        reason=reason,
        seed=simulation.scenario.seed,
        nodes=simulation.scenario.nodes,
        byzantine=_count(list(simulation.attackers.values())),
        faults={kind.value: count for kind, count in simulation.nemesis.fired_counts().items()},
        commits=len(ledger.commits),
        epochs=ledger.newest_epoch + 1,
        rounds=max(v.current.core.clock_round for v in simulation.validators.values()),
        latency_delays_p50=_quantile(_delays(simulation), 50),
        latency_delays_max=max(_delays(simulation), default=None),
        latency_ms_p50=_ms(_quantile(latencies, 50)),
        latency_ms_p99=_ms(_quantile(latencies, 99)),
        recovery_ms=_ms(_recovery_us(simulation)),
        payload_committed=ledger.workload.committed_count,
        payload_open=len(ledger.workload.outstanding),
        equivocators=len(ledger.equivocators),
        alarms={kind.name.lower(): count for kind, count in ledger.alarms.items()},
        reports=dict(ledger.reports),
        messages=simulation.network.counters.sent,
        events=simulation.scheduler.executed_count,
        crashes=sum(machine.counters.crashes for machine in simulation.machines),
        trace_hash=simulation.scheduler.trace_hash(),
        simulated_s=simulation.scheduler.now_us // 1_000_000,
        wall_s=round(wall_s, 3),
        replay=replay_command(simulation.scenario),
    )


def _delays(simulation: "Simulation") -> list[int]:
    """Return commit latencies as message delays, rounded up.

    With one fixed latency, no faults and no minimum delay they are elapsed time over latency;
    otherwise causal hops: rounds from the block to the frontier that decided it.
    """
    scenario = simulation.scenario
    name, _, one_way_ms = scenario.latency.partition(":")
    is_exact = name == "fixed" and one_way_ms.isdigit() and int(one_way_ms) > 0
    if not is_exact or scenario.faults != "none" or scenario.tuning.min_round_delay_ms:
        return simulation.ledger.hops
    one_way_us = int(one_way_ms) * 1000
    return [-(-latency // one_way_us) for latency in simulation.ledger.latencies_us]


def replay_command(scenario: "Scenario") -> str:
    """Return the command line that repeats a run."""
    words = [
        f"python -m devnet.simulator run --seed {scenario.seed} --nodes {scenario.nodes}",
        f"--seconds {scenario.seconds}",
    ]
    if scenario.is_swarm:
        return " ".join([*words, "--swarm"])
    words += [f"--faults {scenario.faults} --latency {scenario.latency}"]
    words += [f"--powers {scenario.powers}"]
    if scenario.byzantine:
        words.append(f"--byzantine {scenario.byzantine}")
    if scenario.tuning != Tuning():
        words.append(f"--min-delay-ms {scenario.tuning.min_round_delay_ms}")
    if scenario.pacemaker != "repaired":
        words.append(f"--pacemaker {scenario.pacemaker}")
    if scenario.epoch_s is not None:
        words.append(f"--epoch-seconds {scenario.epoch_s}")
    return " ".join(words)


def _judge(simulation: "Simulation", violation: str | None) -> tuple[str, str]:
    if violation is not None:
        return "diverged", violation
    late = _unrecovered(simulation)
    if late:
        return "no-progress", late
    deadline_us = simulation.scheduler.now_us - SETTLE_US
    for entry in simulation.ledger.workload.outstanding.values():
        signing = simulation.validators[entry.node].current.core.signing_state
        if signing is SigningState.ABSTAINING:
            # It lost its journal, so it may not sign and its clients have to go elsewhere.
            continue
        if max(entry.first_us, simulation.heal_at_us) < deadline_us:
            return "no-progress", f"payload {entry.item!r} of node {entry.node} is not committed"
    return "pass", ""


def _unrecovered(simulation: "Simulation") -> str:
    recovery_us = _recovery_us(simulation)
    if recovery_us is None:
        return "an honest node committed nothing new after healing"
    if recovery_us > RECOVERY_US_MAX:
        return f"an honest node needed {recovery_us // 1000} ms after healing for a new commit"
    return ""


def _recovery_us(simulation: "Simulation") -> int | None:
    """Return how long after healing the slowest honest node made its first new commit."""
    slowest_us = 0
    for times in simulation.ledger.advanced_us.values():
        first_us = next((at for at in times if at >= simulation.heal_at_us), None)
        if first_us is None:
            return None
        slowest_us = max(slowest_us, first_us - simulation.heal_at_us)
    return slowest_us


def _quantile(values: list[int], percent: int) -> int | None:
    return quantile(values, numerator=percent, denominator=100) if values else None


def _ms(value_us: int | None) -> int | None:
    return None if value_us is None else value_us // 1000


def _count(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(dict.fromkeys(names))}
