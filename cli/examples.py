"""`hanse data`: public examples to learn from, by their hub id."""

from typing import Annotated, TypeAlias

import typer

from cli.online import JsonOption
from cli.printing import print_json, print_record

app = typer.Typer(no_args_is_help=True, help="Fetch public examples to learn from.")

Source: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="owner/name on the hub, with /subset or @revision behind; or a folder."
    ),
]


@app.callback()
def group() -> None:
    """Fetch public examples to learn from."""


@app.command()
def fetch(*, name: Source, as_json: JsonOption = False) -> None:
    """Fetch a data set and say what is in it; later runs find it without the network.

    Use it as hub:NAME in training.examples of hanse.toml, or with `hanse devnet up --data`.
    """
    from pathlib import Path

    from primitives.errors import ConfigurationError

    try:
        from fl.training.examples.sources import HUB, open_source
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed: pip install 'hanse[training]'"
        ) from error
    spec = name if Path(name).is_dir() or ":" in name else f"{HUB}{name}"
    found = open_source(spec)
    facts = {
        "source": spec,
        "examples": len(found.train),
        "held out": len(found.test),
        "classes": list(found.label_names),
        "skipped": found.skipped,
    }
    print_json(facts) if as_json else print_record(facts)
