"""Decide when a silent peer is asked whether it lives, and when it is given up.

Nothing here does I/O; a connection looks in once a second.
"""

from typing import Final

from p2p.errors import PeerTimeoutError
from p2p.limits import TimeLimits

_MS_PER_S: Final = 1_000
_PING_VALUES: Final = 2**32


class Vigil:
    """The signs of life of one peer.

    Attributes:
        heard_ms: when the last byte came.
    """

    __slots__ = ("_moved_bytes", "_moved_ms", "_peer", "_pinged_ms", "_pings", "_times", "heard_ms")

    def __init__(self, times: TimeLimits, *, peer: str, now_ms: int) -> None:
        self.heard_ms = now_ms
        self._times = times
        self._peer = peer
        self._pinged_ms: int | None = None
        self._pings = 0
        self._moved_ms = now_ms
        self._moved_bytes = 0

    def look(self, *, sent_bytes: int, is_writable: bool, now_ms: int) -> int | None:
        """Return the value of a ping that is due, if one is.

        Args:
            sent_bytes: what the channel took so far.
            is_writable: whether it would take more.
            now_ms: monotonic, as all times here.

        Raises:
            PeerTimeoutError: the peer says nothing, does not answer, or does not read.
        """
        times = self._times
        if is_writable or sent_bytes != self._moved_bytes:
            self._moved_bytes = sent_bytes
            self._moved_ms = now_ms
        idle_ms = now_ms - self.heard_ms
        pinged_ms = self._pinged_ms
        if pinged_ms is not None and now_ms - pinged_ms > times.pong_s * _MS_PER_S:
            raise PeerTimeoutError("no answer to a ping", peer=self._peer)
        if idle_ms > times.silence_s * _MS_PER_S:
            raise PeerTimeoutError("nothing came for too long", peer=self._peer)
        if now_ms - self._moved_ms > times.silence_s * _MS_PER_S:
            # It may well go on talking: what waits for it is ours to hold.
            raise PeerTimeoutError("it does not read", peer=self._peer)
        if pinged_ms is not None or idle_ms <= times.idle_ping_s * _MS_PER_S:
            return None
        self._pings = (self._pings + 1) % _PING_VALUES
        self._pinged_ms = now_ms
        return self._pings

    def ponged(self, *, now_ms: int) -> int | None:
        """Learn of the answer to a ping; return the round trip in ms."""
        pinged_ms, self._pinged_ms = self._pinged_ms, None
        return None if pinged_ms is None else now_ms - pinged_ms
