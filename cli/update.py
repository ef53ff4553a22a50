"""`hanse update submit`: hand in an update by hand, as a node's trainer duty does by itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.online import Signing, YesOption, signing
from cli.printing import print_json, print_record
from cli.task import read_document_of

if TYPE_CHECKING:
    from node.federation.document import TaskDocument
    from primitives.ids import Digest

app = typer.Typer(no_args_is_help=True, help="Hand in an update by hand.")

Task: TypeAlias = Annotated[
    int, typer.Argument(min=0, max=2**63 - 1, help="The number of the task.")
]
File: TypeAlias = Annotated[Path, typer.Argument(help="An UPDATE blob, as a worker writes it.")]
Timeout: TypeAlias = Annotated[
    int, typer.Option("--timeout", min=1, metavar="S", help="Seconds to wait for each phase.")
]


@app.callback()
def group() -> None:
    """Hand in an update by hand."""


@app.command()
@signing
def submit(
    line: Signing, *, task: Task, file: File, timeout: Timeout = 3_600, yes: YesOption = False
) -> None:
    """Commit to an update, wait for REVEAL, seal it for those who have seats, and reveal it.

    The node of --node must be your own, since it holds the sealed update until the round is over;
    nobody but the validators can read it before. It waits for the commit phase of a round, and in
    that round for its reveal phase. A node that is away for a while is waited for; where the
    command ends all the same, run it again before the reveal is over: it goes on where it was, and
    the bond is safe.
    """
    from cli.amounts import hanse
    from cli.hand_in import Due, HandIn
    from node.duties.salts import Salts
    from primitives.ids import Grain

    if line.no_wait:
        raise typer.BadParameter("--no-wait: an update that is not revealed loses its bond")
    found = line.ask(lambda client: client.task(task))
    content = _content(file, read_document_of(line, found.terms.document))
    root = _root(content)
    _check_node(line)
    opened = line.opened()
    hand_in = HandIn(
        line=opened,
        task=task,
        content=content,
        root=root,
        who=line.own_address(),
        salts=Salts(opened.private_key()),
        bond=Grain(int(found.terms.bond)),
        timeout_s=timeout,
    )
    if not yes and hand_in.now_due() in (None, Due.COMMIT):
        question = f"Put down a bond of {hanse(hand_in.bond)} for {file}?"
        typer.confirm(question, abort=True, err=True)
    facts = {"task": task, "round": hand_in.run(), "root": root.hex()}
    print_json(facts) if line.as_json else print_record(facts)


def _check_node(line: Signing) -> None:
    """Refuse a node that cannot hand the update in for this account, before money is put down."""
    from node.rpc.texts import account_text
    from primitives.errors import ConfigurationError

    status = line.ask(lambda client: client.status())
    if status.operator != account_text(line.own_address()):
        raise ConfigurationError(
            f"the node at {line.url} is not run with your key, so it takes no update from you: "
            "name your own with --node"
        )
    if "trainer" in status.roles:
        raise ConfigurationError(
            "your node trains by itself and would hand in another update for you: take trainer out "
            "of node.roles in its hanse.toml and restart it"
        )


def _content(file: Path, document: "TaskDocument") -> bytes:
    """Return an update of the task: for what is none, validators would take the bond."""
    from fl.rules.update.blob import decode, size_bytes_max
    from fl.rules.update.errors import MalformedBlobError
    from fl.rules.update.header import BlobKind, Expectation
    from primitives.errors import ConfigurationError
    from primitives.ids import Digest

    limit = max(map(size_bytes_max, document.layouts))
    try:
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    errors = list[MalformedBlobError]()
    for layout in document.layouts:
        expected = Expectation(
            kind=BlobKind.UPDATE,
            base_model=Digest(document.pins.model),
            tokenizer=Digest(document.pins.tokenizer),
            layout=layout,
        )
        try:
            decode(content, expected=expected)
        except MalformedBlobError as error:
            errors.append(error)
        else:
            return content
    raise ConfigurationError(f"{file} is no update of this task: {errors[0]}") from errors[0]


def _root(content: bytes) -> "Digest":
    from fl.rules.update.root import blob_root

    return blob_root(content).digest
