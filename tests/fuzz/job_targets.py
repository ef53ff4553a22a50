"""Fuzzed of the socket between node and worker: frames, and what each side says in them."""

from typing import Final

from fl.jobs.errors import FailureCode, MalformedFrameError
from fl.jobs.framing import FrameReader, to_frame
from fl.jobs.messages import (
    FROM_WORKER_CODEC,
    PROTOCOL_VERSION,
    TO_WORKER_CODEC,
    Alive,
    Cancel,
    Failed,
    FromWorker,
    Ready,
    Stop,
    ToWorker,
)
from primitives.errors import MalformedBytesError
from tests.fuzz.target import Target

_TO: Final[tuple[ToWorker, ...]] = (Cancel(1 << 40), Stop())
_FROM: Final[tuple[FromWorker, ...]] = (
    Ready(PROTOCOL_VERSION),
    Alive(1 << 30),
    Failed(number=7, reason=FailureCode.BAD_INPUT, cause="malformed_blob", message="rows"),
)
_SAID: Final = (*map(TO_WORKER_CODEC.encode, _TO), *map(FROM_WORKER_CODEC.encode, _FROM))


def _run_frames(raw: bytes) -> None:
    """Cut at another place, the stream gives the same messages."""
    whole, halves, middle = FrameReader(), FrameReader(), len(raw) // 2
    cut = [*halves.feed(raw[:middle]), *halves.feed(raw[middle:])]
    assert list(whole.feed(raw)) == cut


def _run_to(raw: bytes) -> None:
    assert TO_WORKER_CODEC.encode(TO_WORKER_CODEC.decode(raw)) == raw


def _run_from(raw: bytes) -> None:
    assert FROM_WORKER_CODEC.encode(FROM_WORKER_CODEC.decode(raw)) == raw


JOB_TARGETS: Final = (
    Target("job-frame", _run_frames, (MalformedFrameError,), tuple(map(to_frame, _SAID))),
    Target("to-worker", _run_to, (MalformedBytesError,), tuple(map(TO_WORKER_CODEC.encode, _TO))),
    Target(
        "from-worker",
        _run_from,
        (MalformedBytesError,),
        tuple(map(FROM_WORKER_CODEC.encode, _FROM)),
    ),
)
