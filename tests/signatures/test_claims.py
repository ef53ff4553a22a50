"""Frames: one encoding, cut anywhere, and nothing else is read."""

import pytest

from node.signatures.claims import (
    CLAIMS_MAX,
    HEAD,
    Answer,
    AnswerReader,
    check_sizes,
    encode_answer,
    encode_request,
    split_claims,
)
from primitives.errors import LocalProtocolError, MalformedBytesError
from tests.signatures.claiming import false_claim, true_claim


def test_request_holds_the_claims_in_order() -> None:
    claims = [true_claim(1), false_claim(2), true_claim(3)]
    frame = encode_request(7, claims)
    assert HEAD.unpack_from(frame) == (7, 3)
    assert split_claims(frame[HEAD.size :]) == claims


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_answers_are_read_however_they_are_cut(cut: int) -> None:
    stream = encode_answer(1, [True, False]) + encode_answer(2, []) + encode_answer(3, [True])
    reader = AnswerReader()
    answers = []
    for start in range(0, len(stream), cut):
        answers += reader.feed(stream[start : start + cut])
    assert answers == [Answer(1, [True, False]), Answer(2, []), Answer(3, [True])]


@pytest.mark.parametrize("frame", [HEAD.pack(1, CLAIMS_MAX + 1), HEAD.pack(1, 1) + b"\x02"])
def test_what_is_no_answer_is_refused(frame: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        AnswerReader().feed(frame)


@pytest.mark.parametrize("part", ["key", "digest", "signature"])
def test_claim_with_a_part_of_another_size_is_our_own_bug(part: str) -> None:
    check_sizes([true_claim()])
    with pytest.raises(LocalProtocolError):
        check_sizes([true_claim(), true_claim()._replace(**{part: bytes(33)})])
