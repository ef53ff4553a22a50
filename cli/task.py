"""`hanse task`: offers of federated training, and taking part in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.amounts import hanse, parse_amount
from cli.blob import blob_digest, fetch
from cli.home import config_of
from cli.identity import check_agent
from cli.online import Online, Signing, YesOption, online, signing
from cli.printing import print_json, print_record, print_table
from cli.reals import real_between
from cli.sending import send, tell

if TYPE_CHECKING:
    from node.federation.document import TaskDocument
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Identity, Task
    from node.rpc.schemas import Receipt

app = typer.Typer(no_args_is_help=True, help="Offer federated tasks, and take part in them.")

_WINDOWS: Final = 7
_MS_PER_S: Final = 1_000
_PAGE: Final = 50
_TASKS_MAX: Final = 1_000
WINDOW_S_MAX: Final = 7 * 24 * 3_600
"""What the chain takes at most."""
TERM_MAX: Final = 2**63 - 1
"""What a transaction can carry; whether the term makes sense is for the chain to say."""

_read_window_s: Final = real_between(0, WINDOW_S_MAX)

Number: TypeAlias = Annotated[
    int, typer.Argument(min=0, max=TERM_MAX, help="The number of the task.")
]
Document: TypeAlias = Annotated[
    str, typer.Option(metavar="CID", help="The task document that `hanse model publish` printed.")
]
Escrow: TypeAlias = Annotated[
    int, typer.Option(parser=parse_amount, metavar="AMOUNT", help="Pays for rounds; rest returns.")
]
Reward: TypeAlias = Annotated[
    int, typer.Option(parser=parse_amount, metavar="AMOUNT", help="Of one round, for all together.")
]
Bond: TypeAlias = Annotated[
    int, typer.Option(parser=parse_amount, metavar="AMOUNT", help="That each update puts down.")
]
Slots: TypeAlias = Annotated[int, typer.Option(min=1, max=100, help="Most updates of one round.")]
Ready: TypeAlias = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        help="Updates with which a round goes on at once, where you know all trainers: who comes "
        "later waits for the next round. 0: the first phase takes its time.",
    ),
]
Windows: TypeAlias = Annotated[
    str, typer.Option(metavar="S,S,...", help="Seconds of the seven phases, or one for all.")
]
Epsilon: TypeAlias = Annotated[
    int,
    typer.Option(
        min=0, max=TERM_MAX, help="Least gain of an update, in 100 micro-nats, as all that follow."
    ),
]
Band: TypeAlias = Annotated[
    int, typer.Option(min=1, max=TERM_MAX, help="Least half-width of the score band.")
]
Harm: TypeAlias = Annotated[int, typer.Option(min=0, max=TERM_MAX, help="A loss above it is harm.")]
Guard: TypeAlias = Annotated[
    str, typer.Option(metavar="N,N,...", help="Most that loss, then each class, may get worse.")
]
Clip: TypeAlias = Annotated[
    int, typer.Option(min=1, max=TERM_MAX, help="Norm of updates in the first round.")
]
ClipMin: TypeAlias = Annotated[
    int, typer.Option(min=1, max=TERM_MAX, help="Least norm of later ones.")
]
Share: TypeAlias = Annotated[
    int, typer.Option("--identity-percent", min=15, max=100, help="Most that one trainer earns.")
]
Described: TypeAlias = Annotated[
    bool, typer.Option("--list/--no-list", help="Put it into the catalogue, with its title.")
]


@app.callback()
def group() -> None:
    """Offer federated tasks, and take part in them."""


@app.command()
@signing
def create(  # noqa: PLR0913 - an option for each term
    line: Signing,
    *,
    document: Document,
    escrow: Escrow,
    reward: Reward,
    bond: Bond = 1_000_000_000,
    slots: Slots = 16,
    ready: Ready = 0,
    windows: Windows = "60",
    epsilon: Epsilon = 0,
    band_min: Band = 10,
    harm: Harm = 100,
    guard: Guard = "",
    clip: Clip = 1 << 20,
    clip_min: ClipMin = 1 << 12,
    share: Share = 50,
    listed: Described = True,
    yes: YesOption = False,
) -> None:
    """Offer a task: a model, what its rounds pay, and what they must reach.

    Your account must be registered as an agent: hanse identity register NAME --role agent.
    """
    from node.federation.calls import Offer, create_task
    from primitives.ids import Grain

    if ready > slots:
        raise typer.BadParameter(f"--ready is at most --slots, {slots}")
    check_agent(line)
    content = read_document_of(line, document)
    offer = Offer(
        document=blob_digest(document),
        model=content.start,
        reward=reward,
        bond=bond,
        slots=slots,
        ready=ready,
        epsilon=epsilon,
        band_min=band_min,
        harm=harm,
        clip=clip,
        clip_min=clip_min,
        windows=_windows(windows),
        guard_bounds=_guard(guard, classes=len(content.label_names)),
        identity_percent=share,
    )
    if not yes:
        rounds = escrow // reward if reward else 0
        question = f"Offer {content.title!r} for {hanse(escrow)}, enough for {rounds} rounds?"
        typer.confirm(question, abort=True, err=True)
    call = create_task(offer, escrow=Grain(escrow))
    receipt = send(line, lambda _: call)
    number = None if receipt is None else _created(receipt)
    if listed and number is not None:
        _publish(line, number, content)
    tell(line, receipt, task=number)


@app.command("list")
@online
def list_tasks(line: Online) -> None:
    """List the tasks of the chain."""
    found = line.ask(_all_tasks)
    if line.as_json:
        print_json(found)
        return
    rows = [
        (one.task, one.title or "-", _state(one), one.version, one.rounds, hanse(one.escrow))
        for one in found
    ]
    headings = (">task", "title", "state", ">version", ">rounds", ">escrow")
    print_table(headings, rows, empty="no tasks")


@app.command()
@online
def show(line: Online, *, task: Number) -> None:
    """Show one task with its terms."""
    found = line.ask(lambda client: client.task(task))
    if line.as_json:
        print_json(found)
        return
    terms = found.terms
    print_record(
        {
            "task": found.task,
            "title": found.title or "-",
            "organisation": found.organisation or "-",
            "sponsor": found.sponsor,
            "state": _state(found),
            "model": f"version {found.version}, {found.model}",
            "document": terms.document,
            "rounds": f"{found.rounds}, scored {found.scored}",
            "escrow": hanse(found.escrow),
            "reward": hanse(terms.reward),
            "bond": hanse(terms.bond),
            "slots": terms.slots,
            "ready": terms.ready,
            "windows": [f"{window // _MS_PER_S} s" for window in terms.windows],
            "guard bounds": terms.guard_bounds,
        }
    )


@app.command()
@online
def join(line: Online, *, task: Number) -> None:
    """Have the node of --folder take part in a task; a running one does so within seconds.

    A node takes part in all tasks until it is told of one: from the first `join` on, only in those
    that were joined.
    """
    found = line.ask(lambda client: client.task(task))
    if found.is_closing:
        typer.echo("warning: the task is closed and opens no round any more", err=True)
    identity = _identity(line)
    if identity is not None and not identity.registered_at:
        typer.echo("warning: the account has no identity: hanse identity register", err=True)
    chosen = _change(line.folder, task, is_in=True)
    _say(line, task, chosen)


@app.command()
@online
def leave(line: Online, *, task: Number) -> None:
    """Have the node of --folder leave a task alone; a running one does so within seconds."""
    chosen = _change(line.folder, task, is_in=False)
    _say(line, task, chosen)


@app.command()
@signing
def close(line: Signing, *, task: Number, yes: YesOption = False) -> None:
    """Let no round follow; the rest of the escrow returns to you, its sponsor."""
    from node.federation.calls import close_task

    if not yes:
        typer.confirm(f"Close task {task} for ever?", abort=True, err=True)
    call = close_task(task)
    tell(line, send(line, lambda _: call))


async def _all_tasks(client: "NodeClient") -> "list[Task]":
    found: list[Task] = []
    while len(found) < _TASKS_MAX:
        page = await client.tasks(first=len(found), limit=_PAGE)
        found += page.tasks
        if not page.tasks or len(found) >= page.count:
            break
    return found


def read_document_of(line: Online, document: str) -> "TaskDocument":
    """Return the document of a task, fetched from the node and checked."""
    import tempfile

    from node.federation.document import read_document

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document"
        fetch(line, document, file)
        return read_document(file.read_bytes())


def _windows(text: str) -> tuple[int, ...]:
    seconds = [_window_s(word) for word in text.split(",")]
    if len(seconds) == 1:
        seconds *= _WINDOWS
    if len(seconds) != _WINDOWS:
        raise typer.BadParameter(f"--windows takes one number of seconds, or {_WINDOWS}")
    return tuple(round(one * _MS_PER_S) for one in seconds)


def _window_s(word: str) -> float:
    try:
        return _read_window_s(word)
    except typer.BadParameter as error:
        raise typer.BadParameter(
            f"--windows takes seconds, up to {WINDOW_S_MAX}: 60, or seven of them"
        ) from error


def _guard(text: str, *, classes: int) -> tuple[int, ...]:
    if not text:
        # Half a hundredth of a nat on all examples, and ten times that on one class of them.
        return (50, *(500,) * min(classes, 15))
    try:
        bounds = tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise typer.BadParameter("--guard takes whole numbers with commas between") from error
    if not all(-TERM_MAX <= bound <= TERM_MAX for bound in bounds):
        raise typer.BadParameter(f"--guard takes numbers up to {TERM_MAX}")
    return bounds


def _created(receipt: "Receipt") -> int | None:
    for event in receipt.events:
        if event.name == "TaskCreated" and event.fields is not None:
            return int(event.fields["task"])
    return None


def _publish(line: Signing, number: int, content: "TaskDocument") -> None:
    from node.federation.calls import publish

    call = publish(number, title=content.title, description=content.description[:1_000])
    send(line, lambda _: call)


def _state(task: "Task") -> str:
    if task.is_closed:
        return "closed"
    if task.is_closing:
        return "closing"
    return "running" if task.is_running else "waiting"


def _identity(line: Online) -> "Identity | None":
    from cli.own_keys import find_own
    from node.keystore.errors import KeystoreError

    try:
        address = find_own(None, line.folder).public.raw
    except KeystoreError:
        return None
    return line.ask(lambda client: client.identity(address.hex()))


def _change(folder: Path, task: int, *, is_in: bool) -> tuple[int, ...]:
    from node.config.edit import edit_config
    from primitives.errors import ConfigurationError

    config = config_of(folder)
    if config is None:
        raise ConfigurationError(f"there is no node in {folder}: name its folder with --folder")
    chosen = () if config.training.tasks == "all" else config.training.tasks
    if config.training.tasks == "all":
        if not is_in:
            raise ConfigurationError(
                'the node takes part in "all" tasks: join the ones that it shall keep first'
            )
        typer.echo(
            f'warning: the node took part in "all" tasks and leaves all but {task}: join others as '
            'well, or set training.tasks = "all" again',
            err=True,
        )
    left = [one for one in chosen if one != task]
    changed = tuple(sorted([*left, task] if is_in else left))
    edit_config(folder, "training.tasks", changed)
    return changed


def _say(line: Online, task: int, chosen: tuple[int, ...]) -> None:
    facts = {"task": task, "tasks": list(chosen)}
    if line.as_json:
        print_json(facts)
    else:
        typer.echo(f"tasks of this node: {', '.join(map(str, chosen)) or 'none'}")
