"""One worker process from its start to its death, as the node sees it.

A link ends in exactly one `Death`: of its own accord, or because the worker was silent, ate too
much, or sent what is no message. It is then dead for good; the client makes another. Whatever the
worker does, a link costs the node a bounded amount of memory and no wait that has no end.
"""

import asyncio
import signal
from typing import Final

import structlog

from fl.jobs.errors import FailureCode, MalformedFrameError
from fl.jobs.framing import CHUNK_SIZE_BYTES, FrameReader, to_frame
from fl.jobs.launch import Child, WorkerCommand
from fl.jobs.memory import private_bytes_of
from fl.jobs.messages import (
    FROM_WORKER_CODEC,
    PROTOCOL_VERSION,
    TO_WORKER_CODEC,
    Alive,
    Cancel,
    Failed,
    Finished,
    FromWorker,
    Progressed,
    Ready,
    Start,
    Stop,
    ToWorker,
)
from fl.jobs.patience import Patience
from fl.jobs.ticket import Death, Ticket
from fl.jobs.work import AnyJob
from primitives.clock import Clock
from primitives.errors import MalformedBytesError

PRINTED_BYTES_KEPT: Final = 8_192
LAST_WORDS_LETTERS_MAX: Final = 300

_FATAL: Final = "Fatal Python error:"

_log: Final = structlog.get_logger("fl.jobs.link")


class _DeathError(Exception):
    """Carries the end of a link out of its parts."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.message)
        self.death = death


class Link:
    """Runs one worker; `run` is started once, by the owner of the link."""

    def __init__(self, command: WorkerCommand, *, clock: Clock, patience: Patience) -> None:
        self._command = command
        self._clock = clock
        self._patience = patience
        self._child: Child | None = None
        self._ticket: Ticket | None = None
        self._death: Death | None = None
        self._settled = asyncio.Event()
        self._is_ready = False
        self._heard_ms = clock.monotonic_ms()
        self._printed = b""

    @property
    def death(self) -> Death | None:
        """Why the worker is no more; None while it lives."""
        return self._death

    @property
    def is_ready(self) -> bool:
        """Tell whether the worker has said that it listens."""
        return self._is_ready

    @property
    def pid(self) -> int | None:
        """The number of the process, for whoever watches it; None before it has one."""
        return None if self._child is None else self._child.running.pid

    async def run(self) -> None:
        """Start the worker and follow it until it is dead and buried."""
        try:
            self._child = child = await Child.start(self._command)
        except OSError as error:
            self._end(Death(FailureCode.WORKER_NOT_STARTED, f"cannot start a worker: {error}"))
            return
        _log.info("worker started", pid=child.running.pid, module=self._command.module)
        death = Death(FailureCode.WORKER_DIED, "the worker was closed")
        try:
            death = await self._follow(child)
        finally:
            child.kill()
            self._end(death)
            await child.buried()
            _log.info("worker ended", pid=child.running.pid, reason=self._death_words())

    async def ready(self) -> None:
        """Wait until the worker listens, or is dead."""
        await self._settled.wait()

    def begin(self, number: int, job: AnyJob) -> Ticket:
        """Hand the idle worker a job."""
        assert self._ticket is None or self._ticket.is_settled
        ticket = Ticket(number, job)
        if self._death is not None:
            ticket.settle(self._death)
        else:
            self._say(Start(number, job))
            self._ticket = ticket
        return ticket

    async def give_up(self, ticket: Ticket) -> None:
        """Have the job stopped; a worker that does not obey in time is killed."""
        if ticket.is_settled:
            return
        try:
            self._say(Cancel(ticket.number))
            async with asyncio.timeout(self._patience.cancel_ms / 1_000):
                await ticket.settled()
        except TimeoutError:
            pass
        finally:
            if not ticket.is_settled:
                self.kill("the worker was killed: it did not stop its job when it was asked to")

    def ask_to_leave(self) -> None:
        """Tell the worker to end when it is idle."""
        self._say(Stop())

    def kill(self, why: str) -> None:
        """End the worker at once; `run` then returns."""
        self._end(Death(FailureCode.WORKER_DIED, why))
        if self._child is not None:
            self._child.kill()

    def _say(self, message: ToWorker) -> None:
        # Nothing waits for room: a worker gets one message per job and one to cancel it, and it is
        # not given another job before it has answered.
        if self._child is not None and self._death is None:
            self._child.writer.write(to_frame(TO_WORKER_CODEC.encode(message)))

    def _end(self, death: Death) -> None:
        """Say that the worker is dead, of the first cause that was found."""
        if self._death is None:
            self._death = death
        self._settled.set()
        if self._ticket is not None:
            self._ticket.settle(death)

    def _death_words(self) -> str:
        return "" if self._death is None else self._death.message

    async def _follow(self, child: Child) -> Death:
        self._heard_ms = self._clock.monotonic_ms()
        deaths: list[Death] = []
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._keep_last_words(child), name="what the worker prints")
                parts.create_task(self._read(child), name="what the worker says")
                parts.create_task(self._watch(child), name="what the worker takes")
        except* _DeathError as group:
            deaths += [error.death for error in group.exceptions if isinstance(error, _DeathError)]
        return deaths[0]

    async def _read(self, child: Child) -> None:
        """Take messages until there are no more."""
        frames = FrameReader()
        while received := await self._receive(child):
            self._heard_ms = self._clock.monotonic_ms()
            try:
                for raw in frames.feed(received):
                    self._take(FROM_WORKER_CODEC.decode(raw))
            except (MalformedFrameError, MalformedBytesError) as error:
                raise _garbled(str(error)) from error
        raise _DeathError(await self._describe_end(child))

    async def _receive(self, child: Child) -> bytes:
        try:
            return await child.reader.read(CHUNK_SIZE_BYTES)
        except ConnectionError:
            # A process that is killed with unread messages resets its stream instead of ending it.
            return b""

    def _take(self, message: FromWorker) -> None:
        match message:
            case Ready(version=version):
                if version != PROTOCOL_VERSION:
                    raise _garbled(f"it speaks version {version}, not {PROTOCOL_VERSION}")
                self._is_ready = True
                self._settled.set()
            case Alive():
                pass
            case Progressed(number=number, progress=progress):
                self._running(number).report(progress)
            case Finished(number=number, result=result):
                ticket = self._running(number)
                if not ticket.fits(result):
                    raise _garbled(f"{type(result).__name__} answers another kind of job")
                ticket.settle(message)
            case Failed(number=number):
                self._running(number).settle(message)

    def _running(self, number: int) -> Ticket:
        if self._ticket is None or self._ticket.is_settled or self._ticket.number != number:
            raise _garbled(f"it speaks of job {number}, which does not run")
        return self._ticket

    async def _keep_last_words(self, child: Child) -> None:
        printed = child.running.stdout
        assert printed is not None
        while text := await printed.read(CHUNK_SIZE_BYTES):
            self._printed = (self._printed + text)[-PRINTED_BYTES_KEPT:]

    async def _watch(self, child: Child) -> None:
        patience = self._patience
        while True:
            await asyncio.sleep(patience.look_ms / 1_000)
            silent_ms = self._clock.monotonic_ms() - self._heard_ms
            if not self._is_ready and silent_ms > patience.start_ms:
                text = f"the worker was not ready within {patience.start_ms} ms"
                raise _DeathError(Death(FailureCode.WORKER_NOT_STARTED, text))
            if self._is_ready and silent_ms > patience.silence_ms:
                text = f"the worker was silent for {silent_ms} ms"
                raise _DeathError(Death(FailureCode.WORKER_SILENT, text))
            memory_bytes = private_bytes_of(child.running.pid) or 0
            if memory_bytes > self._command.memory_bytes_max:
                limit = self._command.memory_bytes_max
                text = f"the worker took {memory_bytes} bytes of memory, over its limit of {limit}"
                raise _DeathError(Death(FailureCode.OUT_OF_MEMORY, text))

    async def _describe_end(self, child: Child) -> Death:
        """Say how the worker ended, now that its stream has."""
        try:
            async with asyncio.timeout(self._patience.stop_ms / 1_000):
                status = await child.running.wait()
                # What it printed last is still on its way.
                await asyncio.sleep(0)
        except TimeoutError:
            return Death(FailureCode.WORKER_DIED, "the worker closed its stream and lived on")
        text = f"the worker {_worded(status)}{self._last_words()}"
        if not self._is_ready:
            return Death(FailureCode.WORKER_NOT_STARTED, f"{text}, before it was ready")
        return Death(FailureCode.WORKER_DIED, text)

    def _last_words(self) -> str:
        printed = self._printed.decode(errors="replace")
        lines = [line.strip() for line in printed.split("\n") if line.strip()]
        # What Python adds to a fatal error is its trace, thread by thread, and a list of modules.
        ends = [at for at, line in enumerate(lines) if line.startswith(_FATAL)]
        told = lines[max(0, ends[-1] - 1) : ends[-1] + 1] if ends else lines[-1:]
        last = "; ".join(told)[:LAST_WORDS_LETTERS_MAX]
        return f' with the words "{last}"' if last else ""


def _garbled(what: str) -> _DeathError:
    return _DeathError(Death(FailureCode.WORKER_GARBLED, f"the worker was not understood: {what}"))


def _worded(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
