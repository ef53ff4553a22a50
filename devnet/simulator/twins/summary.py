"""The findings of a walk as a person reads them."""

from rich.console import Console
from rich.table import Table

from devnet.simulator.twins.enumerator import Report


def render_walk(report: Report) -> None:
    """Print the summary of a walk, with every violation and the command that repeats it."""
    console = Console(highlight=False)
    colour = "green" if report.verdict == "pass" else "red"
    console.print(f"[bold {colour}]{report.verdict}[/]")
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(report):
        table.add_row(name, value)
    console.print(table)
    for violation in report.violations:
        console.print(f"{violation.verdict}: {violation.reason}", soft_wrap=True)
        for line in violation.rounds:
            console.print(f"  {line}", soft_wrap=True)
        console.print(f"  replay: {violation.replay}", soft_wrap=True)


def _rows(report: Report) -> list[tuple[str, str]]:
    end = report.start + report.scenarios
    percent = 100 * report.scenarios / report.space
    return [
        ("seed, nodes, rounds", f"{report.seed}, {report.nodes}, {report.rounds}"),
        ("scenarios", f"{report.start} to {end - 1}: {report.scenarios} of {report.space:,}"),
        ("covered, resume with", f"{percent:.3g} %, --start {end}"),
        ("with equivocation", f"{report.equivocations}"),
        ("commits", f"{report.commits}"),
        ("message delays, most", f"{report.steps_max}"),
        ("CPU", f"{report.cpu_s} s, {report.scenarios_per_s} scenarios/s"),
    ]
