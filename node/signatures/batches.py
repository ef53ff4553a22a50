"""Gather what is asked into batches, and hand each asker its part of the answers.

Sans-I/O. A question that is longer than a batch is cut; short ones share a batch. The order of
questions is that of the batches, and whatever was in a batch that got no answer comes first again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from node.signatures.claims import Answer, SignatureClaim, encode_request
from primitives.errors import MalformedBytesError

Settle = Callable[[list[bool]], None]
"""Takes the verdicts on the claims of a portion."""

_NUMBER_MAX: Final = (1 << 32) - 1


class Portion:
    """Claims of one asker that fit one batch."""

    __slots__ = ("claims", "settle")

    def __init__(self, claims: Sequence[SignatureClaim], settle: Settle) -> None:
        self.claims = claims
        self.settle = settle


class BatchQueue:
    """The questions that wait, and the batches without an answer yet.

    Args:
        batch_max: claims of one batch.
        in_flight_max: batches that are out at a time; with two the other side never waits for us.
    """

    def __init__(self, *, batch_max: int, in_flight_max: int = 2) -> None:
        self._batch_max = batch_max
        self._in_flight_max = in_flight_max
        self._waiting: deque[Portion] = deque()
        self._in_flight: deque[tuple[int, list[Portion]]] = deque()
        self._number = 0
        self.claims_waiting = 0
        """Claims that were asked about and have no verdict yet."""

    @property
    def has_waiting(self) -> bool:
        """Tell whether a portion is in no batch yet."""
        return bool(self._waiting)

    @property
    def is_out(self) -> bool:
        """Tell whether an answer is expected."""
        return bool(self._in_flight)

    def add(self, portion: Portion) -> None:
        """Append a portion."""
        assert len(portion.claims) <= self._batch_max, "the asker cuts"
        self._waiting.append(portion)
        self.claims_waiting += len(portion.claims)

    def next_request(self) -> bytes | None:
        """Return the frame of the next batch, None if there is none or enough are out."""
        if not self._waiting or len(self._in_flight) >= self._in_flight_max:
            return None
        portions: list[Portion] = []
        claims: list[SignatureClaim] = []
        while self._waiting and len(claims) + len(self._waiting[0].claims) <= self._batch_max:
            portion = self._waiting.popleft()
            portions.append(portion)
            claims += portion.claims
        self._number = self._number % _NUMBER_MAX + 1
        self._in_flight.append((self._number, portions))
        return encode_request(self._number, claims)

    def settle(self, answer: Answer) -> None:
        """Hand the verdicts of the oldest batch to its askers.

        Raises:
            MalformedBytesError: the answer is not about that batch.
        """
        number, portions = self._in_flight[0] if self._in_flight else (None, [])
        size = sum(len(portion.claims) for portion in portions)
        if answer.number != number or len(answer.verdicts) != size:
            raise MalformedBytesError(f"an answer about batch {answer.number}, expected {number}")
        self._in_flight.popleft()
        start = 0
        for portion in portions:
            end = start + len(portion.claims)
            self.settle_portion(portion, answer.verdicts[start:end])
            start = end

    def settle_portion(self, portion: Portion, verdicts: list[bool]) -> None:
        """Hand an asker its verdicts."""
        self.claims_waiting -= len(portion.claims)
        portion.settle(verdicts)

    def take(self) -> Portion | None:
        """Return the first portion that waits, for somebody else to check."""
        return self._waiting.popleft() if self._waiting else None

    def recall(self) -> None:
        """Put what is out back to the front: no answer will come."""
        while self._in_flight:
            _, portions = self._in_flight.pop()
            self._waiting.extendleft(reversed(portions))
