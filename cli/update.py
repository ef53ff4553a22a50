"""`hanse update submit`: hand in an update by hand, as a node's trainer duty does by itself."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.exit_codes import WaitOverError
from cli.identity import write_own_token
from cli.online import Signing, YesOption, signing
from cli.printing import print_json, print_record
from cli.sending import send

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Round

app = typer.Typer(no_args_is_help=True, help="Hand in an update by hand.")

_PAUSE_S: Final = 0.25

Task: TypeAlias = Annotated[int, typer.Argument(min=0, help="The number of the task.")]
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
    that round for its reveal phase.
    """
    from cli.amounts import hanse
    from node.federation.calls import commit, reveal
    from node.federation.commitments import SALT_SIZE_BYTES, update_commitment
    from primitives.ids import Grain

    content = _content(file)
    root = _root(content)
    found = line.ask(lambda client: client.task(task))
    _check_node(line)
    bond = Grain(int(found.terms.bond))
    if not yes:
        typer.confirm(f"Put down a bond of {hanse(bond)} for {file}?", abort=True, err=True)
    running = line.ask(lambda client: _phase(client, task, "commit", None, timeout))
    salt = os.urandom(SALT_SIZE_BYTES)
    commitment = update_commitment(
        task, running.number, trainer=line.own_address(), root=root, salt=salt
    )
    committed = commit(task, commitment=commitment, bond=bond)
    send(line, lambda _: committed)
    typer.echo(f"committed in round {running.number}; waiting for the reveal", err=True)
    running = line.ask(lambda client: _phase(client, task, "reveal", running.number, timeout))
    _offer(line, running, root=root, content=content)
    revealed = reveal(task, root=root, salt=salt)
    send(line, lambda _: revealed)
    facts = {"task": task, "round": running.number, "root": root.hex()}
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


def _offer(line: Signing, running: "Round", *, root: bytes, content: bytes) -> None:
    """Seal the update for the seats of a round, and have the node give it to them."""
    token = write_own_token(line)

    async def main(client: "NodeClient") -> None:
        from node.blobs.sealing import seal
        from node.rpc.texts import parse_address
        from primitives.keys import PublicKey

        seats = {seat.validator for seat in running.seats}
        found = (await client.validators()).validators
        keys = {one.operator: PublicKey(bytes.fromhex(one.consensus_key)) for one in found}
        recipients = [(parse_address(one), keys[one]) for one in sorted(seats & keys.keys())]
        envelope = await asyncio.to_thread(seal, content, recipients=recipients, rng=os.urandom)
        await client.offer_update(running.task, running.number, root=root, envelope=envelope)

    line.ask(main, token=token)


def _content(file: Path) -> bytes:
    from primitives.errors import ConfigurationError

    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error


def _root(content: bytes) -> bytes:
    from fl.rules.update.root import blob_root

    return blob_root(content).digest


async def _phase(
    client: "NodeClient", task: int, phase: str, number: int | None, timeout_s: float
) -> "Round":
    """Wait until a round is in a phase: the one of a number, or any."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                running = await client.running_round(task)
                is_it = running is not None and number in (None, running.number)
                if running is not None and is_it and running.phase == phase:
                    return running
                if number is not None and not is_it:
                    raise WaitOverError(f"round {number} of task {task} is over")
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError as error:
        raise WaitOverError(
            f"no round of task {task} came to {phase} in {timeout_s:g} s"
        ) from error
