"""Wait longer after each failed dial: 2, 4, 8 ... seconds, at most ten minutes. No I/O here."""

from typing import Final

from p2p.wire.peer_id import PeerId

BACKOFF_FIRST_MS: Final = 2_000
BACKOFF_MAX_MS: Final = 600_000
BACKOFFS_MAX: Final = 4_096
"""Bound on the peers remembered; the oldest failure makes room."""


class DialBackoff:
    """When each peer may be dialled again."""

    def __init__(self) -> None:
        self._failures: dict[PeerId, tuple[int, int]] = {}

    def failed(self, peer_id: PeerId, *, now_ms: int) -> int:
        """Note a failed dial; return for how many ms the peer is left alone."""
        count, _ = self._failures.pop(peer_id, (0, 0))
        if len(self._failures) >= BACKOFFS_MAX:
            del self._failures[next(iter(self._failures))]
        # Beyond 2**20 times the first wait the maximum has long been reached.
        delay_ms = min(BACKOFF_FIRST_MS << min(count, 20), BACKOFF_MAX_MS)
        self._failures[peer_id] = (count + 1, now_ms + delay_ms)
        return delay_ms

    def succeeded(self, peer_id: PeerId) -> None:
        """Forget the failures of a peer."""
        self._failures.pop(peer_id, None)

    def wait_ms(self, peer_id: PeerId, *, now_ms: int) -> int:
        """Return for how many ms the peer is still left alone, 0 for none."""
        _, until_ms = self._failures.get(peer_id, (0, 0))
        return max(0, until_ms - now_ms)
