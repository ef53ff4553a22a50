"""The messages of node and worker: one encoding each, and nothing else decodes."""

import pytest

from fl.jobs.errors import FailureCode
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
from fl.jobs.results import InspectResult
from primitives.errors import MalformedBytesError
from tests.jobs.orders import facts_of, order

TO_WORKER: list[ToWorker] = [Start(1, order("echo")), Cancel(1), Stop()]
FROM_WORKER: list[FromWorker] = [
    Ready(PROTOCOL_VERSION),
    Alive(1 << 40),
    Progressed(1, Progress(stage=Stage.TRAINING, done=3, total=9, loss_micronats=-1)),
    Finished(1, InspectResult(facts=(facts_of(7),))),
    Failed(number=1, reason=FailureCode.BAD_INPUT, cause="malformed_blob", message="blob size"),
]


@pytest.mark.parametrize("message", TO_WORKER)
def test_what_a_client_says_survives_the_way(message: ToWorker) -> None:
    assert TO_WORKER_CODEC.decode(TO_WORKER_CODEC.encode(message)) == message


@pytest.mark.parametrize("message", FROM_WORKER)
def test_what_a_worker_says_survives_the_way(message: FromWorker) -> None:
    assert FROM_WORKER_CODEC.decode(FROM_WORKER_CODEC.encode(message)) == message


def test_each_side_refuses_what_only_it_may_say() -> None:
    with pytest.raises(MalformedBytesError):
        FROM_WORKER_CODEC.decode(TO_WORKER_CODEC.encode(Stop()))
    with pytest.raises(MalformedBytesError):
        TO_WORKER_CODEC.decode(FROM_WORKER_CODEC.encode(Ready(PROTOCOL_VERSION)))


def test_message_with_a_wider_number_than_it_needs_is_refused() -> None:
    assert TO_WORKER_CODEC.encode(Cancel(1)) == b"\x92\x02\x01"
    with pytest.raises(MalformedBytesError, match="canonical"):
        TO_WORKER_CODEC.decode(b"\x92\x02\xcc\x01")


def test_reason_longer_than_its_bound_is_refused() -> None:
    long = "x" * (REASON_LETTERS_MAX + 1)
    failed = Failed(number=1, reason=FailureCode.WORKER_BUG, cause="", message=long)
    with pytest.raises(MalformedBytesError, match="length"):
        FROM_WORKER_CODEC.decode(FROM_WORKER_CODEC.encode(failed))


def test_codes_of_failures_are_stable() -> None:
    assert [code.value for code in FailureCode] == [
        *("bad_input", "cancelled", "deadline", "out_of_memory", "no_torch", "no_device"),
        *("worker_bug", "worker_died", "worker_silent", "worker_not_started", "worker_garbled"),
        "busy",
    ]
