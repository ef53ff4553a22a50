"""What a node tells about its duties: what it does now, what keeps it, what took how long."""

from collections import deque
from typing import Final

import msgspec

from fl.jobs.progress import Progress
from node.duties.duty import Duty

ROUNDS_TOLD: Final = 64
MARKS_MAX: Final = 256
"""Of phases, and of jobs, in one round; a ladder of five rungs makes some forty."""


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A duty under way.

    Args:
        since_ms: chain time at which it began.
        stage: of the worker; empty before its first report, or if it needs no worker.
        done: of `total` steps of this stage; 0 of 0 if that is not known.
    """

    step: str
    task: int
    round: int
    rung: int
    since_ms: int
    stage: str = ""
    done: int = 0
    total: int = 0
    loss_micronats: int | None = None
    note: str = ""


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A step that this node leaves to others, and why."""

    step: str
    until: str
    message: str


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One task.

    Args:
        round: that runs; None between two.
        phase: of it; empty between two.
        troubles: what keeps this node from more, in words.
        last_error: of a duty of this task that was not done; empty if there was none.
    """

    task: int
    title: str
    version: int
    round: int | None
    phase: str
    rung: int
    deadline_ms: int
    troubles: tuple[str, ...]
    given_up: tuple[GivenUp, ...]
    last_error: str = ""


class DutyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All duties of a node."""

    account: bytes
    roles: tuple[str, ...]
    tasks: tuple[TaskStatus, ...]
    jobs: tuple[JobStatus, ...]


class PhaseMark(msgspec.Struct, frozen=True, kw_only=True):
    """When this node first saw a phase, in chain time."""

    phase: str
    rung: int
    seen_ms: int


class JobMark(msgspec.Struct, frozen=True, kw_only=True):
    """How long a duty took; the outcome is "done", "overtaken" or the code of an error."""

    step: str
    rung: int
    began_ms: int
    took_ms: int
    outcome: str


class RoundTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of one round went, as this node saw it."""

    task: int
    round: int
    phases: tuple[PhaseMark, ...]
    jobs: tuple[JobMark, ...]


class _Marks:
    """The marks of one round; what is beyond the bound is not kept."""

    def __init__(self) -> None:
        self.phases: deque[PhaseMark] = deque(maxlen=MARKS_MAX)
        self.jobs: deque[JobMark] = deque(maxlen=MARKS_MAX)


class TimeSheet:
    """Where the time of the last rounds went."""

    def __init__(self) -> None:
        self._marks: dict[tuple[int, int], _Marks] = {}

    def saw(self, task: int, round_number: int, *, phase: str, rung: int, now_ms: int) -> None:
        """Note a phase, if it is not the one that was noted last."""
        phases = self._of(task, round_number).phases
        if not phases or (phases[-1].phase, phases[-1].rung) != (phase, rung):
            phases.append(PhaseMark(phase=phase, rung=rung, seen_ms=now_ms))

    def did(self, duty: Duty, *, began_ms: int, took_ms: int, outcome: str) -> None:
        """Note how a duty ended."""
        mark = JobMark(
            step=duty.step.value,
            rung=duty.rung,
            began_ms=began_ms,
            took_ms=took_ms,
            outcome=outcome,
        )
        self._of(duty.task, duty.round).jobs.append(mark)

    def rounds(self) -> tuple[RoundTimes, ...]:
        """Return what is known, oldest first."""
        return tuple(
            RoundTimes(task=task, round=number, phases=tuple(one.phases), jobs=tuple(one.jobs))
            for (task, number), one in self._marks.items()
        )

    def _of(self, task: int, round_number: int) -> _Marks:
        place = (task, round_number)
        if place not in self._marks:
            self._marks[place] = _Marks()
            while len(self._marks) > ROUNDS_TOLD:
                del self._marks[next(iter(self._marks))]
        return self._marks[place]


def job_status(duty: Duty, *, since_ms: int, progress: Progress | None) -> JobStatus:
    """Return how far a duty is."""
    status = JobStatus(
        step=duty.step.value,
        task=duty.task,
        round=duty.round,
        rung=duty.rung,
        since_ms=since_ms,
    )
    if progress is None:
        return status
    return msgspec.structs.replace(
        status,
        stage=progress.stage.value,
        done=progress.done,
        total=progress.total,
        loss_micronats=progress.loss_micronats,
        note=progress.note,
    )
