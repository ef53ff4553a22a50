"""`hanse blob`: files by their content id."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.identity import write_own_token
from cli.online import Online, Signing, online, signing
from cli.printing import print_json, print_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.rpc.client import NodeClient
    from node.rpc.schemas import BlobStat
    from primitives.cid import Cid

app = typer.Typer(no_args_is_help=True, help="Put, get and keep files by their content id.")

File: TypeAlias = Annotated[Path, typer.Argument(help="The file to put.")]
CidArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="CID", help="A content id, or the 64 hex digits of a contract.")
]
Out: TypeAlias = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="Where it goes; it must not exist.")
]


From: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="URL", help="A node that has it. Default: --node.")
]
_DIGEST_DIGITS = 64


@app.callback()
def group() -> None:
    """Put, get and keep files by their content id."""


@app.command()
@signing
def put(line: Signing, *, file: File) -> None:
    """Give a file to the node, for everybody to fetch; print its content id."""
    from primitives.errors import ConfigurationError

    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}")
    (stat,) = put_files(line, [file])
    print_json(stat) if line.as_json else print_record(
        {"cid": stat.cid, "id": stat.id, "bytes": stat.size_bytes}
    )


@app.command()
@online
def get(line: Online, *, cid: CidArgument, out: Out) -> None:
    """Fetch a file; it is checked against its id before it gets its name."""
    from primitives.errors import ConfigurationError

    if out.exists():
        raise ConfigurationError(f"{out} exists already")
    size_bytes = fetch(line, cid, out)
    facts = {"file": str(out), "bytes": size_bytes}
    print_json(facts) if line.as_json else print_record(facts)


@app.command()
@signing
def pin(line: Signing, *, cid: CidArgument, source: From = None) -> None:
    """Have the node of --node keep a blob, which another one has; members of the chain may."""
    import tempfile
    from dataclasses import replace

    with tempfile.TemporaryDirectory(prefix="hanse-") as folder:
        file = Path(folder) / "blob"
        fetch(line if source is None else replace(line, node=source), cid, file)
        (stat,) = put_files(line, [file])
    print_json(stat) if line.as_json else print_record({"cid": stat.cid, "bytes": stat.size_bytes})


def put_files(line: Signing, files: "Sequence[Path]") -> "list[BlobStat]":
    """Give files to the node, with one token."""
    token = write_own_token(line)

    async def main(client: "NodeClient") -> "list[BlobStat]":
        return [await client.put_blob(file) for file in files]

    return line.ask(main, token=token)


def fetch(line: Online, cid: str, out: Path) -> int:
    """Write a blob into a new file once it is checked against its id, and return its size.

    Raises:
        MalformedCidError: the id is none.
        BadBlobError: the node gave something else.
        ConfigurationError: the file cannot be written.
    """
    wanted = blob_digest(cid)
    line.ask(lambda client: saved_checked(client, wanted, out))
    return out.stat().st_size


async def saved_checked(client: "NodeClient", blob: bytes, out: Path) -> "Cid":
    """Write a blob into a file once it is checked against its id, and return its content id.

    Raises:
        BadBlobError: the node gave something else.
        ConfigurationError: the file cannot be written.
    """
    from primitives.errors import ConfigurationError

    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        await client.save_blob(blob.hex(), draft)
        return _kept(draft, blob, out)
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            # Where it could not be made, the reason stands above.
            draft.unlink()


def blob_digest(text: str) -> bytes:
    """Return the 32 bytes by which contracts name a blob.

    Raises:
        MalformedCidError: the text is neither a content id nor 64 hexadecimal digits.
    """
    from primitives.cid import Cid

    if len(text) == _DIGEST_DIGITS:
        with contextlib.suppress(ValueError):
            return bytes.fromhex(text)
    return Cid.parse(text).digest


def _kept(draft: Path, blob: bytes, out: Path) -> "Cid":
    from node.blobs.errors import BadBlobError
    from node.blobs.manifest import blob_id
    from node.blobs.source import manifest_of, opened

    with opened(draft) as source:
        cid = manifest_of(source).cid
    if blob_id(cid) != blob:
        raise BadBlobError(f"the node gave another content than {blob.hex()}: ask another node")
    draft.rename(out)
    return cid
