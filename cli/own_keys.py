"""Find and open a person's own keys, and read addresses as people write them."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.home import KEYS_FOLDER, config_of

if TYPE_CHECKING:
    from cli.online import Online
    from node.keystore.folder import KnownKey
    from node.keystore.secret import Secret
    from primitives.ids import Address
    from primitives.keys import PrivateKey

_HEX_DIGITS = 64


def find_own(key: str | None, folder: Path) -> "KnownKey":
    """Return the key that an option names by name or file; without one, the account's.

    Raises:
        UnknownKeyError: there is none, or several and none of them is the account key.
    """
    from node.keystore.errors import UnknownKeyError
    from node.keystore.folder import find_key, known_key, known_keys

    if key is not None:
        is_file = "/" in key or Path(key).suffix == ".key"
        return known_key(Path(key).expanduser()) if is_file else find_key(folder / KEYS_FOLDER, key)
    config = config_of(folder)
    if config is not None and config.keys.account:
        path = config.path(config.keys.account)
        if path.is_file():
            return known_key(path)
    accounts = [one for one in known_keys(folder / KEYS_FOLDER) if one.kind.value == "account"]
    if len(accounts) == 1:
        return accounts[0]
    names = ", ".join(one.name for one in accounts)
    where = folder / KEYS_FOLDER
    raise UnknownKeyError(
        f"{where} has several account keys ({names}): name one with --key"
        if accounts
        else f"{where} has no account key: run `hanse keys new`, or name a file with --key"
    )


def open_own(known: "KnownKey", *, folder: Path, password_file: Path | None) -> "PrivateKey":
    """Return the key behind its password.

    Raises:
        PasswordError: there is no password, or another.
        KeystoreError: the file is damaged, or others may read it.
    """
    from node.keystore.key_file import open_key

    return open_key(known.path, password=own_password(folder, password_file, known.name))


def own_password(folder: Path, password_file: Path | None, name: str) -> "Secret":
    """Return the password: from the file that is named or configured, a variable, or a person."""
    from node.keystore.password import find_password

    if password_file is None:
        config = config_of(folder)
        if config is not None and config.keys.password_file:
            password_file = config.path(config.keys.password_file)
    ask = _asker(f"Password of {name}", confirmation=None)
    return find_password(file=password_file, environ=os.environ, ask=ask)


def new_password(password_file: Path | None) -> "Secret":
    """Return a password for a new key, asked for twice where a person types it."""
    from node.keystore.key_file import normal_password
    from node.keystore.password import find_password

    ask = _asker("Password for the new key", confirmation="The same again")
    password = find_password(file=password_file, environ=os.environ, ask=ask)
    normal_password(password)
    return password


def read_address(text: str, folder: Path) -> "Address":
    """Return the address that a did:key, 64 hexadecimal digits, or the name of a key stands for.

    Raises:
        InvalidKeyError: the did:key is none.
        UnknownKeyError: no key has this name.
    """
    from primitives.ids import Address
    from primitives.keys import PublicKey

    if text.startswith("did:"):
        return Address(PublicKey.from_did_key(text).raw)
    if len(text) == _HEX_DIGITS:
        with contextlib.suppress(ValueError):
            return Address(bytes.fromhex(text))
    return Address(find_own(text, folder).public.raw)


def own_or_named(line: "Online", who: str | None) -> "Address":
    """Return the address that is named, or that of the person's own account."""
    from primitives.ids import Address

    if who is not None:
        return line.address(who)
    return Address(find_own(None, line.folder).public.raw)


def _asker(prompt: str, *, confirmation: str | None) -> Callable[[], str] | None:
    """Return what asks the person at the terminal, None if there is none."""
    if not sys.stdin.isatty():
        return None

    def ask() -> str:
        return str(
            typer.prompt(
                prompt, hide_input=True, confirmation_prompt=confirmation or False, err=True
            )
        )

    return ask
