"""`python -m devnet.inprocess`: some nodes in one process, a table of what they agree on."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from devnet.inprocess.devnet import Devnet, Settings
from devnet.inprocess.report import Report, render
from primitives.errors import HanseError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    *,
    nodes: Annotated[int, typer.Option(min=1, max=100, help="Committee size.")] = 4,
    seconds: Annotated[int, typer.Option(min=1, help="How long, on the real clock.")] = 10,
    latency_ms: Annotated[int, typer.Option(min=0, help="Delay of every message.")] = 0,
    round_delay_ms: Annotated[int, typer.Option(min=0, help="Least time between rounds.")] = 50,
    load: Annotated[int, typer.Option(min=0, help="Payload items a second of each node.")] = 100,
    epoch_seconds: Annotated[int | None, typer.Option(min=1, help="Epoch length.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Keep stores and journals here, and go on from them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run nodes in this process and compare what they commit; exit 1 unless they agree."""
    settings = Settings(
        nodes=nodes,
        latency_ms=latency_ms,
        round_delay_ms=round_delay_ms,
        load_per_s=load,
        epoch_ms=None if epoch_seconds is None else epoch_seconds * 1_000,
        folder=folder,
    )
    try:
        report = _run(settings, duration_ms=seconds * 1_000, as_json=as_json)
    except HanseError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if report.verdict != "pass":
        raise typer.Exit(1)


def _run(settings: Settings, *, duration_ms: int, as_json: bool) -> Report:
    devnet = Devnet.create(settings)
    console = Console(stderr=as_json)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            report = asyncio.run(
                devnet.run(duration_ms, show=lambda seen: live.update(render(seen), refresh=True))
            )
        except KeyboardInterrupt:
            report = devnet.report()
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report)))
    else:
        console.print(render(report))
    return report
