"""The outcome of one simulated run as a person reads it, whatever ran."""

from collections.abc import Iterable
from typing import Protocol

from rich.console import Console
from rich.table import Table


class Outcome(Protocol):
    """What every report of a run has."""

    @property
    def verdict(self) -> str:
        """Pass, or what went wrong in a word."""
        ...

    @property
    def reason(self) -> str:
        """What went wrong in a sentence."""
        ...

    @property
    def trace_hash(self) -> str:
        """The same for the same run."""
        ...

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        ...


def render_outcome(outcome: Outcome, rows: Iterable[tuple[str, str]]) -> None:
    """Print the verdict, the figures, and how to see the run again."""
    console = Console()
    colour = "green" if outcome.verdict == "pass" else "red"
    console.print(f"[bold {colour}]{outcome.verdict}[/] {outcome.reason}")
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    console.print(f"trace hash: {outcome.trace_hash}", soft_wrap=True, highlight=False)
    console.print(f"replay: {outcome.replay}", soft_wrap=True, highlight=False)
