"""Gossip reports as a person reads them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from devnet.simulator.gossip.report import Report
from devnet.simulator.outcome import render_outcome


def render_report(report: Report) -> None:
    """Print the outcome of one run."""
    render_outcome(report, _rows(report))


def render_growth(reports: Sequence[Report]) -> None:
    """Print how the figures grow with the network."""
    table = Table(box=None, pad_edge=False)
    for head in ("nodes", "verdict", "hops", "max", "duplicates", "bytes", "overhead", "RPCs"):
        table.add_column(head, justify="right")
    table.add_column("p99 ms", justify="right")
    table.add_column("CPU s", justify="right")
    for report in reports:
        table.add_row(
            str(report.nodes),
            report.verdict,
            f"{report.hops_mean:.2f}",
            str(report.hops_max),
            f"{report.duplicates:.2f}",
            str(report.bytes_per_delivery),
            f"{report.overhead:.2f}",
            f"{report.rpcs_per_delivery:.2f}",
            f"{report.delay_ms_p99:.1f}",
            f"{report.cpu_s:.1f}",
        )
    Console().print(table)
    Console().print("hops, duplicates, bytes and RPCs are for each delivered message")


def _rows(report: Report) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in report.byzantine.items()) or "none"
    return [
        ("seed, nodes, honest", f"{report.seed}, {report.nodes}, {report.honest}"),
        ("byzantine, sybils", f"{kinds}, {report.sybils}"),
        ("simulated", f"{report.simulated_s} s in {report.cpu_s} CPU s"),
        ("messages, deliveries", f"{report.messages}, {report.deliveries}"),
        ("missed", str(report.missed)),
        ("hops mean, p99, max", f"{report.hops_mean}, {report.hops_p99}, {report.hops_max}"),
        ("duplicates per delivery", str(report.duplicates)),
        (
            "bytes per delivery",
            f"{report.bytes_per_delivery} ({report.overhead} x the payload)",
        ),
        ("RPCs per delivery", str(report.rpcs_per_delivery)),
        (
            "delay p50, p99, max",
            f"{report.delay_ms_p50}, {report.delay_ms_p99}, {report.delay_ms_max} ms",
        ),
        ("mesh least, mean", f"{report.mesh_min}, {report.mesh_mean}"),
        ("victim's mesh, honest", f"{report.victim_mesh}, {report.victim_mesh_honest}"),
        ("attackers, honest out", f"{report.attackers_out}, {report.honest_out}"),
    ]
