"""Why sync gives up, one class per cause.

HanseError (primitives.errors)
    SyncError
        TooFarBehindError     no peer keeps the commits that this node needs next
        NoSnapshotError       no peer gave a snapshot in time
    StateDivergedError        see `node.chain.errors`
InvalidCommitError (primitives.errors)
    WrongCommitError          a commit, or a block of it, is not the one that is certified
RemoteProtocolError (primitives.errors)
    FalseAnswerError          a peer answered with what cannot be right
StorageError (primitives.errors)
    LedgerExistsError         a snapshot would replace a ledger
"""

from pathlib import Path
from typing import ClassVar

from primitives.errors import (
    HanseError,
    InvalidCommitError,
    RemoteProtocolError,
    StorageError,
)


class SyncError(HanseError):
    """Report that this node cannot learn what the others agreed on."""

    code: ClassVar[str] = "sync"


class TooFarBehindError(SyncError):
    """Report that no peer keeps the commits that this node needs next; a snapshot helps.

    Args:
        epoch: in which this node is.
        index: of the commit that it needs.
        height: that it has.
    """

    code: ClassVar[str] = "sync-too-far-behind"

    def __init__(self, *, epoch: int, index: int, height: int) -> None:
        super().__init__(
            f"no peer has commit {index} of epoch {epoch} any more, this node is at height "
            f"{height}: join again by a snapshot"
        )
        self.epoch = epoch
        self.index = index
        self.height = height


class NoSnapshotError(SyncError):
    """Report that no peer gave a whole snapshot in time.

    Args:
        waited_ms: for how long we tried.
    """

    code: ClassVar[str] = "sync-no-snapshot"

    def __init__(self, *, waited_ms: int) -> None:
        super().__init__(f"no peer gave a snapshot of the state within {waited_ms} ms: try again")
        self.waited_ms = waited_ms


class WrongCommitError(InvalidCommitError):
    """Refuse a commit, or a block of one, that is not the certified one."""

    code: ClassVar[str] = "sync-wrong-commit"


class FalseAnswerError(RemoteProtocolError):
    """Blame a peer for an answer that cannot be right."""

    code: ClassVar[str] = "sync-false-answer"


class LedgerExistsError(StorageError):
    """Refuse to put a snapshot where a ledger is.

    Args:
        path: of the folder.
        height: of the ledger that is there.
    """

    code: ClassVar[str] = "sync-ledger-exists"

    def __init__(self, *, path: Path, height: int) -> None:
        super().__init__(
            f"{path} has a ledger at height {height} already: a snapshot needs an empty folder"
        )
        self.path = path
        self.height = height
