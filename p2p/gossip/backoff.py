"""Remember whom not to graft again, and until when."""

from typing import Final

from p2p.wire.peer_id import PeerId

PEERS_MAX: Final = 8_192
"""Bound on one topic's backoffs; they outlive connections, so a flood of ids could grow them."""


class Backoff:
    """The peers of one topic that were pruned lately, by either side."""

    __slots__ = ("_until_ms",)

    def __init__(self) -> None:
        self._until_ms: dict[PeerId, int] = {}

    def __len__(self) -> int:
        return len(self._until_ms)

    def add(self, peer_id: PeerId, *, until_ms: int) -> None:
        """Hold a peer off until a moment; a longer backoff stays."""
        known_ms = self._until_ms.get(peer_id)
        if known_ms is None and len(self._until_ms) >= PEERS_MAX:
            del self._until_ms[min(self._until_ms, key=self._until_ms.__getitem__)]
        self._until_ms[peer_id] = until_ms if known_ms is None else max(known_ms, until_ms)

    def until_ms(self, peer_id: PeerId) -> int:
        """Return until when a peer is held off; 0 if it is not."""
        return self._until_ms.get(peer_id, 0)

    def clear_past(self, before_ms: int) -> None:
        """Forget what ended before a moment."""
        self._until_ms = {
            peer_id: until_ms
            for peer_id, until_ms in self._until_ms.items()
            if until_ms >= before_ms
        }
