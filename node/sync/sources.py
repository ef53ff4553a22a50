"""Whom to ask next: who answers well, not always the same, and who failed only when need be."""

from collections.abc import Iterable
from typing import Final

from p2p.wire.peer_id import PeerId

REMEMBERED_MAX: Final = 256
NOISE_MS: Final = 50
"""Peers whose answers differ by less take turns, or one of them would carry all of us."""
RESTS_DOUBLED_MAX: Final = 5
"""A peer that goes on to fail rests twice as long each time, up to 2 ** 5 times."""


class _Record:
    """What we know of one peer."""

    __slots__ = ("asked_count", "failures", "rests_until_ms", "took_ms", "turn")

    def __init__(self) -> None:
        self.asked_count = 0
        self.failures = 0
        self.rests_until_ms = 0
        self.took_ms = 0
        self.turn = 0


class Sources:
    """What answers of peers were worth.

    Args:
        rest_ms: for which a peer that failed is asked only if there is no other.
    """

    def __init__(self, *, rest_ms: int) -> None:
        self._rest_ms = rest_ms
        self._records: dict[PeerId, _Record] = {}
        self._turns = 0

    def ranked(self, peers: Iterable[PeerId], *, now_ms: int) -> list[PeerId]:
        """Return peers, the best first: rested, idle, quick, and not asked for the longest."""
        known = [(self._records.get(peer) or _Record(), peer) for peer in peers]
        known.sort(
            key=lambda entry: (
                max(0, entry[0].rests_until_ms - now_ms),
                entry[0].asked_count,
                entry[0].took_ms // NOISE_MS,
                entry[0].turn,
                entry[1],
            )
        )
        return [peer for _, peer in known]

    def asked(self, peer: PeerId) -> None:
        """Note a question that is under way."""
        record = self._of(peer)
        record.asked_count += 1
        self._turns += 1
        record.turn = self._turns

    def done(self, peer: PeerId) -> None:
        """Note that a question is no longer under way, however it ended."""
        record = self._records.get(peer)
        if record is not None:
            record.asked_count = max(0, record.asked_count - 1)

    def answered(self, peer: PeerId, *, took_ms: int) -> None:
        """Note a right answer."""
        record = self._of(peer)
        record.failures = 0
        record.rests_until_ms = 0
        # A moving average, so that one slow answer is not held against a peer for long.
        record.took_ms = took_ms if not record.took_ms else (3 * record.took_ms + took_ms) // 4

    def failed(self, peer: PeerId, *, now_ms: int) -> None:
        """Note an answer that did not come, was wrong, or was of no use."""
        record = self._of(peer)
        record.rests_until_ms = now_ms + (self._rest_ms << min(record.failures, RESTS_DOUBLED_MAX))
        record.failures += 1

    def lacked(self, peer: PeerId, *, now_ms: int) -> None:
        """Note that a peer did not have what it was asked for, which is no fault."""
        record = self._of(peer)
        record.rests_until_ms = max(record.rests_until_ms, now_ms + self._rest_ms // 10)

    def _of(self, peer: PeerId) -> _Record:
        """Return what is known of a peer; of too many, one that is not being asked is forgotten."""
        if peer not in self._records and len(self._records) >= REMEMBERED_MAX:
            idle = (known for known, record in self._records.items() if not record.asked_count)
            del self._records[next(idle, next(iter(self._records)))]
        return self._records.setdefault(peer, _Record())
