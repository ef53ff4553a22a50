"""The main loop of a worker, driven over a socket pair in this process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from fl.jobs.errors import FailureCode, JobFailedError
from fl.jobs.framing import CHUNK_SIZE_BYTES, FRAME_SIZE_BYTES_MAX, FrameReader, to_frame
from fl.jobs.messages import (
    FROM_WORKER_CODEC,
    PROTOCOL_VERSION,
    REASON_LETTERS_MAX,
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
from fl.jobs.progress import Progress, Stage
from fl.jobs.results import AnyResult, BlobFacts, InspectResult
from fl.jobs.work import AnyJob
from fl.training.scoring.errors import UnscorableModelError
from fl.worker.channel import Channel
from fl.worker.desk import REPORT_INTERVAL_MS, Desk
from fl.worker.loop import EXIT_DEVICE_LOST, EXIT_ORPHANED, EXIT_REFUSED, PULSE_MS, WorkerLoop
from fl.worker.machine import MachineClock
from primitives.errors import MalformedBytesError
from tests.jobs.orders import order

RESULT = InspectResult(facts=())


@dataclass
class Hands:
    """A craft that does whatever the test says."""

    work: Callable[[Desk], object]

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        made = self.work(desk)
        return made if isinstance(made, InspectResult) else RESULT


@dataclass
class Client:
    """The test's end of the talk, and how the worker ended."""

    talk: socket.socket
    left: threading.Event = field(default_factory=threading.Event)
    statuses: list[int] = field(default_factory=list)
    frames: FrameReader = field(default_factory=FrameReader)
    unread: list[bytes] = field(default_factory=list)

    def say(self, *messages: ToWorker) -> None:
        self.talk.sendall(b"".join(to_frame(TO_WORKER_CODEC.encode(one)) for one in messages))

    def hear(self) -> FromWorker:
        """Return the next message that says more than that the worker is alive."""
        while True:
            while not self.unread:
                self.unread += self.frames.feed(self.talk.recv(1 << 16))
            message = FROM_WORKER_CODEC.decode(self.unread.pop(0))
            if not isinstance(message, Alive):
                return message

    def end(self, status: int) -> None:
        self.statuses.append(status)
        self.left.set()

    def status(self) -> int:
        assert self.left.wait(10)
        return self.statuses[0]


@contextmanager
def worker_with(work: Callable[[Desk], object], *, pulse_ms: int = PULSE_MS) -> Iterator[Client]:
    """Run a worker in a thread, and let it leave at the end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = Client(ours)
        worker = WorkerLoop(
            Channel(theirs),
            Hands(work),
            clock=MachineClock(),
            abandon=client.end,
            pulse_ms=pulse_ms,
        )
        thread = threading.Thread(target=lambda: client.end(worker.run()), daemon=True)
        thread.start()
        assert client.hear() == Ready(PROTOCOL_VERSION)
        yield client
        if not client.left.is_set():
            client.say(Stop())
            assert client.status() == 0


def _until_stopped(desk: Desk) -> None:
    while True:
        desk.report(Stage.TRAINING)


def _raise(error: BaseException) -> None:
    raise error


def test_jobs_are_answered_one_after_another() -> None:
    with worker_with(lambda _: None) as client:
        client.say(Start(1, order("a")))
        assert client.hear() == Finished(1, RESULT)
        client.say(Start(2, order("b")))
        assert client.hear() == Finished(2, RESULT)


def test_cancellation_is_heard_in_the_middle_of_a_job() -> None:
    with worker_with(_until_stopped) as client:
        client.say(Start(1, order("a")))
        assert isinstance(client.hear(), Progressed)
        client.say(Cancel(1))
        while isinstance(answer := client.hear(), Progressed):
            pass
        assert isinstance(answer, Failed)
        assert answer.reason is FailureCode.CANCELLED


def test_cancellation_that_comes_with_its_job_is_not_lost() -> None:
    with worker_with(_until_stopped) as client:
        client.say(Start(1, order("a")), Cancel(1), Cancel(99))
        while isinstance(answer := client.hear(), Progressed):
            pass
        assert isinstance(answer, Failed)
        assert answer.number == 1


@pytest.mark.parametrize(
    ("error", "reason", "cause"),
    [
        (JobFailedError(FailureCode.NO_TORCH, "none"), FailureCode.NO_TORCH, ""),
        (MalformedBytesError("bad"), FailureCode.BAD_INPUT, "malformed_bytes"),
        (MemoryError(), FailureCode.OUT_OF_MEMORY, ""),
        (RuntimeError("CUDA out of memory. Tried"), FailureCode.OUT_OF_MEMORY, ""),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), FailureCode.OUT_OF_MEMORY, ""),
        (ValueError("no CUDA error"), FailureCode.WORKER_BUG, ""),
        (RuntimeError("x: can't allocate memory: y"), FailureCode.OUT_OF_MEMORY, ""),
        (RuntimeError("shape mismatch"), FailureCode.WORKER_BUG, ""),
        (ValueError("x" * 10_000), FailureCode.WORKER_BUG, ""),
        (MalformedBytesError("\udcff.jsonl"), FailureCode.BAD_INPUT, "malformed_bytes"),
    ],
)
def test_error_of_a_job_is_told_by_its_reason_and_the_next_job_is_done(
    error: Exception, reason: FailureCode, cause: str
) -> None:
    errors = [error]
    with worker_with(lambda _: _raise(errors.pop()) if errors else None) as client:
        client.say(Start(1, order("a")))
        answer = client.hear()
        assert isinstance(answer, Failed)
        assert (answer.reason, answer.cause) == (reason, cause)
        assert len(answer.message) <= REASON_LETTERS_MAX
        client.say(Start(2, order("b")))
        assert client.hear() == Finished(2, RESULT)


def _unscorable_for(error: Exception) -> None:
    raise UnscorableModelError("not side by side") from error


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (_raise, FailureCode.WORKER_BUG),
        (_unscorable_for, FailureCode.BAD_INPUT),
    ],
)
def test_worker_that_lost_its_device_answers_and_ends(
    work: Callable[[Exception], None], reason: FailureCode
) -> None:
    lost = RuntimeError("CUDA error: device-side assert triggered")
    with worker_with(lambda _: work(lost)) as client:
        client.say(Start(1, order("a")), Start(2, order("b")))
        answer = client.hear()
        assert isinstance(answer, Failed)
        assert (answer.number, answer.reason) == (1, reason)
        assert client.status() == EXIT_DEVICE_LOST


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="no frame"),
        pytest.param(to_frame(b"\x93\x01\x02\x03"), id="no message"),
        pytest.param(
            b"\xc6\xff\xff\xff\xff" + bytes(FRAME_SIZE_BYTES_MAX + 2 * CHUNK_SIZE_BYTES),
            id="oversized",
        ),
    ],
)
def test_client_that_is_not_understood_ends_the_worker(
    rubbish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with worker_with(lambda _: None) as client:
        client.talk.sendall(rubbish)
        assert client.status() == EXIT_REFUSED
    assert "the client was not understood" in capsys.readouterr().err


def test_third_job_at_once_ends_the_worker() -> None:
    with worker_with(lambda desk: threading.Event().wait(0.2)) as client:
        client.say(*(Start(number, order("a")) for number in range(4)))
        assert client.status() == EXIT_REFUSED


def test_client_that_is_gone_ends_the_worker_in_the_middle_of_a_job() -> None:
    with worker_with(lambda _: threading.Event().wait(0.5)) as client:
        client.say(Start(1, order("a")))
        client.talk.shutdown(socket.SHUT_RDWR)
        assert client.status() == EXIT_ORPHANED


def test_worker_says_that_it_is_alive_while_it_works() -> None:
    with worker_with(lambda _: threading.Event().wait(0.2), pulse_ms=5) as client:
        client.say(Start(1, order("a")))
        (raw, *_) = client.frames.feed(client.talk.recv(1 << 16))
        alive = FROM_WORKER_CODEC.decode(raw)
        assert isinstance(alive, Alive)
        assert alive.memory_bytes > 1 << 20
        while not isinstance(client.hear(), Finished):
            pass


class _HandClock:
    def __init__(self) -> None:
        self.now_ms = 0

    def monotonic_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms


def test_reports_are_thinned_but_stages_notes_and_last_steps_pass() -> None:
    heard: list[Progress] = []
    clock = _HandClock()
    desk = Desk(heard.append, clock=clock)
    for step in range(1, 1_001):
        desk.report(Stage.TRAINING, done=step, total=1_000)
    clock.now_ms += REPORT_INTERVAL_MS
    desk.report(Stage.TRAINING, done=5, total=1_000)
    desk.report(Stage.TRAINING, done=6, total=1_000, note="n" * 1_000)
    desk.report(Stage.WRITING)
    assert [(one.stage, one.done, len(one.note)) for one in heard] == [
        (Stage.TRAINING, 1, 0),
        (Stage.TRAINING, 1_000, 0),
        (Stage.TRAINING, 5, 0),
        (Stage.TRAINING, 6, 200),
        (Stage.WRITING, 0, 0),
    ]


def test_answer_that_fits_into_no_message_costs_its_job_alone() -> None:
    fault = BlobFacts(verdict=0, original=0, cluster=0, norm=0, fault="x" * 300)
    results = [InspectResult(facts=(fault,) * 5_000)]
    with worker_with(lambda _: results.pop() if results else None) as client:
        client.say(Start(1, order("a")))
        answer = client.hear()
        assert isinstance(answer, Failed)
        assert answer.reason is FailureCode.WORKER_BUG
        assert "does not fit" in answer.message
        client.say(Start(2, order("b")))
        assert client.hear() == Finished(2, RESULT)


class _StarvedSocket(socket.socket):
    """A socket of a process that has no memory for what it receives."""

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        raise MemoryError


def test_worker_that_cannot_listen_any_more_ends(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair()
    starved = _StarvedSocket(fileno=theirs.detach())
    with ours, starved:
        client = Client(ours)
        loop = WorkerLoop(
            Channel(starved), Hands(lambda _: None), clock=MachineClock(), abandon=client.end
        )
        threading.Thread(target=loop.run, daemon=True).start()
        assert client.status() == EXIT_REFUSED
    assert "MemoryError" in capsys.readouterr().err
