"""A worker process for one job of a command: what loads torch is never this process."""

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from cli.logs import log_to_stderr
from fl.jobs.client import JobTerms, WorkerClient
from fl.jobs.launch import WorkerCommand
from fl.jobs.work import Job
from node.running.clock import SystemClock

if TYPE_CHECKING:
    from fl.jobs.progress import Progress

Result = TypeVar("Result")


def worker(*, device: str = "auto") -> WorkerClient:
    """Return a client of a worker, which starts with its first job."""
    log_to_stderr()
    return WorkerClient(WorkerCommand(device=device), clock=SystemClock())


async def run_job(job: Job[Result], *, device: str, deadline_ms: int) -> Result:
    """Do one job in a worker of its own; a terminal shows how far it is.

    Raises:
        JobFailedError: the job cannot be done, or took too long.
    """
    console = Console(stderr=True)
    spinner = console.status("starting a worker") if sys.stderr.isatty() else nullcontext()
    with spinner as status:

        def show(progress: "Progress") -> None:
            if status is not None:
                status.update(f"{progress.stage.value} {progress.note}")

        async with worker(device=device) as client:
            return await client.run(job, terms=JobTerms(deadline_ms=deadline_ms), on_progress=show)
