"""What can go wrong when a model is pulled or made again."""

from typing import ClassVar

from primitives.errors import HanseError


class NoSuchVersionError(HanseError):
    """Report a version of a model that was never made."""

    code: ClassVar[str] = "no_such_version"


class UnrecordedLineageError(HanseError):
    """Report a version whose record lacks what it takes to make it again."""

    code: ClassVar[str] = "lineage_unrecorded"


class BrokenLineageError(HanseError):
    """Report a version that is not what its record says it was made of.

    Args:
        version: the first one that is wrong; what follows was not looked at.
        expected: by the chain.
        found: by us.
    """

    code: ClassVar[str] = "lineage_broken"

    def __init__(self, message: str, *, version: int, expected: bytes, found: bytes) -> None:
        super().__init__(
            f"version {version}: {message}: the chain says {expected.hex()}, we find {found.hex()}"
        )
        self.version = version
        self.expected = expected
        self.found = found
