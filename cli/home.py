"""Where things are: the folder of a node or of a person, its keys, and the node to ask."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from node.config.sections import Config

DEFAULT_URL: Final = "http://127.0.0.1:26657"
DEFAULT_FOLDER: Final = "~/.hanse"
NODE_VARIABLE: Final = "HANSE_NODE"
FOLDER_VARIABLE: Final = "HANSE_FOLDER"
KEYS_FOLDER: Final = "keys"

FolderOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        envvar=FOLDER_VARIABLE,
        metavar="DIR",
        help=f"Folder of the node, with its keys. Default: {DEFAULT_FOLDER}.",
    ),
]


def folder_of(given: Path | None) -> Path:
    """Return the folder that an option names, or the default one."""
    return (given or Path(DEFAULT_FOLDER)).expanduser().absolute()


def config_of(folder: Path) -> "Config | None":
    """Return the configuration of the node in a folder, None if there is no node."""
    from node.config.load import CONFIG_NAME, load_config

    if not (folder / CONFIG_NAME).is_file():
        return None
    return load_config(folder, os.environ)


def genesis_of(folder: Path) -> Path | None:
    """Return where the genesis file of the node in a folder is, None if there is none."""
    config = config_of(folder)
    if config is None:
        return None
    path = config.path(config.network.genesis)
    return path if path.is_file() else None


def url_of(node: str | None, folder: Path) -> str:
    """Return the address of the API: what is given, that of the node in the folder, the default."""
    if node:
        return node
    config = config_of(folder)
    if config is None or not config.rpc.listen:
        return DEFAULT_URL
    return url_of_listen(config.rpc.listen)


def url_of_listen(listen: str) -> str:
    """Return by which address a node on this machine is asked."""
    from node.config.rules import split_listen

    host, port = split_listen(listen)
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
