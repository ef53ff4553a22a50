"""What the store of the state refuses.

    StorageError
        StatePrunedError
        RestoreMismatchError
        HoldLimitError
    LocalProtocolError
        WrongHeightError

What the tree itself refuses is in `node.ledger.tree.errors`.
"""

from typing import ClassVar

from primitives.errors import LocalProtocolError, StorageError


class StatePrunedError(StorageError):
    """Report a version of the state that is not here.

    Args:
        height: which was asked for.
        oldest: the first that is here, -1 if there is none.
    """

    code: ClassVar[str] = "state_pruned"

    def __init__(self, *, height: int, oldest: int) -> None:
        super().__init__(f"there is no state at height {height}; the oldest is at {oldest}")
        self.height = height
        self.oldest = oldest


class RestoreMismatchError(StorageError):
    """Report a snapshot that was put together to another root than the one it was asked for."""

    code: ClassVar[str] = "state_restore_mismatch"

    def __init__(self, *, expected: bytes, actual: bytes) -> None:
        super().__init__(f"the restored state has root {actual.hex()}, not {expected.hex()}")
        self.expected = expected
        self.actual = actual


class HoldLimitError(StorageError):
    """Refuse to keep one more old version; each costs the disk space of all commits since."""

    code: ClassVar[str] = "state_hold_limit"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} versions are held already")
        self.limit = limit


class WrongHeightError(LocalProtocolError):
    """Report a commit that does not follow the last one; the caller has a bug."""

    code: ClassVar[str] = "state_wrong_height"

    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"expected the commit at height {expected}, got {actual}")
        self.expected = expected
        self.actual = actual
