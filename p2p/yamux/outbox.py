"""Order what a session sends: answers first, then credit, then streams in turn, the goodbye last.

Frames of one stream stay in order, because its opening is a control frame and its end takes the
stream's own turn. js-libp2p closes at once when it reads a goodbye, so that waits for the rest.
"""

from collections import OrderedDict
from typing import Final

from p2p.yamux.frames import DATA, FIN, HEADER_SIZE_BYTES, WINDOW_UPDATE, encode_header
from p2p.yamux.limits import BODY_SIZE_BYTES_MAX
from p2p.yamux.streams import StreamState

SLIVER_SIZE_BYTES: Final = 4_096
"""A frame is not cut to fill less room than this; the next message has room for it."""


class Outbox:
    """What waits to be sent; bounded by the streams and by what the session lets it answer."""

    __slots__ = ("_control", "_credits", "_ended", "_goodbye", "_ready")

    def __init__(self) -> None:
        self._control = bytearray()
        self._credits: OrderedDict[int, StreamState] = OrderedDict()
        self._ready: OrderedDict[int, StreamState] = OrderedDict()
        self._ended: list[StreamState] = []
        self._goodbye = b""

    def __bool__(self) -> bool:
        """Tell whether a frame could leave now."""
        return bool(self._control or self._credits or self._ready or self._goodbye)

    @property
    def control_bytes(self) -> int:
        """How many bytes of control frames wait."""
        return len(self._control)

    def put_control(self, frame: bytes) -> None:
        """Send a control frame before everything else."""
        self._control += frame

    def put_credit(self, stream: StreamState) -> None:
        """Send the credit that is owed to a stream, as much as it will be by then."""
        stream.is_crediting = True
        self._credits[stream.stream_id] = stream

    def put_stream(self, stream: StreamState) -> None:
        """Give a stream its turn, if it has something to send."""
        if stream.has_turn:
            self._ready[stream.stream_id] = stream

    def put_goodbye(self, frame: bytes) -> None:
        """Send this when all that can leave has left."""
        self._goodbye = frame

    def drop(self, stream: StreamState) -> None:
        """Forget what a stream wanted to send."""
        self._credits.pop(stream.stream_id, None)
        self._ready.pop(stream.stream_id, None)
        stream.drop_queue()

    def pop_ended(self) -> list[StreamState]:
        """Return the streams whose FIN has left since the last call."""
        ended = self._ended
        if ended:
            self._ended = []
        return ended

    def take(self, size_bytes_max: int) -> bytes:
        """Return the next whole frames, as many as fit."""
        parts: list[bytes | memoryview] = []
        room = size_bytes_max
        if self._control:
            size_bytes = min(len(self._control), room - room % HEADER_SIZE_BYTES)
            parts.append(bytes(self._control[:size_bytes]))
            del self._control[:size_bytes]
            room -= size_bytes
        while self._credits and room >= HEADER_SIZE_BYTES:
            _, stream = self._credits.popitem(last=False)
            parts.append(_credit_of(stream))
            room -= HEADER_SIZE_BYTES
        if self._ready:
            room = self._take_turns(parts, room)
        if self._goodbye and not self._ready and room >= HEADER_SIZE_BYTES:
            parts.append(self._goodbye)
            self._goodbye = b""
        return b"".join(parts)

    def _take_turns(self, parts: list[bytes | memoryview], room: int) -> int:
        """Give each stream one frame, again and again; return the room that is left."""
        ready = self._ready
        while ready and room >= HEADER_SIZE_BYTES:
            stream_id, stream = ready.popitem(last=False)
            size_bytes = min(stream.queued_bytes, stream.send_credit_bytes, BODY_SIZE_BYTES_MAX)
            if size_bytes > room - HEADER_SIZE_BYTES:
                if (parts and room < SLIVER_SIZE_BYTES) or room == HEADER_SIZE_BYTES:
                    ready[stream_id] = stream
                    ready.move_to_end(stream_id, last=False)
                    break
                size_bytes = room - HEADER_SIZE_BYTES
            if size_bytes:
                parts.append(encode_header(DATA, stream_id=stream_id, length=size_bytes))
                stream.pop(size_bytes, parts)
            else:
                parts.append(encode_header(WINDOW_UPDATE, flags=FIN, stream_id=stream_id, length=0))
                stream.is_write_over = True
                self._ended.append(stream)
            room -= HEADER_SIZE_BYTES + size_bytes
            if stream.has_turn:
                ready[stream_id] = stream
        return room


def _credit_of(stream: StreamState) -> bytes:
    """Return the frame that lets the peer send what is owed to it."""
    owed_bytes = stream.owed_bytes
    stream.credit_bytes += owed_bytes
    stream.owed_bytes = 0
    stream.is_crediting = False
    return encode_header(WINDOW_UPDATE, stream_id=stream.stream_id, length=owed_bytes)
