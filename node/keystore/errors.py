"""How the keystore fails, each in one line without a secret in it."""

from pathlib import Path
from typing import ClassVar

from primitives.errors import ConfigurationError


class KeystoreError(ConfigurationError):
    """Stand for what a person has to correct about keys."""

    code: ClassVar[str] = "keystore"


class KeyFileError(KeystoreError):
    """Refuse a file that is missing, damaged, or no key file."""

    code: ClassVar[str] = "keystore_file"

    def __init__(self, reason: str, *, path: Path) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class KeyPermissionError(KeystoreError):
    """Refuse a secret that other users of this machine can read or replace."""

    code: ClassVar[str] = "keystore_permission"

    def __init__(self, reason: str, *, path: Path) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path


class KeyExistsError(KeystoreError):
    """Refuse to write over a key."""

    code: ClassVar[str] = "keystore_exists"

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"{path} exists already; a key is never written over")
        self.path = path


class UnknownKeyError(KeystoreError):
    """Report that no key has this name."""

    code: ClassVar[str] = "keystore_unknown"


class PasswordError(KeystoreError):
    """Refuse a password: there is none, it is too short, or it opens nothing."""

    code: ClassVar[str] = "keystore_password"


class PhraseError(KeystoreError):
    """Refuse words that are no BIP-39 phrase."""

    code: ClassVar[str] = "keystore_phrase"
