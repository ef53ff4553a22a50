"""`hanse model list`, `show` and `lineage`: the versions of a task's model."""

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.exit_codes import NotThereError
from cli.online import Online, online
from cli.printing import moment, print_json, print_record, print_table, short

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Model

app = typer.Typer(no_args_is_help=True, help="Publish, look at, fetch and verify models.")

VERSIONS_MAX: Final = 1_000
"""That are asked for at once, each with a request: the newest."""

_ONE: Final = 1 << 16

Task: TypeAlias = Annotated[int, typer.Argument(min=0, help="The number of the task.")]
Version: TypeAlias = Annotated[
    int | None, typer.Argument(min=0, help="0 is the model it began with. Default: the newest.")
]
Made: TypeAlias = Annotated[
    int | None, typer.Argument(min=1, help="That a round made, from 1. Default: the newest.")
]


@app.callback()
def group() -> None:
    """Publish, look at, fetch and verify models."""


@app.command("list")
@online
def list_versions(line: Online, *, task: Task) -> None:
    """List the versions of a task's model, newest last."""
    models = line.ask(lambda client: versions(client, task, until=None))
    _tell_left_out(models)
    if line.as_json:
        print_json(models)
        return
    rows = [
        (one.version, one.round, len(one.contributors), moment(one.time_ms), short(one.model))
        for one in models
    ]
    headings = (">version", ">round", ">updates", "when", "model")
    print_table(headings, rows, empty="no version yet: the model is as the task began")


@app.command()
@online
def show(line: Online, *, task: Task, version: Made = None) -> None:
    """Show one version: what made it, and whose updates went in with which weight."""
    found = line.ask(lambda client: version_of(client, task, version))
    if line.as_json:
        print_json(found)
        return
    print_record(
        {
            "task": found.task,
            "version": found.version,
            "round": found.round,
            "model": found.model,
            "parent": found.parent,
            "step": f"1/{2**found.halvings}" if found.halvings else "whole",
            "height": found.height,
            "time": moment(found.time_ms),
        }
    )
    print_table(
        ("contributor", ">weight", ">score"),
        [
            (short(who), f"{100 * int(weight) / _ONE:.1f} %", score)
            for who, weight, score in zip(
                found.contributors, found.weights, found.scores, strict=True
            )
        ],
        empty="no contributors",
    )


@app.command()
@online
def lineage(line: Online, *, task: Task, version: Made = None) -> None:
    """Print the way from the first model to a version, round by round."""
    wanted = line.ask(lambda client: versions(client, task, until=version))
    _tell_left_out(wanted)
    if line.as_json:
        print_json(wanted)
        return
    for place, one in enumerate(wanted):
        if place == 0:
            typer.echo(f"version {one.version - 1}  {one.parent}")
        typer.echo(f"version {one.version}  {one.model}  round {one.round}")
        for who, weight in zip(one.contributors, one.weights, strict=True):
            typer.echo(f"    {100 * int(weight) / _ONE:5.1f} %  {who}")
    if not wanted:
        typer.echo("no version yet: the model is as the task began")


async def versions(client: "NodeClient", task: int, *, until: int | None) -> "list[Model]":
    """Return the versions of a task's model up to one, the newest for None; at most so many.

    Raises:
        NotThereError: that one was never made.
    """
    if until is None:
        until = (await client.task(task)).version
    if until == 0:
        return []
    last = await version_of(client, task, until)
    first = max(1, until - VERSIONS_MAX + 1)
    return [*[await client.model(task, version) for version in range(first, until)], last]


def _tell_left_out(models: "list[Model]") -> None:
    if models and models[0].version > 1:
        typer.echo(f"the first {models[0].version - 1} versions are left out", err=True)


async def version_of(client: "NodeClient", task: int, version: int | None) -> "Model":
    """Return one version, by default the newest.

    Raises:
        NotThereError: it was never made.
    """
    newest = (await client.task(task)).version
    wanted = newest if version is None else version
    if not 1 <= wanted <= newest:
        raise NotThereError(
            f"task {task} has no version {wanted}: "
            + (f"there are 1 to {newest}" if newest else "no round has made one yet")
        )
    return await client.model(task, wanted)
