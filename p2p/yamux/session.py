"""Carry many streams over one channel: the state machine of yamux, bytes in and bytes out.

Every rule of the protocol is here; `reader` cuts frames out of the bytes, `outbox` orders what is
sent, `table` counts. What a peer can make us hold is what it has credit for, within `limits`.

Source: the yamux specification, and what go-, js- and py-libp2p do where it is silent.
"""

from p2p.errors import MuxerError, StreamMisuseError
from p2p.wire.role import Role
from p2p.yamux.events import (
    Ponged,
    SessionClosed,
    StreamHalfClosed,
    StreamOpened,
    StreamReset,
    WriteOpened,
    YamuxEvent,
)
from p2p.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    NORMAL_TERMINATION,
    NUMBER_MAX,
    PING,
    RST,
    SESSION_ID,
    SYN,
    WINDOW_UPDATE,
    encode_header,
    flags_of,
    kind_of,
    stream_id_of,
    version_of,
)
from p2p.yamux.limits import DEFAULT_LIMITS, WINDOW_SIZE_BYTES, YamuxLimits
from p2p.yamux.outbox import Outbox
from p2p.yamux.reader import FrameReader
from p2p.yamux.streams import StreamState
from p2p.yamux.table import StreamTable


class YamuxSession:
    """One yamux session.

    Calls about a stream that is gone do nothing: the peer may reset it at any moment.

    Args:
        role: the dialer opens odd streams, the listener even ones.
        limits: the bounds of this session.
        peer: whom to blame.
    """

    def __init__(self, *, role: Role, limits: YamuxLimits = DEFAULT_LIMITS, peer: str) -> None:
        self._limits = limits
        self._peer = peer
        self._next_stream_id = 1 if role is Role.DIALER else 2
        self._table = StreamTable(limits)
        self._streams = self._table.streams
        self._outbox = Outbox()
        # Own streams whose SYN waits until the peer has said something.
        self._held: list[StreamState] = []
        self._ping: int | None = None
        self._is_greeted = False
        self._is_leaving = False
        self._is_over = False
        self._reader = FrameReader(self._table, self)

    @property
    def has_output(self) -> bool:
        """Tell whether something could be sent now."""
        return bool(self._outbox)

    @property
    def unread_bytes(self) -> int:
        """How many bytes came, or were announced by a header, and were not consumed."""
        return self._table.unread_bytes

    @property
    def bare_frames(self) -> int:
        """How many frames without a body came: they cost us time and the peer few bytes."""
        return self._reader.bare_frames

    @property
    def stream_count(self) -> int:
        """How many streams are open in at least one direction."""
        return len(self._streams)

    def open_stream(self) -> int:
        """Open a stream and return its id; bytes may be sent at once.

        Raises:
            StreamMisuseError: too many streams wait for the peer, or the session is ending.
        """
        if self._is_leaving or self._is_over:
            raise StreamMisuseError("the session is ending")
        count = self._table.unacknowledged_count
        if count >= self._limits.unacknowledged_streams:
            raise StreamMisuseError(f"{count} streams wait for the peer to acknowledge them")
        if self._next_stream_id > NUMBER_MAX:
            raise StreamMisuseError("the session has used all its stream ids")
        stream = self._table.add(self._next_stream_id, is_inbound=False)
        self._next_stream_id += 2
        if self._is_greeted or stream.stream_id <= 2 * self._limits.early_streams:
            self._announce(stream)
        else:
            self._held.append(stream)
        return stream.stream_id

    def send(self, stream_id: int, payload: bytes) -> None:
        """Queue bytes of a stream; they leave as credit and the other streams allow.

        Raises:
            StreamMisuseError: our direction was closed before.
        """
        stream = self._streams.get(stream_id)
        if stream is None or not payload:
            return
        if stream.is_closing:
            raise StreamMisuseError("the stream is closed for writing")
        stream.queue(payload)
        self._outbox.put_stream(stream)

    def queued_bytes(self, stream_id: int) -> int:
        """Return how many bytes of a stream wait to be sent."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.queued_bytes

    def close_write(self, stream_id: int) -> None:
        """End our direction of a stream behind what is queued."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.is_closing:
            stream.is_closing = True
            self._outbox.put_stream(stream)

    def reset(self, stream_id: int) -> None:
        """Give a stream up in both directions; what is queued is dropped."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._forget(stream)
            if stream.is_announced:
                self._control(WINDOW_UPDATE, flags=RST, stream_id=stream_id)

    def consume(self, stream_id: int, size_bytes: int) -> None:
        """Learn that the application has read so many bytes of a stream, which frees their room.

        The peer gets its credit back when more than half of the window is owed to it. A reader
        that by then has nothing left to read is the faster side: its window doubles. (Others
        compare times with the round trip, and may grow to 16 MiB; here is no clock.)
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self._table.unread_bytes -= size_bytes
        stream.owed_bytes += size_bytes
        if stream.owed_bytes * 2 <= stream.window_bytes or stream.is_crediting:
            return
        if not stream.is_read_over:
            if stream.unread_bytes <= self._reader.missing_bytes(stream):
                self._table.grow(stream)
            self._outbox.put_credit(stream)

    def set_window_max(self, stream_id: int, size_bytes_max: int) -> None:
        """Let the window of a stream grow to another size than `YamuxLimits.window_bytes_max`."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._table.let_grow(stream, size_bytes_max)

    def ping(self, value: int) -> None:
        """Ask for a sign of life; `Ponged` follows.

        Raises:
            StreamMisuseError: the last ping has no answer yet.
        """
        if self._ping is not None:
            raise StreamMisuseError("a ping is under way")
        self._ping = value & NUMBER_MAX
        self._control(PING, flags=SYN, length=self._ping)

    def go_away(self, code: int) -> None:
        """Say goodbye: after all that can leave when in order, else at once and nothing after it.

        Args:
            code: NORMAL_TERMINATION, PROTOCOL_ERROR or INTERNAL_ERROR.
        """
        if self._is_over or (self._is_leaving and code == NORMAL_TERMINATION):
            return
        self._is_leaving = True
        if code != NORMAL_TERMINATION:
            self._outbox = Outbox()
            self._is_over = True
            self._reader.stop()
        self._outbox.put_goodbye(encode_header(GO_AWAY, length=code))

    def take(self, size_bytes_max: int) -> bytes:
        """Return the next frames to send, whole ones only, at most so many bytes.

        Answers and pings come first, then credit, then the streams in turn. Nothing is returned
        when nothing can leave now, or not even a header fits.
        """
        raw = self._outbox.take(size_bytes_max)
        for stream in self._outbox.pop_ended():
            if stream.is_read_over:
                self._forget(stream)
        return raw

    def receive(self, chunk: bytes) -> list[YamuxEvent]:
        """Take the next bytes of the peer and return what they mean, in order.

        Raises:
            MuxerError: the peer broke the protocol; say `go_away(PROTOCOL_ERROR)` and close.
        """
        events: list[YamuxEvent] = []
        if self._is_over:
            return events
        if not self._is_greeted:
            self._greet()
        self._reader.receive(chunk, events)
        while self._table.unread_bytes > self._limits.unread_bytes_max:
            worst_id = self._table.furthest_behind().stream_id
            self.reset(worst_id)
            events.append(StreamReset(worst_id))
        return events

    def take_header(self, head: int, length: int, events: list[YamuxEvent]) -> StreamState | None:
        """Act on a header, for the reader; return the stream that gets the body."""
        kind, stream_id = kind_of(head), stream_id_of(head)
        if version_of(head) or kind > GO_AWAY:
            raise self._violation(f"unknown yamux version {version_of(head)} or type {kind}")
        if (stream_id == SESSION_ID) != (kind in {PING, GO_AWAY}):
            raise self._violation(f"a frame of type {kind} for stream {stream_id}")
        if kind == GO_AWAY:
            self._is_over = True
            self._reader.stop()
            events.append(SessionClosed(length))
        elif kind == PING:
            self._take_ping(flags_of(head), length, events)
        else:
            return self._take_stream_frame(head, length, events)
        return None

    def end_reading(self, stream: StreamState, events: list[YamuxEvent]) -> None:
        """Act on the end of the peer's direction, for the reader."""
        if stream.is_read_over:
            return
        stream.is_read_over = True
        events.append(StreamHalfClosed(stream.stream_id))
        if stream.is_write_over:
            self._forget(stream)

    def _take_ping(self, flags: int, value: int, events: list[YamuxEvent]) -> None:
        if flags & SYN:
            self._answer(PING, flags=ACK, length=value)
        elif flags & ACK and value == self._ping:
            self._ping = None
            events.append(Ponged(value))
        else:
            raise self._violation("an answer to a ping that was not sent")

    def _take_stream_frame(
        self, head: int, length: int, events: list[YamuxEvent]
    ) -> StreamState | None:
        flags, stream_id = flags_of(head), stream_id_of(head)
        is_body = kind_of(head) == DATA
        if is_body and length > self._table.body_bytes_max:
            raise self._violation(f"a body of {length} bytes > {self._table.body_bytes_max}")
        if flags & SYN:
            stream = self._accept(flags, stream_id, length if is_body else 0, events)
        else:
            # An unknown id is no fault: the stream may just have ended. Its bytes are skipped.
            stream = self._streams.get(stream_id)
        if stream is None:
            return None
        if flags & ACK:
            self._table.acknowledge(stream)
        if flags & RST:
            self._forget(stream)
            events.append(StreamReset(stream_id))
            return None
        if is_body:
            return self._charge(stream, length)
        if stream.add_send_credit(length):
            self._outbox.put_stream(stream)
            events.append(WriteOpened(stream_id))
        if flags & FIN:
            self.end_reading(stream, events)
        return None

    def _charge(self, stream: StreamState, size_bytes: int) -> StreamState | None:
        """Take the credit for a body; after its end a stream gets no bytes."""
        if stream.is_read_over:
            return None
        if size_bytes > stream.credit_bytes:
            raise self._violation(f"a body of {size_bytes} bytes > credit {stream.credit_bytes}")
        stream.credit_bytes -= size_bytes
        self._table.unread_bytes += size_bytes
        return stream

    def _accept(
        self, flags: int, stream_id: int, body_bytes: int, events: list[YamuxEvent]
    ) -> StreamState | None:
        """Open the stream of a SYN; None when it is refused."""
        if stream_id % 2 == self._next_stream_id % 2:
            raise self._violation(f"stream {stream_id} has an id of ours")
        if not self._table.claim(stream_id):
            raise self._violation(f"stream {stream_id} was opened before")
        if body_bytes > WINDOW_SIZE_BYTES:
            # Before any state exists: rust-yamux crashed here (CVE-2026-32314).
            raise self._violation(f"a new stream brings {body_bytes} bytes > its window")
        if flags & RST:
            return None
        if self._is_leaving or not self._table.has_inbound_place:
            self._answer(WINDOW_UPDATE, flags=RST, stream_id=stream_id)
            return None
        self._answer(WINDOW_UPDATE, flags=ACK, stream_id=stream_id)
        events.append(StreamOpened(stream_id))
        return self._table.add(stream_id, is_inbound=True)

    def _greet(self) -> None:
        """Announce the streams that waited for the peer's first bytes."""
        self._is_greeted = True
        for stream in self._held:
            if not stream.is_write_over:
                self._announce(stream)
        self._held.clear()

    def _announce(self, stream: StreamState) -> None:
        stream.is_announced = True
        self._control(WINDOW_UPDATE, flags=SYN, stream_id=stream.stream_id)
        self._outbox.put_stream(stream)

    def _forget(self, stream: StreamState) -> None:
        """Drop a stream that is over in both directions."""
        self._table.remove(stream)
        self._outbox.drop(stream)

    def _control(
        self, kind: int, *, flags: int, stream_id: int = SESSION_ID, length: int = 0
    ) -> None:
        frame = encode_header(kind, flags=flags, stream_id=stream_id, length=length)
        self._outbox.put_control(frame)

    def _answer(
        self, kind: int, *, flags: int, stream_id: int = SESSION_ID, length: int = 0
    ) -> None:
        """Answer a frame; a peer that makes us answer and does not read is stopped here."""
        self._control(kind, flags=flags, stream_id=stream_id, length=length)
        if self._outbox.control_bytes > self._limits.control_bytes_max:
            raise self._violation("answers wait that the peer does not read")

    def _violation(self, message: str) -> MuxerError:
        return MuxerError(message, peer=self._peer)
