"""What a devnet has to say: the figures as values, and as a table for people."""

import math
from collections.abc import Collection

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

VERDICT_COLOURS = {"pass": "green", "no-progress": "yellow", "diverged": "red"}


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    node: int
    epoch: int
    round: int
    commits: int
    finality_ms_p50: int | None
    finality_ms_p99: int | None
    payload_per_s: int
    messages_lost: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run, or what has been seen of it so far.

    Args:
        verdict: `pass`, `no-progress` or `diverged`.
        commits: those that every node delivered, all with one digest.
        last_digest: digest of the last one of those, in hex; empty for none.
    """

    verdict: str
    reason: str
    nodes: int
    elapsed_s: float
    commits: int
    last_digest: str
    epochs: int
    finality_ms_p50: int | None
    finality_ms_p99: int | None
    payload_per_s: int
    payload_returned: int
    messages_lost: int
    peers_reported: int
    alarms: dict[str, int]
    per_node: list[NodeReport]


def percentile(values: Collection[int], percent: int) -> int | None:
    """Return the least value that is no less than this percentage of all; None for no values."""
    if not values:
        return None
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def render(report: Report) -> Group:
    """Return the table and the verdict."""
    table = Table(title=f"{report.nodes} nodes in one process, {report.elapsed_s:.1f} s")
    for name in ("node", "epoch", "round", "commits", "p50 ms", "p99 ms", "payload/s", "lost"):
        table.add_column(name, justify="right")
    for row in report.per_node:
        cells = (
            row.node,
            row.epoch,
            row.round,
            row.commits,
            _or_dash(row.finality_ms_p50),
            _or_dash(row.finality_ms_p99),
            row.payload_per_s,
            row.messages_lost,
        )
        table.add_row(*map(str, cells))
    colour = VERDICT_COLOURS[report.verdict]
    return Group(
        table,
        Text("p50, p99: proposal of an own block to its delivery", style="dim"),
        Text.assemble((report.verdict, f"bold {colour}"), f" {report.reason}"),
    )


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
