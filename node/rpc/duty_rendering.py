"""Show the duties of the node as the schemas have them; pure."""

from node.duties.status import DutyStatus, JobStatus, RoundTimes, TaskStatus
from node.rpc import schemas
from node.rpc.texts import account_text


def show_duties(status: DutyStatus) -> schemas.Duties:
    """Return what the node does for training."""
    return schemas.Duties(
        account=account_text(status.account),
        roles=status.roles,
        tasks=tuple(map(_task, status.tasks)),
        jobs=tuple(map(_job, status.jobs)),
    )


def _task(task: TaskStatus) -> schemas.DutyTask:
    return schemas.DutyTask(
        task=task.task,
        title=task.title,
        version=task.version,
        round=task.round,
        phase=task.phase,
        rung=task.rung,
        deadline_ms=task.deadline_ms,
        troubles=task.troubles,
        given_up=tuple(f"{one.step}, until {one.until}: {one.message}" for one in task.given_up),
        last_error=task.last_error,
    )


def _job(job: JobStatus) -> schemas.DutyJob:
    return schemas.DutyJob(
        step=job.step,
        task=job.task,
        round=job.round,
        rung=job.rung,
        since_ms=job.since_ms,
        stage=job.stage,
        done=job.done,
        total=job.total,
        note=job.note,
    )


def show_rounds(rounds: tuple[RoundTimes, ...]) -> tuple[schemas.RoundTime, ...]:
    """Return where the time of the last rounds went."""
    return tuple(
        schemas.RoundTime(
            task=one.task,
            round=one.round,
            phases=tuple(
                schemas.SeenPhase(phase=mark.phase, rung=mark.rung, seen_ms=mark.seen_ms)
                for mark in one.phases
            ),
            jobs=tuple(
                schemas.DutyTime(
                    step=mark.step,
                    rung=mark.rung,
                    began_ms=mark.began_ms,
                    took_ms=mark.took_ms,
                    outcome=mark.outcome,
                )
                for mark in one.jobs
            ),
        )
        for one in rounds
    )
