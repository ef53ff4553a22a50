"""`hanse node`: what an operator does with a node's own disk."""

import datetime as dt
import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.home import DEFAULT_FOLDER, FOLDER_VARIABLE, folder_of

if TYPE_CHECKING:
    from node.storage.doctor import Report
    from node.storage.examiner import Line, Opened

app = typer.Typer(no_args_is_help=True, help="Look after a node.")

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

Folder: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        envvar=FOLDER_VARIABLE,
        show_envvar=False,
        help=f"Of a node, or of its ledger. Default: {DEFAULT_FOLDER}.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def group() -> None:
    """Look after a node."""


@app.command()
def doctor(*, folder: Folder = None, as_json: AsJson = False) -> None:
    """Read a whole ledger database and name all damage; exit 0 if there is none.

    Nothing is changed. The node may be running; then the structure of the pages is not checked.

    Example: `hanse node doctor ~/.hanse --json`
    """
    ledger = _ledger_of(folder_of(folder))
    report = _examined(ledger)
    if as_json:
        typer.echo(json.dumps(_object(ledger, report)))
    else:
        _print(report)
    if not report.is_sound:
        raise typer.Exit(1)


def _ledger_of(folder: Path) -> Path:
    """Return the folder of the database: that of a node has it below, under its own name."""
    from node.chain.opening import LEDGER_NAME
    from node.storage.meta_pages import DATA_NAME

    below = folder / LEDGER_NAME
    return below if (below / DATA_NAME).is_file() else folder


def _examined(folder: Path) -> "Report":
    from rich.console import Console

    from node.storage.doctor import examine_environment
    from node.storage.ledger_schema import LEDGER_CHECKS, LEDGER_SCHEMA_NAME
    from node.storage.meta_pages import DATA_NAME
    from primitives.errors import StorageError

    if not (folder / DATA_NAME).is_file():
        raise StorageError(f"there is no database at {folder}")
    console = Console(stderr=True)
    # A terminal shows how far it is; a log would only show the same again and again.
    spinner = console.status("reading") if console.is_terminal else nullcontext()
    with spinner as status:

        def watch(line: "Line") -> None:
            if status is not None:
                status.update(_progress(line))

        return examine_environment(
            folder, schema=LEDGER_SCHEMA_NAME, checks=LEDGER_CHECKS, watch=watch
        )


def _progress(line: "Line") -> str:
    from node.storage.examiner import Damage, Fact, TableFound

    match line:
        case TableFound(name=name, records=records):
            return f"read {name}, {records} records"
        case Fact(name=name, text=text):
            return f"{name} {text}"
        case Damage(reason=reason):
            return reason
        case _:
            return "reading"


def _object(folder: Path, report: "Report") -> dict[str, Json]:
    about = report.opened
    environment = _environment_name(report)
    return {
        "folder": str(folder),
        "sound": report.is_sound,
        "live": report.is_live,
        "stamp": None if about is None else _about(about),
        "tables": [
            {"name": table.name, "records": table.records, "bytes": table.size_bytes}
            for table in report.tables
        ],
        "state": {fact.name.replace(" ", "_"): fact.text for fact in report.facts},
        "damages": [
            {
                "environment": environment,
                "table": damage.table,
                "key": damage.key,
                "reason": damage.reason,
            }
            for damage in report.damages
        ],
    }


def _about(opened: "Opened") -> dict[str, Json]:
    created = dt.datetime.fromtimestamp(opened.created_ms // 1_000, tz=dt.UTC)
    return {
        "purpose": opened.purpose,
        "chain": opened.chain_id,
        "node": opened.node_id,
        "created": created.isoformat(),
        "version": opened.version,
        "version_supported": opened.version_supported,
        "commits": opened.last_commit,
        "file_bytes": opened.file_bytes,
        "used_bytes": opened.used_bytes,
    }


def _print(report: "Report") -> None:
    if report.opened is not None:
        for name, value in _about(report.opened).items():
            typer.echo(f"{name.replace('_', ' '):<18} {value}")
        typer.echo()
    if report.tables:
        width = max(len(table.name) for table in report.tables)
        typer.echo(f"{'table':<{width}}  {'records':>10}  {'bytes':>14}")
        for table in report.tables:
            typer.echo(f"{table.name:<{width}}  {table.records:>10}  {table.size_bytes:>14}")
        typer.echo()
    if report.is_live:
        typer.echo("a node is running here: the structure of the pages was not checked")
    if report.is_sound:
        facts = ", ".join(f"{fact.name} {fact.text}" for fact in report.facts)
        typer.echo(f"sound: {facts or 'nothing was committed yet'}")
        return
    environment = _environment_name(report)
    for damage in report.damages:
        place = " ".join(filter(None, (environment, damage.table, damage.key)))
        typer.echo(f"{place}: {damage.reason}")
    count = len(report.damages)
    typer.echo(f"damaged: {count} finding{'' if count == 1 else 's'}")


def _environment_name(report: "Report") -> str:
    """Name the environment even if it does not open: the doctor asked for this one."""
    from node.storage.ledger_schema import LEDGER_SCHEMA

    return LEDGER_SCHEMA.purpose if report.opened is None else report.opened.purpose
