"""`hanse devnet`: a network of real nodes on this machine that trains, and can be hurt."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from cli.devnet_options import (
    Adjustment,
    Alpha,
    AsJson,
    AtOnce,
    Attackers,
    Batch,
    Delay,
    EpochS,
    Folder,
    Group,
    Groups,
    HeldOut,
    Keep,
    Kind,
    Layers,
    Liars,
    Model,
    ModelSort,
    Name,
    Nodes,
    Rank,
    Rate,
    RateKept,
    Rounds,
    Samples,
    Schedule,
    ScoreS,
    Seconds,
    Seed,
    Source,
    Tested,
    Threads,
    Tokens,
    Tps,
    Trainers,
    TrainS,
    Validators,
)
from cli.model_publish import RateFall
from cli.node_watch import Follow, print_lines
from cli.online import YesOption
from cli.printing import print_json, print_record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from devnet.local.memory import Resident
    from devnet.local.network import LocalNetwork
    from devnet.local.plan import Plan
    from devnet.local.story import RoundStory, Story
    from devnet.local.study import Study
    from devnet.local.table import NetworkView

app = typer.Typer(no_args_is_help=True, help="A network of real nodes on this machine.")

DEFAULT_FOLDER: Final = "~/.hanse/devnet"
_NANO: Final = 10**9
_MS_PER_S: Final = 1_000

T = TypeVar("T")


@app.callback()
def group() -> None:
    """Bring up a network of real nodes on this machine, watch it, and hurt it."""


@app.command()
def up(  # noqa: PLR0913 - an option each
    *,
    nodes: Nodes = 4,
    validators: Validators = None,
    trainers: Trainers = None,
    attackers: Attackers = "",
    liars: Liars = "",
    source: Source = "",
    model: Model = "",
    kind: Kind = ModelSort.AUTO,
    group_by: Group = "",
    alpha: Alpha = 0.5,
    rounds: Rounds = 2,
    samples: Samples = None,
    held_out: HeldOut = None,
    tested: Tested = None,
    tokens: Tokens = None,
    batch: Batch = None,
    rank: Rank = None,
    layers: Layers = "",
    learning_rate: Rate = None,
    schedule: Schedule = RateFall.CONSTANT,
    rate_kept: RateKept = None,
    adjustment: Adjustment = None,
    train_s: TrainS = None,
    score_s: ScoreS = None,
    epoch_s: EpochS = 3_600,
    at_once: AtOnce = 2,
    threads: Threads = 1,
    latency: Delay = "",
    seed: Seed = 1,
    keep: Keep = False,
    folder: Folder = Path(DEFAULT_FOLDER),
    yes: YesOption = False,
    as_json: AsJson = False,
) -> None:
    """Bring a network up, train on it, write a report, and stop it again.

    Without options: four nodes that validate and train, two rounds, the model and examples that
    ship with Hanse. Nothing is fetched from anywhere.
    """
    numbers = {"samples": samples, "held_out": held_out, "tested": tested, "tokens": tokens}
    training = {"batch": batch, "rank": rank, "train_s": train_s, "score_s": score_s}
    training |= {"rate_kept_percent": rate_kept, "adjustment_percent": adjustment}
    study = _study(
        {"kind": kind.value, "alpha": alpha, "group": group_by, **numbers, **training},
        source=source,
        model=model,
        layers=layers,
        rate=(None if learning_rate is None else round(learning_rate * _NANO), schedule.value),
    )
    plan = _plan(
        {"nodes": nodes, "validators": validators, "trainers": trainers, "rounds": rounds},
        {"epoch_ms": epoch_s * _MS_PER_S, "at_once": at_once, "threads": threads, "seed": seed},
        cheats=(attackers, liars),
        latency=latency,
        study=study,
    )
    _ask_to_empty(folder.expanduser(), yes=yes)
    _drive(folder.expanduser(), plan, keep=keep or not rounds, as_json=as_json)


@app.command()
def status(*, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Show every node, and the round that runs."""
    from rich.console import Console

    from devnet.local.table import render, view_network

    view = _asked(folder, view_network)
    if as_json:
        print_json(view)
        return
    Console(highlight=False).print(render(view, (), headline=view.folder))


@app.command()
def down(*, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Stop all nodes; their folders stay."""
    network = _network(folder)
    alive = network.alive()
    asyncio.run(network.stop())
    if as_json:
        print_json({"stopped": list(alive), "folder": str(network.folder)})
    else:
        typer.echo(f"stopped {', '.join(alive) or 'nothing'}; the folders are in {network.folder}")


@app.command()
def logs(
    *,
    node: Name,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many.")] = 40,
    follow: Follow = False,
    folder: Folder = Path(DEFAULT_FOLDER),
    as_json: AsJson = False,
) -> None:
    """Print the end of the log of a node, running or not, and what else it said."""
    from cli.devnet_log import line_of, read_log

    network = _network(folder)
    path = network.supervisor.log_path(network.record.node(node).name)
    if not path.is_file():
        typer.echo(f"{path}: nothing was logged", err=as_json or follow)
        if not follow:
            return
    print_lines(map(line_of, read_log(path, lines=lines, follow=follow)), as_json=as_json)


@app.command()
def kill(*, node: Name, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """End a node at once, as a crash would."""
    network = _network(folder)
    asyncio.run(network.kill(node))
    _say(as_json, f"{network.record.node(node).name} is dead", node=node, did="kill")


@app.command()
def pause(*, node: Name, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Stop a process where it is; `resume` lets it go on."""
    network = _network(folder)
    if not network.pause(node):
        _not_running(network, node)
    _say(as_json, f"{network.record.node(node).name} stands still", node=node, did="pause")


@app.command()
def resume(*, node: Name, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Let a paused node go on."""
    network = _network(folder)
    if not network.resume(node):
        _not_running(network, node)
    _say(as_json, f"{network.record.node(node).name} goes on", node=node, did="resume")


@app.command()
def restart(
    *,
    node: Name,
    forget: Annotated[
        bool, typer.Option("--forget", help="Without its databases: it joins anew.")
    ] = False,
    folder: Folder = Path(DEFAULT_FOLDER),
    yes: YesOption = False,
    as_json: AsJson = False,
) -> None:
    """Start a node again, stopping it first if it runs; return when it is ready."""
    if forget and not yes:
        name = _network(folder).record.node(node).name
        typer.confirm(f"Delete the databases of {name}?", abort=True, err=True)

    async def start_again(network: "LocalNetwork") -> None:
        if forget:
            await network.stop(network.record.node(node).name)
            network.forget(node)
        await network.restart(node)

    _asked(folder, start_again)
    _say(as_json, f"{node} runs again", node=node, did="restart")


@app.command()
def join(*, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Add a full node that was no founder; return when it has caught up."""
    from devnet.local.network import CAUGHT_UP_S

    async def add(network: "LocalNetwork") -> str:
        final = await network.final_height()
        name = await network.join_late()
        await network.wait_ready(name, limit_s=CAUGHT_UP_S)
        await network.wait_final(name, final)
        return name

    name = _asked(folder, add)
    _say(as_json, f"{name} has joined", node=name, did="join")


@app.command()
def partition(
    *, groups: Groups, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False
) -> None:
    """Have groups of nodes refuse each other; `heal` ends it."""
    named = [_names(part) for part in groups.split("|")]
    if len(named) < 2 or not all(named):
        raise typer.BadParameter("two groups or more with a bar between, as in '0,1|2,3'")

    async def part(network: "LocalNetwork") -> None:
        wanted = [[network.record.node(name).name for name in group] for group in named]
        await network.part(*wanted)

    _asked(folder, part)
    shown = " | ".join(", ".join(group) for group in named)
    _say(as_json, f"parted: {shown}", groups=named, did="partition")


@app.command()
def heal(*, folder: Folder = Path(DEFAULT_FOLDER), as_json: AsJson = False) -> None:
    """Let all nodes meet again."""

    async def mend(network: "LocalNetwork") -> None:
        await network.heal()

    _asked(folder, mend)
    _say(as_json, "all nodes may meet again", did="heal")


@app.command()
def load(
    *,
    tps: Tps = 100,
    seconds: Seconds = 10,
    folder: Folder = Path(DEFAULT_FOLDER),
    as_json: AsJson = False,
) -> None:
    """Send transfers at a rate; tell how many were executed, how fast, and what memory it took."""
    from devnet.local.load import make_load

    outcome = _asked(folder, lambda network: make_load(network, per_s=tps, seconds=seconds))
    if as_json:
        print_json(outcome)
        return
    print_record(
        {
            "sent": outcome.sent,
            "executed": outcome.executed,
            "refused": outcome.refused,
            "executed a second": f"{outcome.executed_per_s:.0f}",
            **_memory(outcome.memory),
        }
    )


def _memory(found: "Resident | None") -> dict[str, str]:
    """Return what is said of the memory of the largest node, nothing if nobody knows."""
    if found is None:
        return {}
    return {
        "largest node": f"{found.now_mb:.0f} MB resident, {found.peak_mb:.0f} MB at its peak, "
        "without its workers and its process for signatures"
    }


def _study(
    chosen: dict[str, Any], *, source: str, model: str, layers: str, rate: tuple[int | None, str]
) -> "Study":
    """Return the study of the options that were given, with defaults for all others."""
    from msgspec.structs import replace

    from devnet.local.study import Study, parse_layers
    from fl.jobs.local_terms import RateSchedule

    named = {
        **chosen,
        "source": _absolute(source) or None,
        "model": _absolute(model) or None,
        "layers": parse_layers(layers),
        "learning_rate_nano": rate[0],
        "schedule": RateSchedule(rate[1]),
    }
    return replace(Study(), **{name: value for name, value in named.items() if value is not None})


def _plan(
    counts: dict[str, Any],
    terms: dict[str, Any],
    *,
    cheats: tuple[str, str],
    latency: str,
    study: "Study",
) -> "Plan":
    """Return the plan of the options that were given."""
    from devnet.local.latency import parse_latency
    from devnet.local.plan import Wish, make_plan, parse_shares

    attackers, liars = map(parse_shares, cheats)
    delay = parse_latency(latency)
    wish = Wish(**counts, **terms, attackers=attackers, liars=liars, latency=delay, study=study)
    return make_plan(wish)


def _ask_to_empty(folder: Path, *, yes: bool) -> None:
    """Ask before an old network goes, where somebody can answer: scripts run `up` again and again.

    Raises:
        Abort: it is to stay.
    """
    from devnet.local.record import RECORD_NAME

    if not yes and sys.stdin.isatty() and (folder / RECORD_NAME).exists():
        question = f"Remove the network in {folder} and its report?"
        typer.confirm(question, abort=True, err=True)


def _drive(folder: Path, plan: "Plan", *, keep: bool, as_json: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    from devnet.local.drive import Drive, report_on
    from devnet.local.report import verdict
    from devnet.local.table import render
    from node.running.clock import SystemClock
    from primitives.errors import HanseError

    console = Console(stderr=as_json, highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(view: "NetworkView", rounds: "list[RoundStory]", headline: str) -> None:
            live.update(render(view, rounds, headline=headline), refresh=True)

        drive = Drive(folder, plan, SystemClock(), show if console.is_terminal else _unshown)

        async def main() -> "tuple[Story, Path]":
            is_done = False
            try:
                story = await drive.run()
                assert drive.network is not None, "a run has a network"
                path = await report_on(drive.network, story)
                is_done = True
            except BaseException:
                if drive.network is not None and drive.partial is not None:
                    # A disk that is full must not hide why the run broke off.
                    with contextlib.suppress(HanseError, OSError):
                        path = await report_on(drive.network, drive.partial)
                        typer.echo(f"report of the rounds until then: {path}", err=True)
                raise
            finally:
                if drive.network is not None and not (keep and is_done):
                    await drive.network.stop()
            return story, path

        story, path = _interruptible(main())
    if as_json:
        print_json({"report": str(path), "story": story})
        return
    typer.echo(verdict(story))
    typer.echo(f"report: {path}")
    if keep:
        typer.echo(f"it runs on: hanse devnet status --folder {folder}")


def _unshown(_view: "NetworkView", rounds: "list[RoundStory]", headline: str) -> None:
    """Show nothing where nobody watches."""


def _interruptible(main: "Awaitable[T]") -> T:
    """Run to the end, or break off tidily at Ctrl-C and at a request to end."""

    async def run() -> T:
        task = asyncio.ensure_future(main)  # noqa: TID251 - this is the task that owns all others
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        sys.stderr.write("stopped\n")
        raise typer.Exit(1) from None


def _network(folder: Path) -> "LocalNetwork":
    from devnet.local.network import LocalNetwork
    from node.running.clock import SystemClock

    return LocalNetwork.read(folder.expanduser(), clock=SystemClock())


def _asked(folder: Path, question: "Callable[[LocalNetwork], Awaitable[T]]") -> T:
    network = _network(folder)

    async def main() -> T:
        async with network.opened():
            return await question(network)

    return asyncio.run(main())


def _not_running(network: "LocalNetwork", node: str) -> None:
    from devnet.local.errors import NoDevnetError

    raise NoDevnetError(f"{network.record.node(node).name} does not run")


def _say(as_json: bool, text: str, **facts: object) -> None:
    print_json(facts) if as_json else typer.echo(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _absolute(source: str) -> str:
    """Return a folder as an absolute path; anything else as it is."""
    path = Path(source).expanduser()
    return str(path.absolute()) if source and path.is_dir() else source
