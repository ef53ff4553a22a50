"""Keep the streams of one session, and count what they may cost: places, windows, unread bytes."""

from typing import Final

from p2p.yamux.limits import WINDOW_SIZE_BYTES, YamuxLimits
from p2p.yamux.streams import StreamState

ID_SPAN: Final = 512
"""How far the ids of the peer's openings may be out of order: go-yamux opens from many threads, and
at most 256 of its streams, whose ids are two apart, are unacknowledged."""


class StreamTable:
    """The open streams by id, and their sums.

    Attributes:
        streams: those that are open in at least one direction; for reading.
        unread_bytes: bytes that came, or that a header announced, and were not consumed.
        body_bytes_max: the largest body that any stream may ever have credit for.
    """

    __slots__ = (
        "_highest_id",
        "_inbound_count",
        "_limits",
        "_recent_ids",
        "_unacknowledged_count",
        "_windows_bytes",
        "body_bytes_max",
        "streams",
        "unread_bytes",
    )

    def __init__(self, limits: YamuxLimits) -> None:
        self.streams: dict[int, StreamState] = {}
        self.unread_bytes = 0
        self.body_bytes_max = max(limits.window_bytes_max, WINDOW_SIZE_BYTES)
        self._limits = limits
        self._inbound_count = 0
        self._highest_id = 0
        self._recent_ids: set[int] = set()
        self._unacknowledged_count = 0
        self._windows_bytes = 0

    @property
    def has_inbound_place(self) -> bool:
        """Tell whether the peer may open one more stream."""
        return self._inbound_count < self._limits.inbound_streams

    @property
    def unacknowledged_count(self) -> int:
        """How many of our streams the peer has not confirmed."""
        return self._unacknowledged_count

    def claim(self, stream_id: int) -> bool:
        """Take an id of the peer for a new stream; tell whether it can be one.

        An id is used once: otherwise what the application still reads of the old stream would be
        credited to the new one.
        """
        recent = self._recent_ids
        if stream_id > self._highest_id:
            self._highest_id = stream_id
            if len(recent) >= ID_SPAN:
                self._recent_ids = recent = {
                    known for known in recent if known > stream_id - ID_SPAN
                }
        elif stream_id <= self._highest_id - ID_SPAN or stream_id in recent:
            return False
        recent.add(stream_id)
        return True

    def add(self, stream_id: int, *, is_inbound: bool) -> StreamState:
        """Open a stream."""
        stream = StreamState(
            stream_id, is_inbound=is_inbound, window_bytes_max=self._limits.window_bytes_max
        )
        self.streams[stream_id] = stream
        self._windows_bytes += stream.window_bytes
        if is_inbound:
            self._inbound_count += 1
        else:
            self._unacknowledged_count += 1
        return stream

    def acknowledge(self, stream: StreamState) -> None:
        """Learn that the peer has confirmed a stream."""
        if not stream.is_acknowledged:
            stream.is_acknowledged = True
            self._unacknowledged_count -= 1

    def remove(self, stream: StreamState) -> None:
        """Close a stream in both directions; what it holds unread counts no more."""
        del self.streams[stream.stream_id]
        self.acknowledge(stream)
        self.unread_bytes -= stream.unread_bytes
        self._windows_bytes -= stream.window_bytes
        self._inbound_count -= stream.is_inbound
        stream.is_read_over = True

    def let_grow(self, stream: StreamState, size_bytes_max: int) -> None:
        """Let the window of a stream grow to a size of its own."""
        stream.window_bytes_max = size_bytes_max
        self.body_bytes_max = max(self.body_bytes_max, size_bytes_max)

    def grow(self, stream: StreamState) -> None:
        """Double the window of a stream, if the bounds leave room; it is owed the new half."""
        half_bytes = stream.window_bytes
        if (
            2 * half_bytes <= stream.window_bytes_max
            and self._windows_bytes + half_bytes <= self._limits.unread_bytes_max
        ):
            stream.window_bytes += half_bytes
            stream.owed_bytes += half_bytes
            self._windows_bytes += half_bytes

    def furthest_behind(self) -> StreamState:
        """Return the stream that holds most unread bytes; there is one."""
        return max(self.streams.values(), key=lambda stream: stream.unread_bytes)
