"""Where a password comes from: a private file, the variable HANSE_PASSWORD, or a person."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from node.keystore.errors import PasswordError
from node.keystore.private_file import read_private
from node.keystore.secret import Secret

PASSWORD_VARIABLE: Final = "HANSE_PASSWORD"  # noqa: S105 - the name of a variable
_FILE_BYTES_MAX: Final = 8_192


def find_password(
    *,
    file: Path | None,
    environ: Mapping[str, str],
    ask: Callable[[], str] | None = None,
) -> Secret:
    """Return the password of the first source that there is.

    Args:
        file: of mode 0600, whose first line is the password.
        environ: the variables of the process.
        ask: asks a person; None where nobody sits at a terminal.

    Raises:
        PasswordError: there is no source.
        KeyFileError: the file is missing.
        KeyPermissionError: other users may read or write the file.
    """
    if file is not None:
        raw = read_private(file, size_bytes_max=_FILE_BYTES_MAX)
        return Secret(raw.partition(b"\n")[0].removesuffix(b"\r"))
    if PASSWORD_VARIABLE in environ:
        return Secret(environ[PASSWORD_VARIABLE].encode())
    if ask is not None:
        return Secret(ask().encode())
    raise PasswordError(
        f"no password for the keys: set keys.password_file in hanse.toml, or {PASSWORD_VARIABLE}"
    )
