"""`hanse contract deploy`, `call`, `view` and `events`: contracts on a chain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.amounts import hanse, parse_amount
from cli.contract import read_file
from cli.exit_codes import NotThereError
from cli.online import Online, Signing, YesOption, online, signing
from cli.printing import clean, print_json, print_table
from cli.sending import send, send_and_tell, tell

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.schemas import Contract, Events, Method

_PAGE = 1_000

Source: TypeAlias = Annotated[Path, typer.Argument(help="The source, NAME.contract.")]
Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="CONTRACT", help="64 hex digits, or its name in the genesis file.")
]
MethodName: TypeAlias = Annotated[str, typer.Argument(help="One of its methods.")]
Arguments: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="As text; Bytes in hex, addresses as did:key or keys, lists and records as JSON."
    ),
]
Value: TypeAlias = Annotated[
    int, typer.Option(parser=parse_amount, metavar="AMOUNT", help="Money to send along.")
]
AtHeight: TypeAlias = Annotated[
    int | None, typer.Option("--height", min=0, help="Ask the state after this commit.")
]
Since: TypeAlias = Annotated[int, typer.Option("--since", min=0, help="From this height on.")]
Limit: TypeAlias = Annotated[int, typer.Option("--limit", min=1, max=_PAGE, help="At most.")]


@signing
def deploy(
    line: Signing,
    *,
    file: Source,
    arguments: Arguments = None,
    value: Value = 0,
    yes: YesOption = False,
) -> None:
    """Compile a contract and put it on the chain; the arguments go to its init."""
    from cli.contract_arguments import Signature
    from node.execution.deployed import init_arguments
    from node.ledger.transaction import Deploy
    from node.vm.lang.compiler import compile_contract
    from node.vm.linked import LinkedModule
    from node.vm.module import FunctionKind, encode_module
    from node.vm.verifier import verify
    from primitives.ids import Grain

    module = compile_contract(read_file(file), filename=str(file))
    linked = LinkedModule(verify(module))
    table = linked.module.types
    params = [
        table.name(param)
        for function in linked.module.functions
        if function.kind is FunctionKind.INIT
        for param in function.params
    ]
    given = Signature(params).values(arguments or [], line.address)
    encoded = init_arguments(linked, given)
    code = encode_module(module)
    if not yes:
        typer.confirm(f"Deploy {module.name}, {len(code)} bytes, for ever?", abort=True, err=True)
    action = Deploy(code, encoded, Grain(value))
    receipt = send(line, lambda _: action)
    created = None if receipt is None else receipt.created
    tell(line, receipt, contract=created)


@signing
def call(
    line: Signing,
    *,
    contract: Name,
    method: MethodName,
    arguments: Arguments = None,
    value: Value = 0,
    yes: YesOption = False,
) -> None:
    """Call a method in a transaction; asks first if it sends money."""
    from cli.contract_arguments import Signature
    from node.ledger.transaction import Call
    from primitives.ids import Address, Grain

    found = line.ask(lambda client: client.contract(contract))
    signature = Signature(_method(found, method).params)
    action = Call(
        contract=Address(bytes.fromhex(found.address)),
        method=method,
        arguments=signature.encode(signature.values(arguments or [], line.address)),
        value=Grain(value),
    )
    if value and not yes:
        question = f"Send {hanse(value)} to {clean(found.name)}.{method}?"
        typer.confirm(question, abort=True, err=True)
    send_and_tell(line, lambda _: action)


@online
def view(
    line: Online,
    *,
    contract: Name,
    method: MethodName,
    arguments: Arguments = None,
    height: AtHeight = None,
) -> None:
    """Ask a view of a contract; nothing is sent and nothing is paid."""
    from cli.contract_arguments import Signature

    async def main(client: "NodeClient") -> object:
        found = await client.contract(contract)
        signature = Signature(_method(found, method).params)
        given = signature.jsons(arguments or [], line.address)
        return await client.view(contract, method, *given, height=height)

    result = line.ask(main)
    if line.as_json or isinstance(result, list | dict):
        print_json(result)
    else:
        typer.echo(clean(result))


@online
def events(line: Online, *, contract: Name, since: Since = 0, limit: Limit = 100) -> None:
    """List what a contract told the world, oldest first."""

    async def main(client: "NodeClient") -> "Events":
        return await client.events(contract, first_height=since, limit=limit)

    found = line.ask(main)
    if line.as_json:
        print_json(found)
        return
    rows = [(one.height, one.event.name, one.event.fields) for one in found.events]
    print_table((">height", "event", "fields"), rows, empty="no events")
    if not found.is_complete:
        typer.echo(f"there are more: --since {found.events[-1].height}", err=True)


def _method(contract: "Contract", name: str) -> "Method":
    for method in contract.methods:
        if method.name == name:
            return method
    known = ", ".join(method.name for method in contract.methods)
    raise NotThereError(f"{contract.name} has no method {name}; there are: {known}")
