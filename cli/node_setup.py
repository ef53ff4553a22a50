"""`hanse node init` and `run`: from an empty folder to a process that follows a chain."""

import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.home import FolderOption, folder_of
from cli.online import JsonOption, PasswordOption
from cli.printing import print_json, print_record, print_table

if TYPE_CHECKING:
    from node.keystore.secret import Secret
    from primitives.ids import ChainId

_PASSWORD_BYTES = 24
_GENESIS_NAME = "genesis"
_PASSWORD_NAME = "password"  # noqa: S105 - the name of a file


class Part(StrEnum):
    """What a node takes part in."""

    VALIDATOR = "validator"
    TRAINER = "trainer"


Genesis: TypeAlias = Annotated[
    Path, typer.Option(metavar="FILE", help="The genesis file of the chain; it is copied.")
]
NodeName: TypeAlias = Annotated[str, typer.Option(help="What people call the node.")]
Roles: TypeAlias = Annotated[
    list[Part] | None,
    typer.Option("--role", help="May be given twice; without it this is a full node."),
]
Listen: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="MULTIADDR", help="Where peers reach it.")
]
Peers: TypeAlias = Annotated[
    list[str] | None, typer.Option("--peer", metavar="MULTIADDR", help="Whom to meet first.")
]
Rpc: TypeAlias = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where its API listens.")
]
Examples: TypeAlias = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="Examples to train on: a folder or hub:NAME.")
]
MakePassword: TypeAlias = Annotated[
    bool,
    typer.Option("--make-password", help="Write a password into the folder, for unattended nodes."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """The three keys of a node, as they are shown."""

    account: str
    consensus: str
    peer: str
    phrase: str


def init(  # noqa: PLR0913 - an option each
    *,
    genesis: Genesis,
    name: NodeName = "node",
    roles: Roles = None,
    listen: Listen = None,
    peers: Peers = None,
    rpc: Rpc = None,
    examples: Examples = None,
    folder: FolderOption = None,
    password_file: PasswordOption = None,
    make_password: MakePassword = False,
    as_json: JsonOption = False,
) -> None:
    """Make the folder of a node: a commented hanse.toml, the genesis file, and three keys.

    The keys follow from 24 words, which are printed once. If this breaks off, run it again: there
    is no node then, and the words that it may have printed are of no use.
    """
    from cli.node_draft import NodeDraft
    from node.config.load import CONFIG_NAME
    from node.config.sources import placed_examples
    from node.ledger.genesis import chain_id_of
    from primitives.errors import ConfigurationError

    home = folder_of(folder)
    if (home / CONFIG_NAME).exists():
        raise ConfigurationError(f"{home / CONFIG_NAME} exists: this folder has a node already")
    raw = read_genesis_file(genesis)
    settings: dict[str, object] = {"node.name": name}
    _set(settings, "node.roles", tuple(role.value for role in roles or ()))
    _set(settings, "network.listen", tuple(listen or ()))
    _set(settings, "network.peers", tuple(peers or ()))
    _set(settings, "rpc.listen", rpc)
    # Paths in the file count from the folder of the node, those of an option from where we are.
    _set(settings, "training.examples", examples and placed_examples(examples, folder=Path.cwd()))
    _set(settings, "keys.password_file", _password_place(password_file, is_made=make_password))
    _check(home, settings)
    with NodeDraft.open(home, last=CONFIG_NAME) as draft:
        _check_free(home, raw, password=make_password)
        file = draft.folder / _PASSWORD_NAME if make_password else password_file
        made = _make_keys(draft.folder, _password(file, is_made=make_password))
        if not (home / _GENESIS_NAME).exists():
            (draft.folder / _GENESIS_NAME).write_bytes(raw)
        (draft.folder / CONFIG_NAME).write_text(_text(settings), encoding="utf-8")
        # Before there is a node: whose words nobody has seen could never be restored.
        _tell(home, chain_id_of(raw), made, as_json=as_json)
        draft.finish()


def run(*, folder: FolderOption = None) -> None:
    """Run the node of a folder until it is told to stop."""
    from node.config.load import load_config

    home = folder_of(folder)
    # What is wrong in the file is said by this process, before it becomes the node.
    load_config(home, os.environ)
    sys.stdout.flush()
    command = [sys.executable, "-m", "node", "--folder", str(home)]
    os.execv(sys.executable, command)  # noqa: S606 - this very interpreter, without a shell


def settings(*, as_json: JsonOption = False) -> None:
    """List every key of hanse.toml: what it means, takes, and is by default."""
    from node.config.default_file import toml_value
    from node.config.table import keys

    if as_json:
        rows = [
            {
                "key": key.place,
                "variable": key.variable,
                "takes": key.wanted,
                "default": toml_value(key.default),
                "meaning": key.meaning,
            }
            for key in keys()
        ]
        print_json(rows)
        return
    cells = [(key.place, toml_value(key.default), key.meaning) for key in keys()]
    print_table(("key", "default", "meaning"), cells, empty="")


def read_genesis_file(path: Path) -> bytes:
    """Return the bytes of a genesis file that a chain could start from.

    Raises:
        ConfigurationError: the file cannot be read.
        GenesisError: no chain could start from it.
    """
    from node.ledger.genesis import GENESIS_BYTES_MAX, read_genesis
    from primitives.errors import ConfigurationError

    try:
        with path.open("rb") as file:
            raw = file.read(GENESIS_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    read_genesis(raw)
    return raw


def _check_free(home: Path, genesis: bytes, *, password: bool) -> None:
    """Refuse a folder that has keys of its own or follows another chain, before words are made."""
    from node.config.sections import KeysSection
    from node.keystore.errors import KeyExistsError
    from node.keystore.key_file import KeyKind
    from primitives.errors import ConfigurationError

    paths = KeysSection()
    names = [getattr(paths, kind.value) for kind in KeyKind]
    for name in [*names, _PASSWORD_NAME] if password else names:
        if (home / name).exists():
            raise KeyExistsError(path=home / name)
    path = home / _GENESIS_NAME
    if path.exists() and path.read_bytes() != genesis:
        raise ConfigurationError(f"{path} exists and is of another chain")


def _set(settings: dict[str, object], key: str, value: object) -> None:
    if value:
        settings[key] = value


def _text(settings: dict[str, object]) -> str:
    from node.config.default_file import default_file

    return default_file(settings)


def _check(home: Path, settings: dict[str, object]) -> None:
    """Refuse what the node would refuse, before anything is written."""
    from node.config.load import CONFIG_NAME, parse_config

    parse_config(_text(settings), folder=home, place=str(home / CONFIG_NAME), environ={})


def _password_place(file: Path | None, *, is_made: bool) -> str | None:
    """Return how the node finds the file: by its name in the folder, or by its whole path."""
    if is_made:
        return _PASSWORD_NAME
    return None if file is None else str(file.absolute())


def _password(file: Path | None, *, is_made: bool) -> "Secret":
    from secrets import token_urlsafe

    from cli.own_keys import new_password
    from node.keystore.private_file import write_private

    if file is not None and is_made:
        write_private(file, token_urlsafe(_PASSWORD_BYTES).encode() + b"\n")
    return new_password(file)


def _make_keys(home: Path, password: "Secret") -> _Keys:
    from node.config.sections import KeysSection
    from node.keystore.key_file import FOR_NODES, KeyKind, write_key
    from node.keystore.phrase import new_phrase, seed_of
    from p2p.wire.peer_id import peer_id_of, peer_id_text

    phrase = new_phrase(os.urandom)
    paths = KeysSection()
    public = {
        kind: write_key(
            home / getattr(paths, kind.value),
            seed_of(phrase, kind),
            kind=kind,
            password=password,
            cost=FOR_NODES,
            random_bytes=os.urandom,
        )
        for kind in KeyKind
    }
    return _Keys(
        account=public[KeyKind.ACCOUNT].did_key,
        consensus=public[KeyKind.CONSENSUS].raw.hex(),
        peer=peer_id_text(peer_id_of(public[KeyKind.NODE].raw)),
        phrase=phrase.reveal().decode(),
    )


def _tell(home: Path, chain_id: "ChainId", made: _Keys, *, as_json: bool) -> None:
    facts = {
        "folder": str(home),
        "chain": chain_id.hex(),
        "account": made.account,
        "consensus": made.consensus,
        "peer": made.peer,
    }
    if as_json:
        print_json({**facts, "phrase": made.phrase})
        return
    print_record(facts)
    typer.echo("\nThese words restore all three keys. Write them down; they are not shown again.\n")
    words = made.phrase.split()
    for start in range(0, len(words), 6):
        typer.echo(" ".join(words[start : start + 6]))
    typer.echo(f"\nnext: hanse node run --folder {home}")
