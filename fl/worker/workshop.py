"""Do any job of this project; torch is loaded by the first one that needs it."""

from typing import TYPE_CHECKING, assert_never

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.results import AnyResult
from fl.jobs.work import (
    AggregateJob,
    AnyJob,
    EvaluateJob,
    InspectJob,
    PrepareJob,
    ScoreJob,
    TrainJob,
)
from fl.worker.aggregation import make_next_model
from fl.worker.desk import Desk
from fl.worker.inspection import inspect
from fl.worker.machine import Machine

if TYPE_CHECKING:
    from fl.worker.studio import Studio


class Workshop:
    """Keeps what several jobs use, such as a loaded base model."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._studio: Studio | None = None

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        """Do one job.

        Raises:
            JobFailedError: cancelled, or this machine lacks what the job needs.
            HanseError: the job or a file that it names is wrong.
        """
        match job:
            case InspectJob():
                return inspect(job, desk, threads=self._machine.threads)
            case AggregateJob():
                return make_next_model(job, desk, threads=self._machine.threads)
            case PrepareJob() | TrainJob() | ScoreJob() | EvaluateJob():
                return self._opened_studio().perform(job, desk)
            case _:
                assert_never(job)

    def _opened_studio(self) -> "Studio":
        if self._studio is None:
            try:
                from fl.worker.studio import Studio  # noqa: PLC0415 - torch, only where needed
            except ImportError as error:
                text = f"{error}: install the extra 'training', pip install 'hanse[training]'"
                raise JobFailedError(FailureCode.NO_TORCH, text) from error
            self._studio = Studio(self._machine)
        return self._studio
