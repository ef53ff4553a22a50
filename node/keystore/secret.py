"""Bytes that must not be seen: no repr, no comparison, no pickle shows them."""

from typing import Final, NoReturn

from typing_extensions import override


class Secret:
    """A seed, a password or a phrase, in a box that logs and tracebacks cannot look into."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw: Final = raw

    def reveal(self) -> bytes:
        """Return the bytes, for the one call that needs them."""
        return self._raw

    @override
    def __repr__(self) -> str:
        """Show that there is one."""
        return "Secret(...)"

    @override
    def __reduce__(self) -> NoReturn:
        """Refuse to be copied into bytes."""
        raise TypeError("a secret is not pickled")
