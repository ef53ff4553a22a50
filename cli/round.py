"""`hanse round`: what happens in the rounds of a task."""

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.news import news_of
from cli.online import Online, online
from cli.printing import moment, print_json, print_record, print_table, short

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Round, RoundHistory, Update
    from node.rpc.stream_schemas import FromNode

app = typer.Typer(no_args_is_help=True, help="Look at rounds while they run.")

_ONE: Final = 1 << 16
_MS_PER_S: Final = 1_000

Task: TypeAlias = Annotated[int, typer.Argument(min=0, help="The number of the task.")]
Number: TypeAlias = Annotated[
    int | None, typer.Argument(min=0, help="The number of the round. Default: the running one.")
]
Rounds: TypeAlias = Annotated[
    int, typer.Option("--rounds", min=0, help="End after so many have ended; 0: go on.")
]


@app.callback()
def group() -> None:
    """Look at rounds while they run."""


@app.command()
@online
def show(line: Online, *, task: Task, number: Number = None) -> None:
    """Show the running round with its updates and seats, or what became of an earlier one."""
    if number is None:
        _show_running(line, task)
        return
    found = line.ask(lambda client: client.round_history(task, number))
    print_json(found) if line.as_json else _print_history(found)


@app.command()
@online
def watch(line: Online, *, task: Task, rounds: Rounds = 0) -> None:
    """Print a line for each new phase, and the result of each round, until Ctrl-C.

    Example: `hanse round watch 0 --rounds 1` ends with the running round.
    """
    line.ask(lambda client: watch_rounds(client, line, task=task, rounds=rounds))


async def watch_rounds(client: "NodeClient", line: Online, *, task: int, rounds: int) -> None:
    """Print what happens to the rounds of a task as the node tells it, until so many have ended."""
    from node.rpc.stream_schemas import Topic

    ended, seen, running = 0, "", None
    async with news_of(client, Topic.ROUNDS, Topic.COMMITS, task=task) as news:
        while True:
            found = await client.running_round(task)
            if running is not None and (found is None or found.number != running):
                _print_end(line, await client.round_history(task, running))
                ended += 1
            if rounds and ended >= rounds:
                return
            running = None if found is None else found.number
            sight = "" if found is None else _sight(found)
            if found is not None and sight != seen:
                print_json(found) if line.as_json else typer.echo(sight)
            seen = sight
            await news.wait(_may_change_a_round)


def _may_change_a_round(notice: "FromNode") -> bool:
    """Tell whether to look again: seats hand in scores and votes without an event."""
    from node.rpc.stream_schemas import CommitNotice, RoundNotice

    return isinstance(notice, RoundNotice) or (
        isinstance(notice, CommitNotice) and notice.receipts > 0
    )


def _show_running(line: Online, task: int) -> None:
    found = line.ask(lambda client: client.running_round(task))
    if line.as_json:
        print_json(found)
        return
    if found is None:
        typer.echo("no round is running")
        return
    print_record(
        {
            "round": found.number,
            "phase": found.phase,
            "deadline": moment(found.deadline_ms),
            "rung": found.rung,
            "aggregate": found.aggregate,
        }
    )
    print_table(
        (">update", "trainer", "verdict", ">score", ">weight", "root"),
        [_update_row(one) for one in found.updates],
        empty="no updates yet",
    )
    print_table(
        (">seat", "validator", ">power", ">held", "scores", "vote"),
        [
            (
                one.index,
                short(one.validator),
                one.power,
                len(one.held),
                "revealed" if one.has_revealed else "committed" if one.has_committed else "-",
                short(one.vote),
            )
            for one in found.seats
        ],
        empty="no seats",
    )


def _update_row(update: "Update") -> tuple[object, ...]:
    score = update.score if update.is_judged else None
    weight = f"{100 * int(update.weight) / _ONE:.1f} %"
    return update.index, short(update.trainer), update.verdict, score, weight, short(update.root)


def _sight(found: "Round") -> str:
    revealed = sum(one.root is not None for one in found.updates)
    scored = sum(one.has_revealed for one in found.seats)
    return (
        f"round {found.number}: {found.phase}, rung {found.rung}, updates {len(found.updates)}, "
        f"revealed {revealed}, scorecards {scored}/{len(found.seats)}"
    )


def _print_end(line: Online, found: "RoundHistory") -> None:
    if line.as_json:
        print_json(found)
        return
    model = "the model stays" if found.model is None else f"model version {found.model.version}"
    typer.echo(f"round {found.number}: {found.outcome}, {model}")


def _print_history(found: "RoundHistory") -> None:
    record: dict[str, object] = {"round": found.number, "outcome": found.outcome}
    if found.model is not None:
        record["model"] = f"version {found.model.version}, {found.model.model}"
        record["contributors"] = [short(one) for one in found.model.contributors]
    print_record(record)
    rows = []
    for place, entry in enumerate(found.phases):
        later = found.phases[place + 1].time_ms if place + 1 < len(found.phases) else None
        span = None
        if later is not None and entry.time_ms is not None:
            span = f"{(later - entry.time_ms) / _MS_PER_S:.1f} s"
        rows.append((entry.phase, entry.height, span))
    print_table(("phase", ">height", ">lasted"), rows, empty="no phases are kept here")
    if not found.is_complete:
        typer.echo("older events of this round are not kept by this node", err=True)
