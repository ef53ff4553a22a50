"""Do the jobs that need torch, and turn what torch raises into the closed list of reasons."""

from typing import assert_never

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.results import AnyResult
from fl.jobs.shortage import is_shortage
from fl.jobs.work import EvaluateJob, PrepareJob, ScoreJob, TrainJob
from fl.training.errors import TrainingStoppedError
from fl.training.scoring.errors import ScoringStoppedError
from fl.worker.desk import Desk
from fl.worker.kept_losses import KeptLosses
from fl.worker.machine import Machine
from fl.worker.scoring import evaluate, score
from fl.worker.shelf import ModelShelf
from fl.worker.training import prepare, train
from primitives.errors import TrainingError

StudioJob = PrepareJob | TrainJob | ScoreJob | EvaluateJob


class Studio:
    """Keeps the loaded base model between jobs, and what was measured for the guard."""

    def __init__(self, machine: Machine) -> None:
        self._shelf = ModelShelf(machine)
        self._kept = KeptLosses()

    def perform(self, job: StudioJob, desk: Desk) -> AnyResult:
        """Do one job.

        Raises:
            JobFailedError: cancelled, or not even one example fits into memory.
            HanseError: the job or a file that it names is wrong.
        """
        try:
            return self._done(job, desk)
        except (TrainingStoppedError, ScoringStoppedError) as error:
            raise JobFailedError(FailureCode.CANCELLED, str(error), cause=error.code) from error
        except (TrainingError, RuntimeError, MemoryError) as error:
            if not is_shortage(error):
                raise
            shortage = JobFailedError(FailureCode.OUT_OF_MEMORY, _first_line(error))
        # Outside of the handler, for the traceback holds on to the tensors that were too many.
        self._shelf.clear()
        raise shortage

    def _done(self, job: StudioJob, desk: Desk) -> AnyResult:
        match job:
            case PrepareJob():
                return prepare(job, desk, shelf=self._shelf)
            case TrainJob():
                return train(job, desk, shelf=self._shelf)
            case ScoreJob():
                return score(job, desk, shelf=self._shelf)
            case EvaluateJob():
                return evaluate(job, desk, shelf=self._shelf, kept=self._kept)
            case _:
                assert_never(job)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
