"""What commands print: one JSON value, a record of lines, or a table that fits 80 columns.

Names and texts come from strangers, so what is no printable letter never reaches the terminal.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
import typer

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

WIDTH_MAX: Final = 80
ERROR_LENGTH_MAX: Final = 1_000
_SHORT_ENDS: Final = (12, 6)
_HASH_LENGTH: Final = 64
_DID: Final = "did:key:"


def print_json(value: object) -> None:
    """Print a value, or a struct of the API, as one line of JSON."""
    typer.echo(json.dumps(msgspec.to_builtins(value), ensure_ascii=True))


def print_error(text: str) -> None:
    """Print what went wrong as one line on standard error; a long text loses its middle."""
    line = " ".join(clean(text).split())
    if len(line) > ERROR_LENGTH_MAX:
        half = ERROR_LENGTH_MAX // 2
        line = f"{line[:half]} … {line[-half:]}"
    typer.echo(f"error: {line}", err=True)


def print_record(fields: Mapping[str, object]) -> None:
    """Print a line for each field."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {clean(value)}".rstrip())


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table; long cells are folded so that it fits.

    Args:
        headings: of the columns; a leading ">" aligns a column to the right.
        rows: their cells.
        empty: what is said if there is no row.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(clean(cell)) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in headings:
        justify = "right" if heading.startswith(">") else "left"
        table.add_column(heading.removeprefix(">"), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in cells:
        table.add_row(*row)
    console = Console(soft_wrap=False, highlight=False)
    width = console.width if console.is_terminal else WIDTH_MAX
    console.print(table, width=max(width, WIDTH_MAX) if console.is_terminal else WIDTH_MAX)


def clean(value: object) -> str:
    """Return the text of a value without letters that could steer a terminal."""
    match value:
        case None:
            text = "-"
        case True:
            text = "yes"
        case False:
            text = "no"
        case list() | tuple():
            text = ", ".join(map(clean, value)) or "-"
        case dict():
            text = json.dumps(value, ensure_ascii=True)
        case _:
            text = str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def short(text: str | None) -> str:
    """Return the ends of a digest or a did:key, for tables; --json has them whole."""
    if text is None:
        return "-"
    bare = text.removeprefix(_DID)
    first, last = _SHORT_ENDS
    return bare if len(bare) <= first + last else f"{bare[:first]}…{bare[-last:]}"


def moment(time_ms: int) -> str:
    """Return a time as people read it, UTC."""
    try:
        when = dt.datetime.fromtimestamp(time_ms // 1_000, tz=dt.UTC)
    except (OverflowError, ValueError, OSError):
        return str(time_ms)
    return when.strftime("%Y-%m-%d %H:%M:%S")
