"""Why a duty was not done, one class per cause.

HanseError (primitives.errors)
    DutyError
        LostResultError             what a step before this one made is not on this machine
        UnfitReportError            this node's panel has fewer measures than the task guards
        WrongStartError             a document begins with another model than its task
        HistoryDivergedError        a replayed model is not the one in the registry
        UpdateUnavailableError      nobody serves an update that opens to its root
    TransactionLostError            a transaction was neither done nor refused before its end
    TransactionFailedError          a transaction entered and failed, or was refused
"""

from typing import ClassVar

from node.ledger.receipt import Receipt
from primitives.errors import HanseError
from primitives.ids import Digest


class DutyError(HanseError):
    """Stand for a duty that this node could not do; the chain goes on without it."""

    code: ClassVar[str] = "duty"


class LostResultError(DutyError):
    """Report that a file of an earlier step is missing or damaged."""

    code: ClassVar[str] = "lost_result"


class UnfitReportError(DutyError):
    """Report that the guard watches more than this node can measure.

    Args:
        measured: numbers in this node's report.
        wanted: bounds of the task.
    """

    code: ClassVar[str] = "unfit_report"

    def __init__(self, *, measured: int, wanted: int) -> None:
        super().__init__(
            f"the task guards {wanted} measures, this node has {measured}: "
            "configure as many sets of probes as the task describes"
        )
        self.measured = measured
        self.wanted = wanted


class WrongStartError(DutyError):
    """Report that a document names another W_0 than the chain: nobody can take part in the task.

    Args:
        expected: the digest on the chain.
        actual: the digest in the document.
    """

    code: ClassVar[str] = "wrong_start"

    def __init__(self, *, expected: bytes, actual: bytes) -> None:
        super().__init__(
            f"the document begins with {actual.hex()}, the task with {expected.hex()}: "
            "this node takes no part in the task"
        )
        self.expected = expected
        self.actual = actual


class HistoryDivergedError(DutyError):
    """Report that the rules, applied to the recorded updates, give another model than the chain's.

    Args:
        version: that was replayed.
        expected: the digest in the registry.
        actual: what this node computed.
    """

    code: ClassVar[str] = "history_diverged"

    def __init__(self, *, version: int, expected: bytes, actual: bytes) -> None:
        super().__init__(
            f"version {version} was replayed to {actual.hex()}, the registry has {expected.hex()}: "
            "this node takes no part in the task; report this"
        )
        self.version = version
        self.expected = expected
        self.actual = actual


class UpdateUnavailableError(DutyError):
    """Report that nobody gave the content of an update."""

    code: ClassVar[str] = "update_unavailable"


class TransactionLostError(HanseError):
    """Report that the chain passed the time until which a transaction was valid, without it.

    Args:
        transaction_id: of what was sent.
    """

    code: ClassVar[str] = "transaction_lost"

    def __init__(self, transaction_id: Digest) -> None:
        super().__init__(
            f"transaction {transaction_id.hex()} was not executed in time: send it again"
        )
        self.transaction_id = transaction_id


class TransactionFailedError(HanseError):
    """Report that a transaction changed nothing but its fee.

    Args:
        receipt: says why.
    """

    code: ClassVar[str] = "transaction_failed"

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(f"{receipt.code}: {receipt.trap}" if receipt.trap else receipt.code)
        self.receipt = receipt
