"""Why the chain refuses, one class per cause.

HanseError (primitives.errors)
    SubscriberLagError        a subscriber of the feed took too long
    StateDivergedError        this node computed another state than the committee certified
InvalidCommitError (primitives.errors)
    ForeignEpochError         a commit of neither the running epoch nor one before it that is known
    CommitGapError            a commit that does not follow the last one
    CommitForkError           another commit than the one that was executed in its place
StorageError (primitives.errors)
    NotCertifiedError         no certificate that would prove it is here
    CommitteeUnknownError     the committee of an epoch is not known here
VmError (primitives.errors)
    NoContractError           there is no contract at an address
    NotViewError              a method that is no view was to be called as one
"""

from typing import ClassVar

from primitives.errors import (
    HanseError,
    InvalidCommitError,
    StorageError,
    VmError,
)


class SubscriberLagError(HanseError):
    """Tell a subscriber that it missed events, since more waited for it than may wait.

    Args:
        limit: how many events may wait.
    """

    code: ClassVar[str] = "subscriber-lag"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"more than {limit} events wait: read the chain anew, then subscribe")
        self.limit = limit


class StateDivergedError(HanseError):
    """Report that what we computed is not what the committee certified: the node must stop.

    Its database stays as it is, for whoever finds out why.
    """

    code: ClassVar[str] = "state-diverged"

    def __init__(self, *, number: int, height: int, expected: bytes, actual: bytes) -> None:
        super().__init__(
            f"checkpoint {number} at height {height}: the committee certified state root "
            f"{expected.hex()}, this node has {actual.hex()}; keep the database and report this"
        )
        self.number = number
        self.height = height
        self.expected = expected
        self.actual = actual


class ForeignEpochError(InvalidCommitError):
    """Refuse a commit of an epoch that is neither the running one nor known from before."""

    code: ClassVar[str] = "commit-foreign-epoch"

    def __init__(self, *, genesis: bytes, epoch: int) -> None:
        super().__init__(
            f"a commit of the epoch with genesis {genesis.hex()}, which is not epoch {epoch}"
        )
        self.genesis = genesis
        self.epoch = epoch


class CommitGapError(InvalidCommitError):
    """Refuse a commit that does not follow the last one."""

    code: ClassVar[str] = "commit-gap"

    def __init__(self, *, epoch: int, expected: int, actual: int) -> None:
        super().__init__(f"expected commit {expected} of epoch {epoch}, got {actual}")
        self.epoch = epoch
        self.expected = expected
        self.actual = actual


class CommitForkError(InvalidCommitError):
    """Report two commits for one place: more than a third of the power lied, or we have a bug."""

    code: ClassVar[str] = "commit-fork"

    def __init__(self, *, epoch: int, index: int, expected: bytes, actual: bytes) -> None:
        super().__init__(
            f"commit {index} of epoch {epoch} has digest {actual.hex()}, {expected.hex()} was "
            "executed; the node must stop"
        )
        self.epoch = epoch
        self.index = index
        self.expected = expected
        self.actual = actual


class NotCertifiedError(StorageError):
    """Report that nothing can be proven, for want of a certificate; later, or another node, can."""

    code: ClassVar[str] = "not-certified"


class CommitteeUnknownError(StorageError):
    """Report that the committee of an epoch is not known here: not yet, or no more."""

    code: ClassVar[str] = "committee-unknown"

    def __init__(self, *, epoch: int) -> None:
        super().__init__(f"the committee of epoch {epoch} is not known here")
        self.epoch = epoch


class NoContractError(VmError):
    """Report that there is no contract at an address."""

    code: ClassVar[str] = "no-contract"

    def __init__(self, *, address: bytes) -> None:
        super().__init__(f"there is no contract at {address.hex()}")
        self.address = address


class NotViewError(VmError):
    """Refuse to call a method that is no view; send a transaction instead."""

    code: ClassVar[str] = "not-a-view"

    def __init__(self, *, method: str) -> None:
        super().__init__(f"{method} is no view: send a transaction that calls it")
        self.method = method
