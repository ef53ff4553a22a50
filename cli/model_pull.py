"""`hanse model pull` and `diff`: a version as a PEFT folder, and what changed between two."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.home import config_of
from cli.model import Task, Version, versions
from cli.online import Online, online
from cli.printing import print_json, print_record, print_table

if TYPE_CHECKING:
    from fl.rules.update.rows import Int32s
    from node.federation.document import TaskDocument
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Model

_ONE = 1 << 16

Out: TypeAlias = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write; made if missing.")
]
BaseModel: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="SOURCE",
        help="Where the base model is on this machine. Default: as the node of --folder knows it.",
    ),
]
First: TypeAlias = Annotated[int, typer.Argument(min=0, help="A version; 0: as it began.")]
Second: TypeAlias = Annotated[
    int | None, typer.Argument(min=0, help="Another. Default: the newest.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel:
    """A version with all that is needed to make an adapter of it."""

    chain: str
    task: int
    document: "TaskDocument"
    blob: Path
    history: "tuple[Model, ...]"


@online
def pull(
    line: Online, *, task: Task, version: Version = None, out: Out, model: BaseModel = None
) -> None:
    """Fetch a version as a PEFT folder, which plain transformers and peft load. Needs torch."""
    import tempfile

    from primitives.errors import ConfigurationError

    with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
        pulled = _pulled(line, task, version, Path(folder))
        try:
            # It loads torch, which takes seconds: not before there is something to write.
            from cli.adapter_folder import write_folder
        except ImportError as error:
            raise ConfigurationError(
                f"{error.name} is not installed: pip install 'hanse[training]'"
            ) from error
        source = model or _source_here(line.folder, pulled.document.source)
        write_folder(out, pulled, source=source)
    facts = {
        "folder": str(out),
        "task": task,
        "version": pulled.history[-1].version if pulled.history else 0,
        "base_model": pulled.document.source,
    }
    print_json(facts) if line.as_json else print_record(facts)


@online
def diff(line: Online, *, task: Task, first: First, second: Second = None) -> None:
    """Show how far apart two versions are, tensor by tensor."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
        one = _pulled(line, task, first, Path(folder) / "one")
        other = _pulled(line, task, second, Path(folder) / "other")
        rows = _changes(one, other)
    if line.as_json:
        print_json(rows)
        return
    cells = [
        (row["tensor"], f"{row['norm']:.4f}", f"{row['largest']:.4f}", f"{row['percent']:.1f} %")
        for row in rows
    ]
    print_table(("tensor", ">norm", ">largest", ">changed"), cells, empty="nothing differs")


def _source_here(folder: Path, source: str) -> str:
    """Return where a base model is on this machine, as the node of the folder knows it."""
    config = config_of(folder)
    return source if config is None else config.training.models.get(source, source)


def _pulled(line: Online, task: int, version: int | None, folder: Path) -> PulledModel:
    from cli.blob import fetch
    from cli.task import read_document_of
    from node.rpc.errors import NodeAnswerError

    async def main(client: "NodeClient") -> "tuple[str, str, list[Model]]":
        found = await client.task(task)
        wanted = found.version if version is None else version
        history = await versions(client, task, until=wanted)
        with suppress(NodeAnswerError):
            # A node that joined late may lack it; if nobody has it, `fetch` says so.
            await client.model_blobs(task, wanted)
        return (await client.head()).chain_id, found.terms.document, history

    chain, document_id, history = line.ask(main)
    document = read_document_of(line, document_id)
    blob = history[-1].model if history else document.start.hex()
    folder.mkdir(parents=True, exist_ok=True)
    fetch(line, blob, folder / "model")
    return PulledModel(
        chain=chain,
        task=task,
        document=document,
        blob=folder / "model",
        history=tuple(history),
    )


def _changes(one: PulledModel, other: PulledModel) -> list[dict[str, float | str]]:
    import numpy as np

    before, after = _vector(one), _vector(other)
    rows: list[dict[str, float | str]] = []
    for name, span in one.document.model_layout.spans.items():
        delta = (after[span].astype(np.float64) - before[span]) / _ONE
        if delta.any():
            rows.append(
                {
                    "tensor": name,
                    "norm": float(np.linalg.norm(delta)),
                    "largest": float(np.abs(delta).max()),
                    "percent": float(100 * np.count_nonzero(delta) / delta.size),
                }
            )
    return rows


def _vector(model: PulledModel) -> "Int32s":
    from fl.rules.update.blob import decode
    from fl.rules.update.header import BlobKind, Expectation
    from primitives.ids import Digest

    document = model.document
    expected = Expectation(
        kind=BlobKind.MODEL,
        base_model=Digest(document.pins.model),
        tokenizer=Digest(document.pins.tokenizer),
        layout=document.model_layout,
    )
    return decode(model.blob.read_bytes(), expected=expected).vector
