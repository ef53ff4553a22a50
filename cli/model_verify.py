"""`hanse model verify`: make a model again from blobs and certificates alone, and compare."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.home import genesis_of
from cli.model import Task, Version
from cli.online import Online, online
from cli.printing import print_json

if TYPE_CHECKING:
    from node.rpc.client import NodeClient

Genesis: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--genesis", metavar="FILE", help="The genesis file that you trust. Default: the folder's."
    ),
]
Start: TypeAlias = Annotated[
    bool, typer.Option("--start", help="Also make W_0 of its seed and the base model; needs torch.")
]
BaseModel: TypeAlias = Annotated[
    str | None,
    typer.Option("--model", metavar="SOURCE", help="Where the base model is on this machine."),
]


@online
def verify(
    line: Online,
    *,
    task: Task,
    version: Version = None,
    genesis: Genesis = None,
    start: Start = False,
    model: BaseModel = None,
) -> None:
    """Replay how a model came to be, and say which hashes were checked.

    Records are proven against certificates from genesis; updates are fetched by their hashes; each
    version is computed here again. Exit 1 at the first that differs.
    """
    from cli.replay import Replay
    from primitives.errors import HanseError

    trusted = _genesis(line, genesis)
    checked: list[dict[str, object]] = []

    def note(what: str, digest: str, detail: str = "") -> None:
        checked.append({"what": what, "hash": digest, "detail": detail})
        if not line.as_json:
            typer.echo(f"checked  {what:<16} {digest}  {detail}".rstrip())

    async def main(client: "NodeClient") -> int:
        raw = trusted or await client.genesis_file()
        with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
            replay = Replay(client, raw, folder=Path(folder), note=note)
            return await replay.run(task, version, start=start, source=model)

    try:
        last = line.ask(main)
    except HanseError as error:
        if line.as_json:
            print_json({"verified": False, "error": str(error), "checked": checked})
        raise
    if line.as_json:
        print_json({"verified": True, "task": task, "version": last, "checked": checked})
        return
    typer.echo(f"verified: version {last} of task {task} follows from its blobs, bit for bit")


def _genesis(line: Online, given: Path | None) -> bytes | None:
    """Return the genesis file that is trusted, None if only the node has one."""
    from cli.node_setup import read_genesis_file

    trusted = given or genesis_of(line.folder)
    if trusted is not None:
        return read_genesis_file(trusted)
    typer.echo(
        "warning: the genesis file is taken from the node; trust one with --genesis", err=True
    )
    return None
