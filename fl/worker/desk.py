"""What a job sees of the worker it runs in: whether to stop, and where to say how far it is."""

import threading
from collections.abc import Callable

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.progress import NOTE_LETTERS_MAX, Progress, Stage
from primitives.clock import Clock

REPORT_INTERVAL_MS = 100
"""Reports in between are dropped, but for new stages, last steps, and those with a note."""


class Desk:
    """The worker's side of one job; `stop` may be called by another thread."""

    def __init__(self, send: Callable[[Progress], None], *, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._stop = threading.Event()
        self._last: Progress | None = None
        self._last_ms = 0

    def stop(self) -> None:
        """Ask the job to end soon."""
        self._stop.set()

    def is_stopped(self) -> bool:
        """Tell whether the job is asked to end."""
        return self._stop.is_set()

    def check(self) -> None:
        """End the job here if it is asked to.

        Raises:
            JobFailedError: it is.
        """
        if self._stop.is_set():
            raise JobFailedError(FailureCode.CANCELLED, "the job was cancelled")

    def report(
        self,
        stage: Stage,
        *,
        done: int = 0,
        total: int = 0,
        loss_micronats: int | None = None,
        note: str = "",
    ) -> None:
        """Say how far the job is, and end it here if it is asked to end.

        Raises:
            JobFailedError: it is asked to end.
        """
        self.check()
        progress = Progress(
            stage=stage,
            done=done,
            total=total,
            loss_micronats=loss_micronats,
            note=note[:NOTE_LETTERS_MAX],
        )
        if self._is_news(progress):
            self._last, self._last_ms = progress, self._clock.monotonic_ms()
            self._send(progress)

    def _is_news(self, progress: Progress) -> bool:
        if self._last is None or progress.note or progress.stage is not self._last.stage:
            return True
        is_last_step = progress.done == progress.total > 0
        elapsed_ms = self._clock.monotonic_ms() - self._last_ms
        return is_last_step or elapsed_ms >= REPORT_INTERVAL_MS
