"""Do any job of this project; torch is loaded by the first one that needs it."""

import contextlib
import importlib
import threading
from typing import TYPE_CHECKING, Final, assert_never

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import Stage
from fl.jobs.results import AnyResult, WarmResult
from fl.jobs.work import (
    AggregateJob,
    AnyJob,
    EvaluateJob,
    InspectJob,
    PrepareJob,
    ScoreJob,
    TrainJob,
    WarmJob,
)
from fl.worker.aggregation import make_next_model
from fl.worker.desk import Desk
from fl.worker.inspection import inspect
from fl.worker.machine import Machine

if TYPE_CHECKING:
    from fl.worker.studio import Studio

LOOK_S: Final = 0.05
_WITH_TORCH: Final = ("fl.worker.studio", "fl.training.weights", "fl.training.insertion")
"""What the first job of training or scoring would load, seven seconds of a core in all."""


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
            case WarmJob():
                return self._warmed(desk)
            case _:
                assert_never(job)

    def _warmed(self, desk: Desk) -> WarmResult:
        """Load what takes seconds, in a thread, for loading cannot hear a cancellation."""
        desk.report(Stage.LOADING, note="torch")
        loading = threading.Thread(target=_load, name="loading", daemon=True)
        loading.start()
        while loading.is_alive():
            loading.join(LOOK_S)
            desk.check()
        self._opened_studio()
        return WarmResult()

    def _opened_studio(self) -> "Studio":
        if self._studio is None:
            try:
                from fl.worker.studio import Studio  # noqa: PLC0415 - torch, only where needed
            except ImportError as error:
                text = f"{error}: install the extra 'training', pip install 'hanse[training]'"
                raise JobFailedError(FailureCode.NO_TORCH, text) from error
            self._studio = Studio(self._machine)
        return self._studio


def _load() -> None:
    # Without torch it is the next line that says so, as for every other job.
    with contextlib.suppress(ImportError):
        for module in _WITH_TORCH:
            importlib.import_module(module)
