"""A folder of key files: NAME.key each."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.keystore.errors import KeystoreError, UnknownKeyError
from node.keystore.key_file import KeyKind, read_sealed
from primitives.keys import PublicKey

SUFFIX: Final = ".key"
KEYS_MAX: Final = 1_024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key file, as it is seen without its password."""

    name: str
    kind: KeyKind
    public: PublicKey
    path: Path


def key_path(folder: Path, name: str) -> Path:
    """Return the file of a name.

    Raises:
        KeystoreError: the name could leave the folder, or is none.
    """
    if not _NAME.fullmatch(name):
        raise KeystoreError(
            f"{name[:80]!r} is no name of a key: 1 to 64 letters, digits, '.', '_' and '-'"
        )
    return folder / f"{name}{SUFFIX}"


def known_key(path: Path) -> KnownKey:
    """Return what a key file says without its password.

    Raises:
        KeystoreError: it is none, or other users may read it.
    """
    sealed = read_sealed(path)
    return KnownKey(
        name=path.name.removesuffix(SUFFIX),
        kind=sealed.kind,
        public=PublicKey(sealed.public),
        path=path,
    )


def find_key(folder: Path, name: str) -> KnownKey:
    """Return the key of a name.

    Raises:
        UnknownKeyError: there is none.
        KeystoreError: the file is none, or other users may read it.
    """
    path = key_path(folder, name)
    if not path.is_file():
        known = ", ".join(file.stem for file in _files(folder)) or "none"
        raise UnknownKeyError(f"there is no key {name!r} in {folder}; there are: {known}")
    return known_key(path)


def known_keys(folder: Path) -> tuple[KnownKey, ...]:
    """Return all keys of a folder by name; none if the folder is not there.

    Raises:
        KeystoreError: a file is damaged, or other users may read it.
    """
    return tuple(known_key(path) for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))[:KEYS_MAX]
