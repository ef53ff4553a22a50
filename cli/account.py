"""`hanse account`: money."""

from typing import Annotated, TypeAlias

import typer

from cli.amounts import hanse
from cli.online import AmountArgument, Online, Signing, Who, YesOption, online, signing
from cli.own_keys import own_or_named
from cli.printing import print_json, print_record
from cli.sending import Sender, send_and_tell

app = typer.Typer(no_args_is_help=True, help="Look at money and send it.")

Recipient: TypeAlias = Annotated[
    str, typer.Argument(metavar="TO", help="did:key, 64 hex digits, or the name of a key.")
]


@app.callback()
def group() -> None:
    """Look at money and send it."""


@app.command()
@online
def balance(line: Online, *, who: Who = None) -> None:
    """Show what an account holds, in HANSE, and the number of its next transaction."""
    address = own_or_named(line, who)
    found = line.ask(lambda client: client.account(address.hex()))
    if line.as_json:
        print_json(found)
        return
    print_record(
        {
            "account": found.address,
            "balance": hanse(found.balance),
            "next nonce": "-" if found.is_contract else found.nonce,
            "waiting": found.pending,
            "height": found.height,
        }
    )


@app.command()
@signing
def transfer(
    line: Signing, *, to: Recipient, amount: AmountArgument, yes: YesOption = False
) -> None:
    """Send money. It cannot be called back, so this asks first."""
    from node.ledger.transaction import Action, Transfer
    from primitives.ids import Grain

    recipient = line.address(to)
    if not yes:
        typer.confirm(f"Send {hanse(amount)} to {to}?", abort=True, err=True)

    def action(_: Sender) -> Action:
        return Transfer(recipient, Grain(amount))

    send_and_tell(line, action)
