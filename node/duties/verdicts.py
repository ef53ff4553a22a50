"""What follows from a duty that was not done: another try, or none in this round, or none ever."""

import enum
from typing import Final

from fl.jobs.errors import MAY_RETRY, FailureCode, JobFailedError
from fl.rules.errors import Rule
from node.duties.errors import (
    HistoryDivergedError,
    LostResultError,
    TransactionFailedError,
    UnfitReportError,
    WrongStartError,
)
from primitives.errors import HanseError

AGAIN_MS_FIRST: Final = 250
AGAIN_MS_MAX: Final = 8_000
_DOUBLINGS_MAX: Final = 16


@enum.unique
class Verdict(enum.Enum):
    """For how long a step is given up."""

    AGAIN = "again"
    ROUND = "round"
    TASK = "task"


_FOR_THE_TASK: Final = frozenset(
    {
        "adapter",
        "configuration",
        "examples",
        "malformed_adapter",
        "malformed_model",
        "model_not_found",
        "model_too_large",
        "no_examples",
        "training_setting",
        "unsafe_model",
        "wrong_model",
    }
)
"""Codes of errors inside a worker that the next round would meet again."""

_DAMAGED: Final = "blob_file"
_NOT_WRITTEN: Final = "blob_write"

_FOR_THE_ROUND: Final = tuple(
    rule.value
    for rule in (
        Rule.FULL,
        Rule.NOT_REGISTERED,
        Rule.QUARANTINED,
        Rule.ALREADY,
        Rule.NOT_SEATED,
        Rule.WRONG_OPENING,
        Rule.BAD_SCORECARD,
        Rule.BAD_REPORT,
    )
)
"""What the contract would say to the same call again, for another fee."""

_BY_REASON: Final = {
    FailureCode.NO_TORCH: Verdict.TASK,
    FailureCode.NO_DEVICE: Verdict.TASK,
    FailureCode.DEADLINE: Verdict.ROUND,
    FailureCode.OUT_OF_MEMORY: Verdict.ROUND,
    FailureCode.WORKER_BUG: Verdict.ROUND,
    # The client has tried these again already: a job that always kills its worker would keep it
    # from all others for as long as the round lasts.
    **dict.fromkeys(MAY_RETRY, Verdict.ROUND),
}


def judge(error: HanseError | OSError) -> Verdict:
    """Return what follows from an error."""
    match error:
        case JobFailedError():
            return _judge_job(error)
        case UnfitReportError() | HistoryDivergedError() | WrongStartError():
            return Verdict.TASK
        case LostResultError():
            return Verdict.ROUND
        case TransactionFailedError(receipt=receipt) if receipt.trap.endswith(_FOR_THE_ROUND):
            return Verdict.ROUND
        case _:
            return Verdict.AGAIN


def is_damage(error: JobFailedError) -> bool:
    """Tell whether a file of this machine was not what it must be."""
    return error.reason is FailureCode.BAD_INPUT and error.cause == _DAMAGED


def _judge_job(error: JobFailedError) -> Verdict:
    if error.reason is not FailureCode.BAD_INPUT:
        return _BY_REASON.get(error.reason, Verdict.AGAIN)
    if is_damage(error) or error.cause == _NOT_WRITTEN:
        return Verdict.AGAIN
    return Verdict.TASK if error.cause in _FOR_THE_TASK else Verdict.ROUND


def rest_ms(failures: int) -> int:
    """Return how long to wait after so many failures in a row, from the first on."""
    return min(AGAIN_MS_MAX, AGAIN_MS_FIRST << min(failures - 1, _DOUBLINGS_MAX))
