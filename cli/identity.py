"""`hanse identity`: who takes part. A name, a role and perhaps an organisation, on the chain.

Registration, and a token for the API that the registered key signs: Algorithm 1 of Zuo et al.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.online import Online, Signing, Who, YesOption, online, signing
from cli.own_keys import own_or_named
from cli.printing import print_json, print_record
from cli.sending import send_and_tell

if TYPE_CHECKING:
    from node.rpc.client import NodeClient

app = typer.Typer(no_args_is_help=True, help="Register who you are; sign in to a node.")

_REGISTER = "Take this name for ever? An account has one identity, and a name is given once."
_REVOKE = "End this identity for ever? Its name cannot be used again."


class IdentityRole(StrEnum):
    """What an identity may do, as the contract names it."""

    CLIENT = "client"
    AGENT = "agent"


Name: TypeAlias = Annotated[
    str, typer.Argument(help="1 to 32 of a-z, 0-9, '-', '.' and '_'; given once and for ever.")
]
RoleOption: TypeAlias = Annotated[
    IdentityRole,
    typer.Option(
        "--role", help="client: trains and asks. agent: also publishes models and offers tasks."
    ),
]
Organisation: TypeAlias = Annotated[
    str, typer.Option(help="Whoever names it first owns it; others need to be admitted.")
]
Life: TypeAlias = Annotated[
    int, typer.Option("--life", min=1, max=3_600, metavar="S", help="Seconds that it is valid.")
]
Account: TypeAlias = Annotated[
    str, typer.Argument(metavar="WHO", help="did:key, 64 hex digits, or the name of a key.")
]


@app.callback()
def group() -> None:
    """Register who you are; sign in to a node."""


@app.command()
@signing
def register(
    line: Signing,
    *,
    name: Name,
    role: RoleOption = IdentityRole.CLIENT,
    organisation: Organisation = "",
    yes: YesOption = False,
) -> None:
    """Give your account an identity on the chain."""
    from node.federation.calls import register as call

    wanted = call(name, role=role.value, organisation=organisation)
    if not yes:
        typer.confirm(_REGISTER, abort=True, err=True)
    send_and_tell(line, lambda _: wanted, name=name, role=role.value)


@app.command()
@signing
def admit(line: Signing, *, organisation: str, who: Account) -> None:
    """Let an account register with an organisation that you own."""
    from node.federation.calls import admit as call

    wanted = call(organisation, who=line.address(who))
    send_and_tell(line, lambda _: wanted)


@app.command()
@online
def show(line: Online, *, who: Who = None) -> None:
    """Show the identity of an account: name, role, organisation, and keys for signing in."""
    address = own_or_named(line, who)
    found = line.ask(lambda client: client.identity(address.hex()))
    if line.as_json:
        print_json(found)
        return
    print_record(
        {
            "account": found.address,
            "name": found.name or "-",
            "role": found.role or "-",
            "organisation": found.organisation or "-",
            "registered at": found.registered_at or "-",
            "roles": found.roles,
            "keys": found.keys,
        }
    )


@app.command()
@signing
def token(line: Signing, *, life: Life = 300) -> None:
    """Print a token for the API, signed by your key: it speaks for you until it expires."""
    made = write_own_token(line, life_s=life)
    print_json({"token": made, "life_s": life}) if line.as_json else typer.echo(made)


@app.command()
@signing
def revoke(line: Signing, *, who: Who = None, yes: YesOption = False) -> None:
    """End an identity and its keys, for ever: your own, or one of your organisation."""
    from node.federation.calls import revoke as call

    address = line.own_address() if who is None else line.address(who)
    if not yes:
        typer.confirm(_REVOKE, abort=True, err=True)
    send_and_tell(line, lambda _: call(address))


def check_agent(line: Signing) -> None:
    """Refuse an account whose identity is no agent's, before anything is computed or uploaded.

    Only `hanse` asks for the role, as Algorithm 2 of Zuo et al. does; the chain takes a task of
    any account that pays for it. A revoked identity is one no longer, so it has no role.

    Raises:
        ConfigurationError: the account is not registered, is revoked, or is a client.
    """
    from primitives.errors import ConfigurationError

    found = line.ask(lambda client: client.identity(line.own_address().hex()))
    if found.role == IdentityRole.AGENT:
        return
    if found.role:
        raise ConfigurationError(
            f"only agents publish models, and {found.name} is registered as {found.role}: sign "
            "with an agent's --key, or hanse identity revoke and register another name with "
            "--role agent"
        )
    raise ConfigurationError(
        "only agents publish models, and your account has no identity: "
        "hanse identity register NAME --role agent"
    )


def write_own_token(line: Signing, *, life_s: int = 300) -> str:
    """Return a token of the person's key for the chain of the node."""
    import time

    from node.rpc.jwt import write_token

    key = line.private_key()

    async def main(client: "NodeClient") -> str:
        return (await client.head()).chain_id

    chain_id = line.chain(line.ask(main))
    now_ms = time.time_ns() // 1_000_000
    return write_token(key, chain_id=chain_id, now_ms=now_ms, life_s=life_s)
