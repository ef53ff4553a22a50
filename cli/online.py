"""Commands that ask a node: the options that they all take, given once.

`@online` gives a command `--node`, `--folder` and `--json`, and hands it an `Online`; `@signing`
adds what a transaction needs, and hands it a `Signing`.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import typer

from cli.amounts import AMOUNT_MAX, parse_amount
from cli.home import NODE_VARIABLE, FolderOption, folder_of, genesis_of, url_of

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from primitives.ids import Address, ChainId
    from primitives.keys import PrivateKey

P = ParamSpec("P")
T = TypeVar("T")

NodeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--node",
        envvar=NODE_VARIABLE,
        metavar="URL",
        help="The node to ask. Default: that of --folder, else http://127.0.0.1:26657.",
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME|FILE", help="The account that signs. Default: the only."),
]
PasswordOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Mode 0600; else HANSE_PASSWORD is read."),
]
FeeOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--fee",
        min=1,
        max=AMOUNT_MAX,
        metavar="GRAINS",
        help="Most for a gas. Default: twice the price.",
    ),
]
TipOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--tip", min=0, max=AMOUNT_MAX, metavar="GRAINS", help="For validators, of each gas."
    ),
]
GasOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--gas", min=1, max=AMOUNT_MAX, metavar="GAS", help="The most gas. Default: plenty."
    ),
]
NoWaitOption: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="Print the id of the transaction and end.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Who: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="WHO", help="did:key, 64 hex digits, or a key. Default: your own."),
]
AmountArgument: TypeAlias = Annotated[
    int,
    typer.Argument(
        parser=parse_amount, metavar="AMOUNT", help="HANSE as 1.5, or grains as 1500grain."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Online:
    """Which node a command asks, and how it prints."""

    node: str | None = None
    folder: Path
    as_json: bool = False

    @property
    def url(self) -> str:
        """The address of the API."""
        return url_of(self.node, self.folder)

    def ask(
        self, question: "Callable[[NodeClient], Awaitable[T]]", *, token: str | None = None
    ) -> T:
        """Return what a question to the node brings.

        Raises:
            NodeUnreachableError: no node answers.
            NodeAnswerError: it refuses.
        """
        from node.rpc.client import NodeClient
        from node.running.event_loop import run_async

        async def main() -> T:
            made = None if token is None else lambda: token
            async with NodeClient(self.url, token=made) as client:
                return await question(client)

        return run_async(main())

    def address(self, text: str) -> "Address":
        """Return the address that a person wrote."""
        from cli.own_keys import read_address

        return read_address(text, self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing(Online):
    """What a command that sends a transaction was told, beside that.

    Args:
        fee: most for a gas, in grains; None: twice the present price.
        gas: None: enough for most of what the action may do.
        signer: the key, once it is open.
    """

    key: str | None = None
    password_file: Path | None = None
    fee: int | None = None
    tip: int = 0
    gas: int | None = None
    no_wait: bool = False
    signer: "PrivateKey | None" = field(default=None, repr=False)

    def opened(self) -> "Signing":
        """Return the same with the key open: whoever signs again later is asked for no password."""
        return replace(self, signer=self.private_key())

    def private_key(self) -> "PrivateKey":
        """Return the key that signs, opened with its password."""
        from cli.own_keys import find_own, open_own

        if self.signer is not None:
            return self.signer
        known = find_own(self.key, self.folder)
        return open_own(known, folder=self.folder, password_file=self.password_file)

    def chain(self, named: str) -> "ChainId":
        """Return the chain that the node names, to sign for it.

        Raises:
            ConfigurationError: the folder holds the genesis file of another one.
        """
        from node.ledger.genesis import chain_id_of
        from primitives.errors import ConfigurationError
        from primitives.ids import ChainId

        chain_id = ChainId(bytes.fromhex(named))
        genesis = genesis_of(self.folder)
        if genesis is not None and (own := chain_id_of(genesis.read_bytes())) != chain_id:
            raise ConfigurationError(
                f"{self.url} is of the chain {named[:16]}, {genesis} of {own.hex()[:16]}: "
                "name another --node, or a --folder of that chain"
            )
        return chain_id

    def own_address(self) -> "Address":
        """Return the address of the key that signs, without its password."""
        from cli.own_keys import find_own
        from primitives.ids import Address

        return Address(find_own(self.key, self.folder).public.raw)


_ONLINE: dict[str, tuple[Any, Any]] = {
    "node": (NodeOption, None),
    "folder": (FolderOption, None),
    "as_json": (JsonOption, False),
}
_SIGNING: dict[str, tuple[Any, Any]] = {
    "key": (KeyOption, None),
    "password_file": (PasswordOption, None),
    "fee": (FeeOption, None),
    "tip": (TipOption, 0),
    "gas": (GasOption, None),
    "no_wait": (NoWaitOption, False),
    **_ONLINE,
}


def online(command: Callable[Concatenate[Online, P], None]) -> Callable[..., None]:
    """Give a command the options of `Online`."""
    return _given(command, Online, _ONLINE)


def signing(command: Callable[Concatenate[Signing, P], None]) -> Callable[..., None]:
    """Give a command the options of `Signing`."""
    return _given(command, Signing, _SIGNING)


def _given(
    command: Callable[..., None], kind: type[Online], options: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:  # noqa: ANN401 - whatever the options hold
        shared = {name: given.pop(name) for name in options}
        shared["folder"] = folder_of(shared["folder"])
        command(kind(**shared), **given)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kinds)
        for name, (kinds, default) in options.items()
    ]
    # Typer would read the options of what is wrapped.
    del wrapper.__wrapped__
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    wrapper.__signature__ = inspect.Signature([*named, *added])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in [*named, *added]}
    return wrapper
