"""The main loop of a worker: one thread works, one listens, one says that the worker is alive.

The listener is what makes a job that is busy in torch hear a cancellation, and what ends the
process the moment its client is gone: a worker never outlives its node, and since results are put
in place in one step, ending anywhere is harmless.
"""

import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from fl.jobs.errors import FailureCode, JobFailedError, MalformedFrameError
from fl.jobs.memory import resident_bytes
from fl.jobs.messages import (
    PROTOCOL_VERSION,
    REASON_LETTERS_MAX,
    Alive,
    Cancel,
    Failed,
    Finished,
    Progressed,
    Ready,
    Start,
    Stop,
)
from fl.jobs.progress import Progress
from fl.jobs.results import AnyResult
from fl.jobs.shortage import is_shortage
from fl.jobs.work import AnyJob
from fl.worker.channel import Channel
from fl.worker.desk import Desk
from primitives.clock import Clock
from primitives.errors import HanseError, LocalProtocolError, MalformedBytesError

EXIT_REFUSED: Final = 2
EXIT_ORPHANED: Final = 3
EXIT_DEVICE_LOST: Final = 4
PULSE_MS: Final = 1_000


class Craft(Protocol):
    """Whatever does jobs."""

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        """Do one job; an error of this project, or a lack of memory, fails the job alone."""
        ...


@dataclass(frozen=True, slots=True)
class _Order:
    number: int
    job: AnyJob
    desk: Desk


class WorkerLoop:
    """Answers one client, from `Ready` to its last word.

    Args:
        abandon: ends the process at once with a status, from any thread; it does not return.
        pulse_ms: between two signs of life.
    """

    def __init__(
        self,
        channel: Channel,
        craft: Craft,
        *,
        clock: Clock,
        abandon: Callable[[int], None],
        pulse_ms: int = PULSE_MS,
    ) -> None:
        self._channel = channel
        self._craft = craft
        self._clock = clock
        self._abandon = abandon
        self._pulse_ms = pulse_ms
        # One runs, and one may come before the client's cancellation of the first was answered.
        self._orders: queue.Queue[_Order | None] = queue.Queue(maxsize=2)
        self._desks: dict[int, Desk] = {}
        self._has_left = threading.Event()
        self._status = 0

    def run(self) -> int:
        """Do jobs until the client says stop, or the device is lost; return the exit status."""
        threads = [
            threading.Thread(target=self._listen, name="listener", daemon=True),
            threading.Thread(target=self._pulse, name="pulse", daemon=True),
        ]
        self._channel.send(Ready(PROTOCOL_VERSION))
        for thread in threads:
            thread.start()
        while self._status == 0 and (order := self._orders.get()) is not None:
            self._perform(order)
        self._has_left.set()
        return self._status

    def _perform(self, order: _Order) -> None:
        answer = self._outcome(order)
        del self._desks[order.number]
        try:
            self._channel.send(answer)
        except (LocalProtocolError, OverflowError, ValueError) as error:
            # No byte of it was sent, and a worker that ended here would be asked again.
            text = f"the answer does not fit into a message: {error}"
            self._channel.send(_failed(order.number, FailureCode.WORKER_BUG, text))

    def _outcome(self, order: _Order) -> Finished | Failed:
        try:
            order.desk.check()
            return Finished(order.number, self._craft.perform(order.job, order.desk))
        except Exception as error:  # noqa: BLE001 - the supervisor of a job: a bug costs one job
            if _is_device_lost(error):
                # Every later call of CUDA in this process would fail too; a fresh one can go on.
                self._status = EXIT_DEVICE_LOST
            return _failure(order.number, error)

    def _listen(self) -> None:
        """Take messages until the client says stop, is gone, or is not understood."""
        try:
            for message in self._channel.messages():
                match message:
                    case Start(number=number, job=job):
                        self._take(number, job)
                    case Cancel(number=number):
                        self._cancel(number)
                    case Stop():
                        self._orders.put(None)
                        return
        except (MalformedFrameError, MalformedBytesError) as error:
            self._refuse(str(error))
        except queue.Full:
            self._refuse("it sent a job too many")
        except Exception as error:  # noqa: BLE001 - a worker that hears no more outlives its node
            # Such as a MemoryError, where a job has left no memory for a message.
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self._abandon(EXIT_ORPHANED)

    def _refuse(self, why: str) -> None:
        sys.stderr.write(f"the client was not understood: {why}\n")
        sys.stderr.flush()
        self._abandon(EXIT_REFUSED)

    def _take(self, number: int, job: AnyJob) -> None:
        report = partial(self._report, number)
        self._desks[number] = desk = Desk(report, clock=self._clock)
        self._orders.put_nowait(_Order(number, job, desk))

    def _report(self, number: int, progress: Progress) -> None:
        self._channel.send(Progressed(number, progress))

    def _cancel(self, number: int) -> None:
        desk = self._desks.get(number)
        if desk is not None:
            desk.stop()

    def _pulse(self) -> None:
        while not self._has_left.wait(self._pulse_ms / 1_000):
            self._channel.send(Alive(resident_bytes()))


def _is_device_lost(error: BaseException) -> bool:
    """Tell whether an error, or what it was raised from, spoils CUDA for the whole process."""
    if isinstance(error, RuntimeError) and "CUDA error" in str(error):
        return not is_shortage(error)
    return error.__cause__ is not None and _is_device_lost(error.__cause__)


def _failure(number: int, error: Exception) -> Failed:
    if isinstance(error, JobFailedError):
        return _failed(number, error.reason, error, cause=error.cause)
    if isinstance(error, HanseError):
        reason = FailureCode.OUT_OF_MEMORY if is_shortage(error) else FailureCode.BAD_INPUT
        return _failed(number, reason, error, cause=error.code)
    if is_shortage(error):
        return _failed(number, FailureCode.OUT_OF_MEMORY, error)
    sys.stderr.write("".join(traceback.format_exception(error)))
    return _failed(number, FailureCode.WORKER_BUG, f"{type(error).__name__}: {error}")


def _failed(number: int, reason: FailureCode, error: Exception | str, *, cause: str = "") -> Failed:
    # A MemoryError of Python says nothing.
    text = str(error) or reason.value.replace("_", " ")
    # The name of a file may be bytes that are no text, which Python carries as lone surrogates.
    message = text.encode(errors="backslashreplace").decode()[:REASON_LETTERS_MAX]
    return Failed(number=number, reason=reason, cause=cause, message=message)
