"""What a gossip run shows: who missed what, how far messages went, and what they cost."""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from devnet.simulator.gossip.node import TOPIC

if TYPE_CHECKING:
    from devnet.simulator.gossip.simulation import Simulation


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run.

    Attributes:
        verdict: "pass" if every honest message reached every honest node, no honest node was
            graylisted by another, and no invalid message was delivered.
        hops_mean: links that the first copy of a delivered message crossed.
        duplicates: further copies for each delivered message.
        bytes_per_delivery: all that honest nodes sent, control too, for each delivered message.
        overhead: the same as a multiple of the payload; 1 is the least possible.
        delay_ms_p50: from publishing to delivery.
        attackers_out: how often an honest node graylisted an attacker.
        honest_out: the same for honest nodes.
        victim_mesh_honest: honest members in the mesh of the victim of eclipses, at the end.
    """

    verdict: str
    reason: str
    seed: int
    nodes: int
    honest: int
    byzantine: dict[str, int]
    sybils: int
    messages: int
    deliveries: int
    missed: int
    hops_mean: float
    hops_p99: int
    hops_max: int
    duplicates: float
    bytes_per_delivery: int
    overhead: float
    rpcs_per_delivery: float
    delay_ms_p50: float
    delay_ms_p99: float
    delay_ms_max: float
    mesh_min: int
    mesh_mean: float
    attackers_out: int
    honest_out: int
    victim_mesh: int
    victim_mesh_honest: int
    simulated_s: int
    cpu_s: float
    events: int
    trace_hash: str
    replay: str


def measure(simulation: "Simulation", *, cpu_s: float) -> Report:
    """Judge a finished run."""
    scenario, ledger = simulation.scenario, simulation.world.ledger
    honest = simulation.world.honest
    missed = ledger.missed(honest)
    hops = sorted(count for by_node in ledger.hops.values() for count in by_node.values() if count)
    delays_us = sorted(ledger.delays_us)
    deliveries = max(1, len(hops))
    counters = [simulation.nodes[node].router.report().topics[TOPIC] for node in honest]
    duplicates = sum(topic.duplicates for topic in counters)
    verdict, reason = _judge(simulation, len(missed))
    victim_mesh = [
        simulation.world.numbers[peer_id]
        for peer_id in simulation.nodes[honest[0]].router.mesh_peers(TOPIC)
    ]
    return Report(
        verdict=verdict,
        reason=reason,
        seed=scenario.seed,
        nodes=scenario.nodes,
        honest=len(honest),
        byzantine=dict(sorted(Counter(scenario.attackers.values()).items())),
        sybils=simulation.sybils,
        messages=len(ledger.published),
        deliveries=len(hops),
        missed=len(missed),
        hops_mean=round(sum(hops) / deliveries, 2),
        hops_p99=_quantile(hops, 99),
        hops_max=max(hops, default=0),
        duplicates=round(duplicates / deliveries, 2),
        bytes_per_delivery=ledger.sent_bytes // deliveries,
        overhead=round(ledger.sent_bytes / deliveries / scenario.size_bytes, 2),
        rpcs_per_delivery=round(ledger.sent_rpcs / deliveries, 2),
        delay_ms_p50=_quantile(delays_us, 50) / 1000,
        delay_ms_p99=_quantile(delays_us, 99) / 1000,
        delay_ms_max=max(delays_us, default=0) / 1000,
        mesh_min=min(topic.mesh for topic in counters),
        mesh_mean=round(sum(topic.mesh for topic in counters) / len(counters), 1),
        attackers_out=ledger.attacker_disconnects,
        honest_out=len(ledger.honest_disconnects),
        victim_mesh=len(victim_mesh),
        victim_mesh_honest=sum(number in honest for number in victim_mesh),
        simulated_s=scenario.seconds,
        cpu_s=round(cpu_s, 2),
        events=simulation.scheduler.executed_count,
        trace_hash=simulation.scheduler.trace_hash(),
        replay=scenario.replay,
    )


def _judge(simulation: "Simulation", missed: int) -> tuple[str, str]:
    ledger = simulation.world.ledger
    if missed:
        return "missed", f"{missed} deliveries to honest nodes are missing"
    if not ledger.published:
        return "silent", "nothing was published"
    if ledger.invalid_delivered:
        return "invalid", f"{ledger.invalid_delivered} invalid messages were delivered"
    if ledger.honest_disconnects:
        one, other = ledger.honest_disconnects[0]
        return "unjust", f"honest node {one} graylisted honest node {other}"
    return "pass", "every honest message reached every honest node"


def _quantile(ordered: list[int], percent: int) -> int:
    """Return the value below which so many percent lie; 0 of nothing."""
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else 0
