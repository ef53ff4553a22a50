"""`hanse stake`: validators, and the money behind them."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.amounts import hanse
from cli.online import AmountArgument, Online, Signing, Who, YesOption, online, signing
from cli.own_keys import own_or_named
from cli.printing import print_json, print_table, short
from cli.sending import Sender, send_and_tell

if TYPE_CHECKING:
    from node.keystore.folder import KnownKey
    from node.ledger.transaction import Action
    from node.rpc.schemas import Validator
    from primitives.keys import PrivateKey

app = typer.Typer(no_args_is_help=True, help="Bond, delegate, and look at validators.")

_WHOLE_BP = 10_000

ValidatorArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="VALIDATOR", help="did:key, 64 hex digits, or the name of a key.")
]
Commission: TypeAlias = Annotated[
    int,
    typer.Option(min=0, max=_WHOLE_BP, metavar="BP", help="Kept of delegators' rewards, 1/10000."),
]
ConsensusKey: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="The key that will sign blocks.")
]
NodeKey: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="The key of the node among its peers.")
]
MoreStake: TypeAlias = Annotated[
    bool, typer.Option("--more", help="Add to the stake of a validator that is bonded already.")
]


@app.callback()
def group() -> None:
    """Bond, delegate, and look at validators."""


@app.command()
@online
def validators(line: Online) -> None:
    """List all validators with stake, seat and voting power."""
    found = line.ask(lambda client: client.validators())
    if line.as_json:
        print_json(found)
        return
    rows = [_row(one, found.power_total) for one in found.validators]
    headings = ("validator", ">stake", ">power", ">seat", "standing")
    print_table(headings, rows, empty="no validators")


@app.command()
@signing
def bond(  # noqa: PLR0913 - an option each
    line: Signing,
    *,
    amount: AmountArgument,
    commission: Commission = 1_000,
    consensus_key: ConsensusKey = "consensus",
    node_key: NodeKey = "node",
    more: MoreStake = False,
    yes: YesOption = False,
) -> None:
    """Become a validator with a first stake, or add to it with --more."""
    from node.ledger.possession import prove_possession
    from node.ledger.transaction import Bond, Delegate
    from primitives.ids import Address, Grain

    _confirm(f"Lock {hanse(amount)}? It comes back only after the unbonding period.", yes=yes)
    if more:
        own = line.own_address()
        send_and_tell(line, lambda _: Delegate(own, Grain(amount)))
        return
    consensus, peer = _key(line, consensus_key), _key(line, node_key)
    signer = _opened(line, consensus)

    def action(sender: Sender) -> "Action":
        operator = Address(sender.key.public.raw)
        return Bond(
            consensus_key=consensus.public.raw,
            node_key=peer.public.raw,
            possession=prove_possession(signer, chain_id=sender.chain_id, validator=operator),
            commission_bp=commission,
            amount=Grain(amount),
        )

    send_and_tell(line, action)


@app.command()
@signing
def unbond(line: Signing, *, amount: AmountArgument, yes: YesOption = False) -> None:
    """Take back part of your own validator's stake, after the unbonding period."""
    from node.ledger.transaction import Unbond
    from primitives.ids import Grain

    _confirm(f"Unbond {hanse(amount)}? Without enough stake the validator loses its seat.", yes=yes)
    send_and_tell(line, lambda _: Unbond(Grain(amount)))


@app.command()
@signing
def delegate(
    line: Signing, *, validator: ValidatorArgument, amount: AmountArgument, yes: YesOption = False
) -> None:
    """Add to the stake of a validator; it can be slashed with it."""
    from node.ledger.transaction import Delegate
    from primitives.ids import Grain

    who = line.address(validator)
    _confirm(
        f"Lock {hanse(amount)}? It is slashed with the validator, and comes back only after the "
        "unbonding period.",
        yes=yes,
    )
    send_and_tell(line, lambda _: Delegate(who, Grain(amount)))


@app.command()
@signing
def undelegate(line: Signing, *, validator: ValidatorArgument, amount: AmountArgument) -> None:
    """Take back part of a delegation, after the unbonding period."""
    from node.ledger.transaction import Undelegate
    from primitives.ids import Grain

    who = line.address(validator)
    send_and_tell(line, lambda _: Undelegate(who, Grain(amount)))


@app.command()
@signing
def withdraw(line: Signing, *, validator: ValidatorArgument) -> None:
    """Collect what has finished unbonding at a validator."""
    from node.ledger.transaction import Withdraw

    who = line.address(validator)
    send_and_tell(line, lambda _: Withdraw(who))


@app.command()
@signing
def unjail(line: Signing) -> None:
    """Ask to be a candidate again after a sentence for downtime."""
    from node.ledger.transaction import Unjail

    send_and_tell(line, lambda _: Unjail())


@app.command()
@online
def rewards(line: Online, *, who: Who = None) -> None:
    """Show what an account has at each validator, rewards included, and what it could withdraw."""
    address = own_or_named(line, who)
    holdings = line.ask(lambda client: client.holdings(address.hex()))
    if line.as_json:
        print_json(holdings)
        return
    rows = [
        (short(one.validator), *map(hanse, (one.free, one.entering, one.arrived, one.leaving)))
        for one in holdings.holdings
    ]
    headings = ("validator", ">stake now", ">entering", ">arrived", ">leaving")
    print_table(headings, rows, empty="nothing is staked")


def _row(one: "Validator", power_total: int) -> tuple[str, ...]:
    share = f"{100 * one.power / power_total:.1f} %" if power_total else "-"
    seat = "-" if one.seat is None else str(one.seat)
    return short(one.operator), hanse(one.stake), share, seat, one.standing


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _key(line: Signing, name: str) -> "KnownKey":
    from cli.own_keys import find_own

    return find_own(name, line.folder)


def _opened(line: Signing, known: "KnownKey") -> "PrivateKey":
    from cli.own_keys import open_own

    return open_own(known, folder=line.folder, password_file=line.password_file)
