"""`hanse version`: which build runs, on which interpreter."""

import json
import platform
from typing import Annotated

import typer


def version(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the version of hanse and of Python."""
    from importlib import metadata

    versions = {"hanse": metadata.version("hanse"), "python": platform.python_version()}
    if as_json:
        typer.echo(json.dumps(versions))
    else:
        typer.echo(f"hanse {versions['hanse']} (Python {versions['python']})")
