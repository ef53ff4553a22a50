"""What every benchmark prints: figures next to a peer or a limit measured in the same run.

Machines are shared and noisy, so a figure alone says little: the ratio is what holds. The contract
is `python -m benchmarks.NAME [--quick] [--json]`; with `--json` the last line is one object.
"""

import argparse
import math
from collections.abc import Callable, Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

TABLE_COLUMNS = 132

MeasureRows = Callable[[bool], Sequence["Row"]]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its peer; `compare` makes these.

    Args:
        ratio: ours over the peer's.
        goal: the greatest ratio that is good enough; None where the row only explains another.
        met: whether the ratio is within the goal; None without one.
    """

    case: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    goal: float | None
    met: bool | None


class Outcome(msgspec.Struct, frozen=True):
    """The object that `--json` prints last."""

    benchmark: str
    rows: tuple[Row, ...]


def compare(
    case: str,
    unit: str,
    ours: float,
    *,
    peer_name: str,
    peer: float,
    goal: float | None = None,
) -> Row:
    """Build a row from two figures of one unit; beside nothing the ratio is one or endless."""
    ratio = ours / peer if peer else 1.0 if ours == peer else math.inf
    return Row(
        case=case,
        unit=unit,
        ours=ours,
        peer_name=peer_name,
        peer=peer,
        ratio=ratio,
        goal=goal,
        met=None if goal is None else ratio <= goal,
    )


def run(name: str, measure_rows: MeasureRows, arguments: Sequence[str] | None = None) -> None:
    """Read the flags, measure, and print.

    Args:
        name: of the module in this folder.
        measure_rows: takes whether a rough answer within a minute will do.
        arguments: those of the command line by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="a rough answer within a minute")
    parser.add_argument("--json", action="store_true", help="print one object as the last line")
    flags = parser.parse_args(arguments)
    rows = tuple(measure_rows(flags.quick))
    console = Console()
    if not console.is_terminal:
        # A pipe is taken for 80 columns wide, which breaks most cells in two.
        console = Console(width=TABLE_COLUMNS)
    console.print(_table(name, rows))
    if flags.json:
        print(msgspec.json.encode(Outcome(name, rows)).decode())


def _table(name: str, rows: Sequence[Row]) -> Table:
    table = Table(title=name, title_justify="left", box=box.SIMPLE)
    for heading in ("case", "unit", "ours", "peer or limit", "its figure", "ratio", "goal", "met"):
        is_number = heading in {"ours", "its figure", "ratio", "goal"}
        table.add_column(heading, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(
            row.case,
            row.unit,
            f"{row.ours:.4g}",
            row.peer_name,
            f"{row.peer:.4g}",
            f"{row.ratio:.2f}",
            "" if row.goal is None else f"{row.goal:g}",
            "" if row.met is None else ("yes" if row.met else "no"),
        )
    return table
