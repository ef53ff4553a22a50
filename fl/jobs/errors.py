"""Why a job was not done, in a closed list of codes that both sides and other programs rely on."""

import enum
from typing import ClassVar, Final

from primitives.errors import TrainingError


@enum.unique
class FailureCode(enum.Enum):
    """The closed list of reasons; the value is stable and travels on the wire."""

    BAD_INPUT = "bad_input"
    """The job or a file that it names is wrong; the message says which."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    OUT_OF_MEMORY = "out_of_memory"
    """One example at a time, or what cannot be split, does not fit in the memory."""

    NO_TORCH = "no_torch"
    NO_DEVICE = "no_device"
    WORKER_BUG = "worker_bug"
    WORKER_DIED = "worker_died"
    WORKER_SILENT = "worker_silent"
    WORKER_NOT_STARTED = "worker_not_started"
    WORKER_GARBLED = "worker_garbled"
    """The worker sent something that is no message, or one that did not fit."""

    BUSY = "busy"
    """Too many jobs wait for this worker already."""


MAY_RETRY: Final = frozenset(
    {FailureCode.WORKER_DIED, FailureCode.WORKER_SILENT, FailureCode.WORKER_GARBLED}
)
"""What another attempt with a fresh worker may cure: the job itself was not found wanting."""


class JobFailedError(TrainingError):
    """Report that a job was not done; whatever it wrote so far is not visible.

    Args:
        reason: which of the closed list.
        message: one line for a person.
        cause: the code of the error inside the worker, if that was one of this project.
    """

    code: ClassVar[str] = "job_failed"

    def __init__(self, reason: FailureCode, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.cause = cause

    @property
    def may_retry(self) -> bool:
        """Tell whether the same job may succeed with a fresh worker."""
        return self.reason in MAY_RETRY


class MalformedFrameError(TrainingError):
    """Refuse bytes from the other side of the socket that are not one frame after another."""

    code: ClassVar[str] = "malformed_frame"
