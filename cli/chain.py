"""`hanse chain`: the head, commits, checkpoints, and files for light clients."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.amounts import hanse
from cli.online import Online, online
from cli.printing import moment, print_json, print_record, print_table, short
from cli.tx import read_id

if TYPE_CHECKING:
    from node.rpc.client import NodeClient
    from node.rpc.schemas import Certificate, Proof

app = typer.Typer(no_args_is_help=True, help="Look at the head, commits and checkpoints.")

Height: TypeAlias = Annotated[int, typer.Argument(min=0, help="The number of the commit.")]
Number: TypeAlias = Annotated[
    int | None, typer.Argument(min=0, help="The number of the checkpoint. Default: the newest.")
]
Target: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")]
ProofOf: TypeAlias = Annotated[
    str | None, typer.Option("--account", metavar="WHO", help="Also a proof of this account.")
]
ProofFor: TypeAlias = Annotated[
    str | None, typer.Option("--transaction", metavar="ID", help="Also a proof of this receipt.")
]


@app.callback()
def group() -> None:
    """Look at the head, commits and checkpoints."""


@app.command()
@online
def head(line: Online) -> None:
    """Show where the chain of the node is, and how much of it is final."""
    found = line.ask(lambda client: client.head())
    if line.as_json:
        print_json(found)
        return
    print_record(
        {
            "chain": found.chain_id,
            "epoch": found.epoch,
            "height": found.height,
            "final": found.certified_height,
            "time": moment(found.time_ms),
            "state root": found.state_root,
        }
    )


@app.command()
@online
def commit(line: Online, *, height: Height) -> None:
    """Show one commit with what its transactions did."""
    found = line.ask(lambda client: client.commit(height))
    if line.as_json:
        print_json(found)
        return
    print_record(
        {
            "height": found.height,
            "epoch": found.epoch,
            "digest": found.digest,
            "time": moment(found.time_ms),
            "final": found.is_final,
        }
    )
    rows = [
        (short(one.transaction_id), one.status, one.code, one.gas_used, hanse(one.fee))
        for one in found.receipts
    ]
    print_table(("transaction", "status", "code", ">gas", ">fee"), rows, empty="no transactions")


@app.command()
@online
def checkpoint(line: Online, *, number: Number = None) -> None:
    """Show a certified checkpoint: what more than two thirds of the voting power signed."""

    async def main(client: "NodeClient") -> "Certificate":
        if number is None:
            return await client.newest_certificate()
        return await client.certificate(number)

    found = line.ask(main)
    if line.as_json:
        print_json(found)
        return
    signed = found.checkpoint
    print_record(
        {
            "number": signed.number,
            "epoch": signed.epoch,
            "height": signed.height,
            "time": moment(signed.time_ms),
            "state root": signed.state_root,
            "receipts root": signed.receipts_root,
            "digest": signed.digest,
            "signers": found.signers,
        }
    )


@app.command()
@online
def export(
    line: Online, *, folder_out: Target, account: ProofOf = None, transaction: ProofFor = None
) -> None:
    """Write the genesis file, the certificates and proofs, as `hanse light verify` reads them."""

    async def main(client: "NodeClient") -> "dict[str, bytes]":
        files = {"genesis": await client.genesis_file(), "certificates": await client.chain_file()}
        if account is not None:
            proof = await client.prove_account(line.address(account).hex())
            _add(files, "account", proof)
        if transaction is not None:
            _add(files, "receipt", await client.prove_receipt(read_id(transaction)))
        return files

    files = line.ask(main)
    _write(folder_out, files)
    paths = {name: str(folder_out / name) for name in files}
    print_json(paths) if line.as_json else print_record(paths)


def _add(files: dict[str, bytes], name: str, proof: "Proof") -> None:
    """Keep a proof with the certificates that it was made for."""
    files[f"{name}.proof"] = base64.b64decode(proof.proof)
    files[f"{name}.certificates"] = base64.b64decode(proof.chain_file)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    from primitives.errors import ConfigurationError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from error
