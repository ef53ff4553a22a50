"""What is asked about one signature, and the frames in which node and verifier speak of many.

A request is two big-endian 32-bit integers, the number of the batch and its size, then 128 bytes
for each claim; the answer repeats the two and has one byte for each claim. The verifier begins with
an answer to batch 0, which nobody sent. All sizes are fixed, so a frame costs the node one join and
the reader no more than its own bound.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from primitives.errors import LocalProtocolError, MalformedBytesError
from primitives.ids import DIGEST_SIZE_BYTES
from primitives.keys import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES

CLAIMS_MAX: Final = 1_024
"""The most claims of one frame: 128 KiB."""

CLAIM_SIZE_BYTES: Final = PUBLIC_KEY_SIZE_BYTES + DIGEST_SIZE_BYTES + SIGNATURE_SIZE_BYTES
HEAD: Final = struct.Struct(">II")
GREETING_NUMBER: Final = 0

_SIZES: Final = (PUBLIC_KEY_SIZE_BYTES, DIGEST_SIZE_BYTES, SIGNATURE_SIZE_BYTES)
_DIGEST_END: Final = PUBLIC_KEY_SIZE_BYTES + DIGEST_SIZE_BYTES


class SignatureClaim(NamedTuple):
    """Somebody claims that the key signed the digest.

    Args:
        key: 32 bytes as they came; whether they are a usable key is part of the question.
        digest: the tagged hash of what was signed; the tag says in which domain.
    """

    key: bytes
    digest: bytes
    signature: bytes


def check_sizes(claims: Iterable[SignatureClaim]) -> None:
    """Check that every part of the claims has its size, so that they may go into a frame.

    Raises:
        LocalProtocolError: one has another.
    """
    for claim in claims:
        sizes = len(claim.key), len(claim.digest), len(claim.signature)
        if sizes != _SIZES:
            raise LocalProtocolError(f"key, digest and signature of {sizes} bytes")


def encode_request(number: int, claims: Sequence[SignatureClaim]) -> bytes:
    """Return the frame that asks about claims whose sizes were checked, at most `CLAIMS_MAX`."""
    body = b"".join([part for claim in claims for part in claim])
    assert len(claims) <= CLAIMS_MAX, "the queue cuts batches"
    assert len(body) == len(claims) * CLAIM_SIZE_BYTES, "sizes were checked"
    return HEAD.pack(number, len(claims)) + body


def split_claims(body: bytes) -> list[SignatureClaim]:
    """Return the claims of a request whose head was cut off."""
    return [
        SignatureClaim(
            body[start : start + PUBLIC_KEY_SIZE_BYTES],
            body[start + PUBLIC_KEY_SIZE_BYTES : start + _DIGEST_END],
            body[start + _DIGEST_END : start + CLAIM_SIZE_BYTES],
        )
        for start in range(0, len(body), CLAIM_SIZE_BYTES)
    ]


def encode_answer(number: int, verdicts: Sequence[bool]) -> bytes:
    """Return the frame that answers a request."""
    return HEAD.pack(number, len(verdicts)) + bytes(verdicts)


class Answer(NamedTuple):
    """Whether each claim of a batch holds."""

    number: int
    verdicts: list[bool]


class AnswerReader:
    """Cuts what the verifier says into answers; never holds more than one at the limit."""

    def __init__(self) -> None:
        self._received = b""

    def feed(self, received: bytes) -> list[Answer]:
        """Return the answers that are complete with these bytes, in order.

        Raises:
            MalformedBytesError: it is no answer; nothing after it can be read.
        """
        self._received += received
        answers = []
        while (answer := self._next()) is not None:
            answers.append(answer)
        return answers

    def _next(self) -> Answer | None:
        if len(self._received) < HEAD.size:
            return None
        number, count = HEAD.unpack_from(self._received)
        if count > CLAIMS_MAX:
            raise MalformedBytesError(f"an answer about {count} claims, limit {CLAIMS_MAX}")
        end = HEAD.size + count
        if len(self._received) < end:
            return None
        body, self._received = self._received[HEAD.size : end], self._received[end:]
        if not set(body) <= {0, 1}:
            raise MalformedBytesError("a verdict is neither 0 nor 1")
        return Answer(number, [verdict == 1 for verdict in body])
