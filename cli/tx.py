"""`hanse tx`: transactions that are signed elsewhere, and what became of those that were sent."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.online import Online, online
from cli.printing import print_json, print_record
from cli.sending import awaited, check, receipt_record

if TYPE_CHECKING:
    from node.ledger.transaction import SignedTransaction
    from node.rpc.client import NodeClient
    from node.rpc.schemas import Receipt
    from primitives.ids import Digest

app = typer.Typer(no_args_is_help=True, help="Send, show and await transactions.")

Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="64 hexadecimal digits.")]
File: TypeAlias = Annotated[
    Path, typer.Argument(help="A signed transaction: its bytes, or those in hexadecimal.")
]
Timeout: TypeAlias = Annotated[
    int, typer.Option("--timeout", min=1, max=3_600, metavar="S", help="Seconds to wait at most.")
]


@app.callback()
def group() -> None:
    """Send, show and await transactions."""


@app.command()
@online
def send(line: Online, *, file: File) -> None:
    """Send a transaction that was signed elsewhere, and print its id."""
    signed = _read(file)

    async def main(client: "NodeClient") -> "Digest":
        return await client.submit(signed)

    facts = {"transaction": line.ask(main).hex()}
    print_json(facts) if line.as_json else print_record(facts)


@app.command()
@online
def show(line: Online, *, transaction: Id) -> None:
    """Show what became of a transaction, and whether that is final."""
    wanted = read_id(transaction)
    state = line.ask(lambda client: client.transaction(wanted))
    if line.as_json:
        print_json(state)
        return
    _print(state.receipt, final=state.is_final)


@app.command()
@online
def wait(line: Online, *, transaction: Id, timeout: Timeout = 60) -> None:
    """Wait until a transaction is committed; exit 4 if it was refused or failed."""
    wanted = read_id(transaction)

    async def main(client: "NodeClient") -> "Receipt":
        return await awaited(client, wanted, timeout_s=timeout)

    receipt = line.ask(main)
    print_json(receipt) if line.as_json else _print(receipt, final=None)
    check(receipt)


def _print(receipt: "Receipt", *, final: bool | None) -> None:
    record = receipt_record(receipt)
    if final is not None:
        record["final"] = final
    print_record(record)
    for event in receipt.events:
        typer.echo(f"event  {event.name}  {event.contract}")


def read_id(text: str) -> "Digest":
    """Return the id of a transaction.

    Raises:
        BadParameter: the text is none.
    """
    from primitives.ids import DIGEST_SIZE_BYTES, Digest

    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != DIGEST_SIZE_BYTES:
        raise typer.BadParameter("the id of a transaction has 64 hexadecimal digits")
    return Digest(raw)


def _read(path: Path) -> "SignedTransaction":
    from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, TRANSACTION_BYTES_MAX
    from primitives.errors import ConfigurationError

    try:
        with path.open("rb") as file:
            raw = file.read(2 * TRANSACTION_BYTES_MAX + 2)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    # What is no hexadecimal text is binary; whether it is a transaction is what the codec says.
    with contextlib.suppress(ValueError):
        raw = bytes.fromhex(raw.decode("ascii").strip())
    return SIGNED_TRANSACTION_CODEC.decode(raw)
