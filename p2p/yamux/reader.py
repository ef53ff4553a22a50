"""Cut the bytes of a peer into frames, and hand bodies on as they arrive.

Data frames without flags are nearly all frames and take a short way: their head is the id of their
stream, and those that lie next to each other become one event. No body is ever collected: what is
kept between two chunks is an incomplete header.
"""

from typing import Protocol

from p2p.yamux.events import PayloadReceived, YamuxEvent
from p2p.yamux.frames import DATA, FIN, HEADER, HEADER_SIZE_BYTES, flags_of, kind_of
from p2p.yamux.streams import StreamState
from p2p.yamux.table import StreamTable


class FrameRules(Protocol):
    """Who decides what a frame means."""

    def take_header(self, head: int, length: int, events: list[YamuxEvent]) -> StreamState | None:
        """Act on a header; return the stream that gets the body, None to skip it.

        Raises:
            MuxerError: the frame breaks the protocol.
        """
        ...

    def end_reading(self, stream: StreamState, events: list[YamuxEvent]) -> None:
        """Act on a FIN whose body is complete."""
        ...


class FrameReader:
    """Where in the peer's byte stream we are.

    Attributes:
        bare_frames: how many frames without a body came.
    """

    __slots__ = (
        "_is_last",
        "_is_stopped",
        "_missing_bytes",
        "_receiver",
        "_rest",
        "_rules",
        "_streams",
        "_table",
        "bare_frames",
    )

    def __init__(self, table: StreamTable, rules: FrameRules) -> None:
        self._table = table
        self._streams = table.streams
        self._rules = rules
        self._is_stopped = False
        self.bare_frames = 0
        # Between two chunks: an incomplete header, or the rest of a body and whose it is.
        self._rest = b""
        self._missing_bytes = 0
        self._receiver: StreamState | None = None
        self._is_last = False

    def stop(self) -> None:
        """Ignore all bytes from here on."""
        self._is_stopped = True

    def missing_bytes(self, stream: StreamState) -> int:
        """Return how much of the body under way has not come, if it is this stream's."""
        return self._missing_bytes if self._receiver is stream else 0

    def receive(self, chunk: bytes, events: list[YamuxEvent]) -> None:
        """Take the next bytes and append what they mean."""
        offset = self._take_body(chunk, 0, events) if self._missing_bytes else 0
        if self._rest:
            chunk = self._rest + chunk
        end = len(chunk)
        while end - offset >= HEADER_SIZE_BYTES and not self._is_stopped:
            taken = self._take_run(chunk, offset, events)
            if taken > offset:
                offset = taken
                continue
            head, length = HEADER.unpack_from(chunk, offset)
            self._receiver = self._rules.take_header(head, length, events)
            if kind_of(head) != DATA or not length:
                self.bare_frames += 1
            if kind_of(head) == DATA:
                self._missing_bytes = length
                self._is_last = bool(flags_of(head) & FIN)
                offset = self._take_body(chunk, offset + HEADER_SIZE_BYTES, events)
            else:
                offset += HEADER_SIZE_BYTES
        self._rest = chunk[offset:]

    def _take_run(self, chunk: bytes, offset: int, events: list[YamuxEvent]) -> int:
        """Take adjacent whole data frames of one stream; return the offset behind them."""
        end = len(chunk)
        unpack = HEADER.unpack_from
        stream_id, length = unpack(chunk, offset)
        stream = self._streams.get(stream_id)
        start = offset + HEADER_SIZE_BYTES
        stop: int = start + length
        if (
            stream is None
            or stop > end
            or not 0 < length <= stream.credit_bytes
            or stream.is_read_over
        ):
            return offset
        credit_bytes = stream.credit_bytes - length
        view = memoryview(chunk)
        run: list[memoryview] = []
        while end - stop >= HEADER_SIZE_BYTES:
            head, length = unpack(chunk, stop)
            next_start = stop + HEADER_SIZE_BYTES
            next_stop = next_start + length
            if head != stream_id or next_stop > end or not 0 < length <= credit_bytes:
                break
            if not run:
                run.append(view[start:stop])
            run.append(view[next_start:next_stop])
            credit_bytes -= length
            stop = next_stop
        self._table.unread_bytes += stream.credit_bytes - credit_bytes
        stream.credit_bytes = credit_bytes
        payload = b"".join(run) if run else chunk[start:stop]
        events.append(PayloadReceived(stream_id, payload))
        return stop

    def _take_body(self, chunk: bytes, offset: int, events: list[YamuxEvent]) -> int:
        """Hand on what a chunk holds of the body under way; return the offset behind it."""
        end = min(len(chunk), offset + self._missing_bytes)
        self._missing_bytes -= end - offset
        receiver = self._receiver
        if receiver is None or receiver.is_read_over:
            return end
        if end > offset:
            events.append(PayloadReceived(receiver.stream_id, chunk[offset:end]))
        if self._is_last and not self._missing_bytes:
            self._rules.end_reading(receiver, events)
        return end
