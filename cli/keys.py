"""`hanse keys`: the encrypted key files of a person or a node."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.home import KEYS_FOLDER, FolderOption, folder_of
from cli.online import JsonOption, PasswordOption, YesOption
from cli.printing import print_json, print_record, print_table

if TYPE_CHECKING:
    from node.keystore.folder import KnownKey
    from node.keystore.secret import Secret
    from primitives.keys import PublicKey

app = typer.Typer(no_args_is_help=True, help="Make, import, list and export keys.")

_PHRASE_LENGTH_MAX = 4_096


class Kind(StrEnum):
    """What a key is for, as an option names it."""

    ACCOUNT = "account"
    CONSENSUS = "consensus"
    NODE = "node"


class Form(StrEnum):
    """What is exported."""

    DID = "did"
    HEX = "hex"
    SEED = "seed"


Name: TypeAlias = Annotated[str, typer.Argument(help="What you call the key.")]
KindOption: TypeAlias = Annotated[
    Kind, typer.Option("--kind", help="What it is for: money, blocks, or the network of peers.")
]
FormOption: TypeAlias = Annotated[
    Form, typer.Option("--form", help="The public key as did or hex; or the secret seed.")
]
FileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Holds the words, instead of standard input."),
]
SeedFlag: TypeAlias = Annotated[
    bool, typer.Option("--seed", help="The input is 64 hexadecimal digits instead of 24 words.")
]


@app.callback()
def group() -> None:
    """Make, import, list and export keys."""


@app.command()
def new(
    *,
    name: Name,
    kind: KindOption = Kind.ACCOUNT,
    folder: FolderOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its 24 words are printed once: whoever has them has the key."""
    from node.keystore.folder import key_path
    from node.keystore.phrase import new_phrase

    path = key_path(folder_of(folder) / KEYS_FOLDER, name)
    phrase = new_phrase(os.urandom)
    public = _store(path, phrase, kind=kind, password_file=password_file)
    words = phrase.reveal().decode()
    if as_json:
        print_json({"name": name, "kind": kind, "did": public.did_key, "phrase": words})
        return
    print_record({"name": name, "kind": kind.value, "did": public.did_key, "file": path})
    typer.echo("\nWrite these words down, in order, on paper. They are not shown again.\n")
    listed = words.split()
    for start in range(0, len(listed), 6):
        row = enumerate(listed[start : start + 6], start=start + 1)
        typer.echo("  ".join(f"{place:>2} {word:<8}" for place, word in row).rstrip())


@app.command("import")
def import_key(  # noqa: PLR0913 - an option each
    *,
    name: Name,
    kind: KindOption = Kind.ACCOUNT,
    file: FileOption = None,
    seed: SeedFlag = False,
    folder: FolderOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the key file again from its 24 words, or from a seed. The input is never an argument."""
    from node.keystore.folder import key_path
    from node.keystore.phrase import read_phrase

    path = key_path(folder_of(folder) / KEYS_FOLDER, name)
    text = _secret_text(file)
    if seed:
        public = _store_seed(path, _seed(text), kind=kind, password_file=password_file)
    else:
        public = _store(path, read_phrase(text), kind=kind, password_file=password_file)
    facts = {"name": name, "kind": kind.value, "did": public.did_key, "file": str(path)}
    print_json(facts) if as_json else print_record(facts)


@app.command("list")
def list_keys(*, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List the keys of a folder; no password is asked."""
    from node.keystore.folder import known_keys

    where = folder_of(folder) / KEYS_FOLDER
    known = known_keys(where)
    if as_json:
        print_json([_row(one) for one in known])
        return
    rows = [(one.name, one.kind.value, one.public.did_key) for one in known]
    print_table(("name", "kind", "did"), rows, empty=f"no keys in {where}")


@app.command()
def export(
    *,
    name: Name,
    form: FormOption = Form.DID,
    folder: FolderOption = None,
    password_file: PasswordOption = None,
    yes: YesOption = False,
) -> None:
    """Print the public key, or with --form seed the secret itself, after asking."""
    from cli.own_keys import find_own, own_password
    from node.keystore.key_file import open_seed

    home = folder_of(folder)
    known = find_own(name, home)
    if form is Form.DID:
        typer.echo(known.public.did_key)
    elif form is Form.HEX:
        typer.echo(known.public.raw.hex())
    else:
        if not yes:
            typer.confirm(f"Show the secret of {known.name} on this screen?", abort=True, err=True)
        password = own_password(home, password_file, known.name)
        typer.echo(open_seed(known.path, password=password).reveal().hex())


def _store(path: Path, phrase: "Secret", *, kind: Kind, password_file: Path | None) -> "PublicKey":
    from node.keystore.key_file import KeyKind
    from node.keystore.phrase import seed_of

    seed = seed_of(phrase, KeyKind(kind.value))
    return _store_seed(path, seed, kind=kind, password_file=password_file)


def _store_seed(
    path: Path, seed: "Secret", *, kind: Kind, password_file: Path | None
) -> "PublicKey":
    from cli.own_keys import new_password
    from node.keystore.errors import KeyExistsError
    from node.keystore.key_file import FOR_NODES, FOR_PEOPLE, KeyKind, write_key

    if path.exists():
        # Before a password is asked for in vain.
        raise KeyExistsError(path=path)
    return write_key(
        path,
        seed,
        kind=KeyKind(kind.value),
        password=new_password(password_file),
        cost=FOR_PEOPLE if kind is Kind.ACCOUNT else FOR_NODES,
        random_bytes=os.urandom,
    )


def _secret_text(file: Path | None) -> str:
    from node.keystore.private_file import read_private

    if file is not None:
        raw = read_private(file, size_bytes_max=_PHRASE_LENGTH_MAX)
        return raw.decode("utf-8", errors="replace")
    if sys.stdin.isatty():
        return str(typer.prompt("Words", hide_input=True, err=True))
    return sys.stdin.read(_PHRASE_LENGTH_MAX)


def _seed(text: str) -> "Secret":
    from node.keystore.errors import KeystoreError
    from node.keystore.secret import Secret
    from primitives.keys import SEED_SIZE_BYTES

    try:
        raw = bytes.fromhex(text.strip())
    except ValueError as error:
        raise KeystoreError("a seed has 64 hexadecimal digits") from error
    if len(raw) != SEED_SIZE_BYTES:
        raise KeystoreError("a seed has 64 hexadecimal digits")
    return Secret(raw)


def _row(known: "KnownKey") -> dict[str, str]:
    return {
        "name": known.name,
        "kind": known.kind.value,
        "did": known.public.did_key,
        "address": known.public.raw.hex(),
        "file": str(known.path),
    }
