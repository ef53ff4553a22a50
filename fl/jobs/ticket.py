"""One running job, between the link that hears of it and the caller that waits for it."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from fl.jobs.errors import FailureCode
from fl.jobs.messages import Failed, Finished
from fl.jobs.progress import Progress
from fl.jobs.results import AnyResult
from fl.jobs.work import RESULTS, AnyJob

REPORTS_MAX: Final = 64
"""Reports that wait for a slow caller; older ones make room."""


@dataclass(frozen=True, slots=True)
class Death:
    """Why a worker is no more."""

    reason: FailureCode
    message: str


Outcome = Finished | Failed | Death


class Ticket:
    """What has been heard of one job and not yet been taken."""

    def __init__(self, number: int, job: AnyJob) -> None:
        self.number = number
        self._result_type = RESULTS[type(job)]
        self._reports: deque[Progress] = deque(maxlen=REPORTS_MAX)
        self._outcome: Outcome | None = None
        self._news = asyncio.Event()

    @property
    def is_settled(self) -> bool:
        """Tell whether the worker is free of this job, or dead."""
        return self._outcome is not None

    def fits(self, result: AnyResult) -> bool:
        """Tell whether a result is of the kind that this job has."""
        return isinstance(result, self._result_type)

    def report(self, progress: Progress) -> None:
        """Take down how far the job is."""
        self._reports.append(progress)
        self._news.set()

    def settle(self, outcome: Outcome) -> None:
        """Take down how the job ended; only the first end counts."""
        if self._outcome is None:
            self._outcome = outcome
        self._news.set()

    async def next(self) -> Progress | Outcome:
        """Return the oldest report that was not taken yet, and the outcome after all of them."""
        await self._news.wait()
        if self._reports:
            return self._reports.popleft()
        if self._outcome is not None:
            return self._outcome
        self._news.clear()
        return await self.next()

    async def settled(self) -> Outcome:
        """Wait for the outcome and let the reports go."""
        while isinstance(news := await self.next(), Progress):
            pass
        return news
