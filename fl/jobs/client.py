"""The node's side of a worker: one job at a time, with a deadline, and a new worker after a death.

Killing the worker in any way costs the job that runs, which fails with a code that says so, and
nothing else. A caller that is cancelled has its job cancelled; either way the worker is idle, or a
fresh one, before the next job is handed to it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar, assert_never, cast

import structlog

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.launch import WorkerCommand
from fl.jobs.link import Link
from fl.jobs.messages import TO_WORKER_CODEC, Failed, Finished, Start
from fl.jobs.patience import Patience
from fl.jobs.progress import Progress
from fl.jobs.results import AnyResult
from fl.jobs.ticket import Death, Outcome
from fl.jobs.work import RESULTS, AnyJob, Job
from primitives.clock import Clock
from primitives.errors import LocalProtocolError, MalformedBytesError

WAITING_MAX: Final = 16
"""Jobs that wait while another runs; a node has a handful of duties in a round."""

Result = TypeVar("Result")

_log: Final = structlog.get_logger("fl.jobs.client")


def _unheard(_: Progress) -> None:
    """Let a report go."""


def _check_bounds(job: AnyJob) -> None:
    """Refuse a job that a worker would not understand, which would end the worker."""
    try:
        TO_WORKER_CODEC.decode(TO_WORKER_CODEC.encode(Start(0, job)))
    except (LocalProtocolError, MalformedBytesError, OverflowError, ValueError) as error:
        text = f"the job is out of bounds: {error}"
        raise JobFailedError(FailureCode.BAD_INPUT, text) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """What a caller grants one job.

    Args:
        deadline_ms: from its turn, with the start of a worker, to its result, for each attempt.
        attempts: how often it is done again after the worker died of it.
    """

    deadline_ms: int
    attempts: int = 1


class WorkerClient:
    """Runs jobs in a worker process that is started when it is needed.

    An async context manager; at its end the worker is asked to leave, and killed if it does not.
    """

    def __init__(
        self, command: WorkerCommand, *, clock: Clock, patience: Patience | None = None
    ) -> None:
        self._command = command
        self._clock = clock
        self._patience = Patience() if patience is None else patience
        self._tasks = asyncio.TaskGroup()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._number = 0
        self._deaths = 0
        self._link: Link | None = None
        self._following: asyncio.Task[None] | None = None
        self._rested_ms = 0

    @property
    def pid(self) -> int | None:
        """The process that would do the next job; None while there is none."""
        return None if self._link is None or self._link.death is not None else self._link.pid

    async def __aenter__(self) -> Self:
        """Own a worker from now on."""
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the worker leave, and wait until it has."""
        try:
            await self._close()
        finally:
            if isinstance(error, Exception):
                # A task group would wrap the error of its body; the caller's stays what it is.
                kind, error, trace = None, None, None
            await self._tasks.__aexit__(kind, error, trace)

    async def run(
        self,
        job: Job[Result],
        *,
        terms: JobTerms,
        on_progress: Callable[[Progress], None] = _unheard,
    ) -> Result:
        """Do one job and return its result; jobs take turns.

        Args:
            job: one of `fl.jobs.work`.
            terms: its deadline and its attempts.
            on_progress: called between the reports of the worker and the result.

        Raises:
            JobFailedError: it was not done; `reason` says why and `may_retry` whether to try again.
        """
        assert isinstance(job, AnyJob)
        _check_bounds(job)
        if self._waiting >= WAITING_MAX:
            raise JobFailedError(FailureCode.BUSY, f"{WAITING_MAX} jobs wait for this worker")
        self._waiting += 1
        try:
            async with self._turn:
                result = await self._try(job, terms, on_progress)
        finally:
            self._waiting -= 1
        assert isinstance(result, RESULTS[type(job)])
        return cast(Result, result)

    async def _try(
        self, job: AnyJob, terms: JobTerms, on_progress: Callable[[Progress], None]
    ) -> AnyResult:
        attempts_left = terms.attempts
        while True:
            attempts_left -= 1
            try:
                async with asyncio.timeout(terms.deadline_ms / 1_000):
                    return await self._attempt(job, on_progress)
            except TimeoutError as error:
                text = f"not done within {terms.deadline_ms} ms"
                raise JobFailedError(FailureCode.DEADLINE, text) from error
            except JobFailedError as failure:
                if attempts_left <= 0 or not failure.may_retry:
                    raise
                _log.warning("job is done again", reason=failure.reason.value, error=str(failure))

    async def _attempt(self, job: AnyJob, on_progress: Callable[[Progress], None]) -> AnyResult:
        link = await self._living_link()
        self._number += 1
        ticket = link.begin(self._number, job)
        try:
            while isinstance(news := await ticket.next(), Progress):
                on_progress(news)
        finally:
            # Cancelled, out of time, or the callback raised: the worker must be idle, or dead,
            # before anybody else has a turn.
            await link.give_up(ticket)
        return self._judge(news)

    def _judge(self, outcome: Outcome) -> AnyResult:
        match outcome:
            case Finished(result=result):
                self._deaths = 0
                return result
            case Failed(reason=reason, message=message, cause=cause):
                self._deaths = 0
                raise JobFailedError(reason, message, cause=cause)
            case Death(reason=reason, message=message):
                raise JobFailedError(reason, message)
            case _:
                assert_never(outcome)

    async def _living_link(self) -> Link:
        """Return a worker that listens; start one, after a rest if the last one died.

        Raises:
            JobFailedError: it did not start.
        """
        link = self._link
        if link is None or link.death is not None:
            link = await self._start()
        await link.ready()
        if link.death is not None:
            raise JobFailedError(link.death.reason, link.death.message)
        return link

    async def _start(self) -> Link:
        rest_ms = self._rested_ms - self._clock.monotonic_ms()
        if rest_ms > 0:
            await asyncio.sleep(rest_ms / 1_000)
        self._link = link = Link(self._command, clock=self._clock, patience=self._patience)
        self._following = self._tasks.create_task(self._follow(link), name="worker")
        return link

    async def _follow(self, link: Link) -> None:
        await link.run()
        self._deaths += 1
        self._rested_ms = self._clock.monotonic_ms() + self._patience.rest_ms(self._deaths)

    async def _close(self) -> None:
        link, following = self._link, self._following
        if link is None or following is None:
            return
        try:
            if link.death is None and link.is_ready:
                link.ask_to_leave()
                await asyncio.wait([following], timeout=self._patience.stop_ms / 1_000)
        finally:
            # A dead worker is being buried, which is not to be broken off.
            if link.death is None:
                following.cancel()
