"""The queue of batches: everybody gets the verdicts on what they asked, exactly once."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.signatures.batches import BatchQueue, Portion
from node.signatures.checking import ClaimChecker
from node.signatures.claims import HEAD, Answer, split_claims
from primitives.errors import MalformedBytesError
from tests.signatures.claiming import true_claim

BATCH_MAX = 4


class Asker:
    """Asks and notes what it is told."""

    def __init__(self, queue: BatchQueue) -> None:
        self.queue = queue
        self.told: dict[int, list[bool]] = {}
        self.asked = 0

    def ask(self, size: int) -> None:
        claims = [true_claim(self.asked * BATCH_MAX + place) for place in range(size)]
        self.queue.add(Portion(claims, partial(self.told.__setitem__, self.asked)))
        self.asked += 1


def answer(frame: bytes) -> Answer:
    number, _ = HEAD.unpack_from(frame)
    return Answer(number, ClaimChecker().check(split_claims(frame[HEAD.size :])))


def test_short_questions_share_a_batch_and_no_more_are_out_than_allowed() -> None:
    queue = BatchQueue(batch_max=BATCH_MAX, in_flight_max=2)
    asker = Asker(queue)
    for size in (2, 2, 1, 4, 3):
        asker.ask(size)
    first, second = queue.next_request(), queue.next_request()
    assert first is not None
    assert second is not None
    assert [HEAD.unpack_from(frame)[1] for frame in (first, second)] == [4, 1]
    assert queue.next_request() is None
    queue.settle(answer(first))
    assert asker.told == {0: [True, True], 1: [True, True]}
    assert queue.claims_waiting == 8
    third = queue.next_request()
    assert third is not None
    assert HEAD.unpack_from(third)[1] == 4


def test_answer_about_another_batch_or_of_another_size_is_refused() -> None:
    queue = BatchQueue(batch_max=BATCH_MAX)
    Asker(queue).ask(2)
    with pytest.raises(MalformedBytesError):
        queue.settle(Answer(1, []))
    frame = queue.next_request()
    assert frame is not None
    number, _ = HEAD.unpack_from(frame)
    for wrong in (Answer(number + 1, [True, True]), Answer(number, [True])):
        with pytest.raises(MalformedBytesError):
            queue.settle(wrong)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, BATCH_MAX) | st.sampled_from(["answer", "recall", "here"])))
def test_every_question_is_answered_once_whatever_happens_to_the_batches(
    steps: list[int | str],
) -> None:
    queue = BatchQueue(batch_max=BATCH_MAX)
    asker = Asker(queue)
    out: list[bytes] = []
    for step in [*steps, "recall"]:
        if isinstance(step, int):
            asker.ask(step)
        elif step == "answer" and out:
            queue.settle(answer(out.pop(0)))
        elif step == "recall":
            queue.recall()
            out.clear()
        elif step == "here" and (portion := queue.take()) is not None:
            queue.settle_portion(portion, ClaimChecker().check(portion.claims))
        while (frame := queue.next_request()) is not None:
            out.append(frame)
    while out:
        queue.settle(answer(out.pop(0)))
        while (frame := queue.next_request()) is not None:
            out.append(frame)
    assert sorted(asker.told) == list(range(asker.asked))
    assert all(all(verdicts) for verdicts in asker.told.values())
    assert queue.claims_waiting == 0
    assert not queue.has_waiting
    assert not queue.is_out
