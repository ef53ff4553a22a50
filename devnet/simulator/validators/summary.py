"""A report as a person reads it."""

from rich.console import Console
from rich.table import Table

from devnet.simulator.outcome import render_outcome
from devnet.simulator.validators.report import Report
from devnet.simulator.validators.sweep import SweepSummary


def render_report(report: Report) -> None:
    """Print the summary of one run."""
    render_outcome(report, _rows(report))


def _rows(report: Report) -> list[tuple[str, str]]:
    speed = report.simulated_s / report.wall_s if report.wall_s else 0
    return [
        ("seed, nodes", f"{report.seed}, {report.nodes}"),
        ("simulated", f"{report.simulated_s} s in {report.wall_s} CPU s ({speed:.0f} x)"),
        ("faults fired", _pairs(report.faults)),
        ("byzantine", _pairs(report.byzantine)),
        ("crashes", str(report.crashes)),
        ("epochs, rounds, commits", f"{report.epochs}, {report.rounds}, {report.commits}"),
        ("latency p50, p99", f"{report.latency_ms_p50} ms, {report.latency_ms_p99} ms"),
        ("delays p50, max", f"{report.latency_delays_p50}, {report.latency_delays_max}"),
        ("first commit after healing", f"{report.recovery_ms} ms (slowest honest node)"),
        ("payload committed, open", f"{report.payload_committed}, {report.payload_open}"),
        ("equivocators proven", str(report.equivocators)),
        ("alarms", _pairs(report.alarms)),
        ("peers reported", _pairs(report.reports)),
        ("messages, events", f"{report.messages}, {report.events}"),
    ]


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def render_sweep(summary: SweepSummary) -> None:
    """Print the summary of a sweep."""
    console = Console()
    verdict = "[bold red]failed" if summary.failures else "[bold green]pass"
    console.print(f"{verdict}[/] {_pairs(summary.verdicts)}")
    table = Table(show_header=False, box=None, pad_edge=False)
    speeds = ", ".join(f"n={n} {speed} x" for n, speed in summary.speed_by_nodes.items())
    for name, value in (
        ("seeds, commits, crashes", f"{summary.seeds}, {summary.commits}, {summary.crashes}"),
        ("simulated", f"{summary.simulated_s} s in {summary.cpu_s:.1f} CPU s"),
        ("simulated s per CPU s", speeds),
        (
            "first commit after healing",
            f"p50 {summary.recovery_ms_p50} ms, p99 {summary.recovery_ms_p99} ms, "
            f"max {summary.recovery_ms_max} ms (slowest honest node)",
        ),
        ("byzantine nodes", _pairs(summary.byzantine)),
        ("faults fired", _pairs(summary.faults)),
    ):
        table.add_row(name, value)
    console.print(table)
    for failure in summary.failures:
        console.print(f"{failure['verdict']}: {failure['reason']}", soft_wrap=True)
        console.print(f"  replay: {failure['replay']}", soft_wrap=True, highlight=False)
