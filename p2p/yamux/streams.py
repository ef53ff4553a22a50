"""Keep the state of one stream: credit in both directions, and the bytes that wait to be sent.

For what we receive, `credit + unread + owed = window` holds: credit is what the peer may still
send, unread is what came and was not consumed, owed is what was consumed and not yet credited.
"""

from collections import deque

from p2p.yamux.limits import WINDOW_SIZE_BYTES


class StreamState:
    """One stream of a session; the session and its outbox are the only users.

    Attributes:
        is_inbound: the peer opened it.
        is_announced: our SYN is under way; always true of an inbound stream.
        is_acknowledged: the peer confirmed it; always true of an inbound stream.
        credit_bytes: what the peer may still send.
        owed_bytes: what was consumed and has not been credited.
        is_crediting: the frame that credits what is owed waits to be sent.
        window_bytes: what the peer may have sent without it being consumed.
        window_bytes_max: what the window may grow to.
        is_read_over: nothing more is delivered.
        send_credit_bytes: what we may still send.
        queued_bytes: what waits to be sent.
        is_closing: our FIN follows what is queued.
        is_write_over: nothing more is sent.
    """

    __slots__ = (
        "_chunks",
        "_taken_bytes",
        "credit_bytes",
        "is_acknowledged",
        "is_announced",
        "is_closing",
        "is_crediting",
        "is_inbound",
        "is_read_over",
        "is_write_over",
        "owed_bytes",
        "queued_bytes",
        "send_credit_bytes",
        "stream_id",
        "window_bytes",
        "window_bytes_max",
    )

    def __init__(self, stream_id: int, *, is_inbound: bool, window_bytes_max: int) -> None:
        self.stream_id = stream_id
        self.is_inbound = is_inbound
        self.is_announced = is_inbound
        self.is_acknowledged = is_inbound
        self.credit_bytes = WINDOW_SIZE_BYTES
        self.owed_bytes = 0
        self.is_crediting = False
        self.window_bytes = WINDOW_SIZE_BYTES
        self.window_bytes_max = window_bytes_max
        self.is_read_over = False
        self.send_credit_bytes = WINDOW_SIZE_BYTES
        self.queued_bytes = 0
        self.is_closing = False
        self.is_write_over = False
        self._chunks: deque[bytes] = deque()
        # How much of the first chunk was taken before.
        self._taken_bytes = 0

    @property
    def unread_bytes(self) -> int:
        """What came, or whose header came, and was not consumed."""
        return self.window_bytes - self.credit_bytes - self.owed_bytes

    @property
    def has_turn(self) -> bool:
        """Tell whether a frame of this stream could leave now."""
        if self.is_write_over or not self.is_announced:
            return False
        return self.send_credit_bytes > 0 if self.queued_bytes else self.is_closing

    def add_send_credit(self, size_bytes: int) -> bool:
        """Allow more to be sent; tell whether bytes were waiting for nothing else."""
        was_stuck = self.queued_bytes > 0 and self.send_credit_bytes == 0
        self.send_credit_bytes += size_bytes
        return was_stuck and size_bytes > 0

    def queue(self, payload: bytes) -> None:
        """Put bytes behind those that wait."""
        self._chunks.append(payload)
        self.queued_bytes += len(payload)

    def pop(self, size_bytes: int, parts: list[bytes | memoryview]) -> None:
        """Move so many of the waiting bytes to the end of a list, without copying them."""
        chunks = self._chunks
        self.queued_bytes -= size_bytes
        self.send_credit_bytes -= size_bytes
        while size_bytes:
            chunk = chunks[0]
            start = self._taken_bytes
            left_bytes = len(chunk) - start
            if left_bytes > size_bytes:
                parts.append(memoryview(chunk)[start : start + size_bytes])
                self._taken_bytes = start + size_bytes
                return
            parts.append(memoryview(chunk)[start:] if start else chunk)
            self._taken_bytes = 0
            chunks.popleft()
            size_bytes -= left_bytes

    def drop_queue(self) -> None:
        """Forget what waits, and send nothing any more."""
        self._chunks.clear()
        self._taken_bytes = 0
        self.queued_bytes = 0
        self.is_write_over = True
