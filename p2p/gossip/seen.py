"""Remember which messages were seen, for a bounded time in bounded memory.

Two generations: ids go into the younger one, and after `seen_ms` the older one is forgotten as a
whole, so an id is remembered between one and two spans and nothing is ever searched for age.
"""

from typing import Final

from p2p.wire.peer_id import PeerId

AUTHORS_MAX: Final = 4_096
"""Authors whose seqnos are remembered; beyond, the seen ids alone hold off replays."""

REJECTED: Final = -1


class SeenIds:
    """Message ids with the time of their arrival, or `REJECTED`."""

    __slots__ = (
        "_ids_max",
        "_older",
        "_rotated_ms",
        "_seen_ms",
        "_younger",
        "overflows",
        "rotations",
    )

    def __init__(self, *, seen_ms: int, ids_max: int) -> None:
        self._seen_ms = seen_ms
        self._ids_max = ids_max
        self._younger: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}
        self._rotated_ms: int | None = None
        self.overflows = 0
        self.rotations = 0

    def __contains__(self, message_id: bytes) -> bool:
        return message_id in self._younger or message_id in self._older

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def get(self, message_id: bytes) -> int | None:
        """Return when the message came, `REJECTED`, or None if it is new."""
        arrived_ms = self._younger.get(message_id)
        return self._older.get(message_id) if arrived_ms is None else arrived_ms

    def add(self, message_id: bytes, *, now_ms: int) -> bool:
        """Remember a new message; return whether the older generation made room for it."""
        self._younger[message_id] = now_ms
        if len(self._younger) < self._ids_max:
            return False
        self.overflows += 1
        self._rotate(now_ms)
        return True

    def reject(self, message_id: bytes) -> None:
        """Remember that a message is invalid: each further copy costs who sends it."""
        self._younger[message_id] = REJECTED

    def rotate_if_due(self, now_ms: int) -> bool:
        """Forget the older generation when its time is over; return whether it was."""
        if self._rotated_ms is None:
            self._rotated_ms = now_ms
        if now_ms - self._rotated_ms < self._seen_ms:
            return False
        self._rotate(now_ms)
        return True

    def _rotate(self, now_ms: int) -> None:
        self._older, self._younger = self._younger, {}
        self._rotated_ms = now_ms
        self.rotations += 1


class SeqnoFloors:
    """For each author the seqno below which every message is a replay.

    Others (go) refuse a seqno below the highest, and so lose what arrives out of order. A floor
    rises only to what the seen ids are about to forget, so between them nothing slips through and
    nothing is lost.
    """

    __slots__ = ("_floors", "_older", "_younger")

    def __init__(self) -> None:
        self._floors: dict[PeerId, int] = {}
        self._older: dict[PeerId, int] = {}
        self._younger: dict[PeerId, int] = {}

    def is_replay(self, author: PeerId, seqno: int) -> bool:
        """Tell whether the message is as old as those whose ids are forgotten."""
        floor = self._floors.get(author)
        return floor is not None and seqno <= floor

    def note(self, author: PeerId, seqno: int) -> None:
        """Remember a message that was seen."""
        younger = self._younger
        highest = younger.get(author)
        if highest is None:
            if len(younger) < AUTHORS_MAX:
                younger[author] = seqno
        elif seqno > highest:
            younger[author] = seqno

    def rotate(self) -> None:
        """Raise the floors; called together with the rotation of the seen ids."""
        for author, highest in self._older.items():
            # Back to the end: the authors that were silent longest make room.
            floor = max(self._floors.pop(author, 0), highest)
            self._floors[author] = floor
        surplus = len(self._floors) - AUTHORS_MAX
        for author in list(self._floors)[: max(0, surplus)]:
            del self._floors[author]
        self._older, self._younger = self._younger, {}
