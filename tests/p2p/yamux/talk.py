"""Two sessions, a network that cuts their bytes anywhere, and an auditor who reads along.

What a stream carries is a slice of one endless pattern, so the reader knows at each byte whether it
is the right one without anybody keeping what was sent.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from p2p.yamux.events import (
    PayloadReceived,
    StreamHalfClosed,
    StreamOpened,
    StreamReset,
    WriteOpened,
)
from p2p.yamux.frames import ACK, DATA, FIN, PING, RST, SYN, WINDOW_UPDATE
from p2p.yamux.limits import BODY_SIZE_BYTES_MAX, WINDOW_SIZE_BYTES
from p2p.yamux.session import YamuxSession
from tests.p2p.yamux.ends import dialer, listener
from tests.p2p.yamux.frames import Frame, frames_in

PATTERN: Final = bytes(range(251)) * 4_200
"""Longer than any one write, and of a period that no power of two divides."""
PERIOD: Final = 251

Act = Literal["open", "write", "read", "end", "reset", "ping", "take", "carry"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one side does.

    Args:
        side: 0 for the dialer, 1 for the listener.
        pick: which of its streams, counted round.
        size: how many bytes.
    """

    side: int
    act: Act
    pick: int
    size: int


class Auditor:
    """Reads what one side sends, and holds it to its windows and to the order of a stream."""

    def __init__(self) -> None:
        self._credit: dict[int, int] = {}
        self._ended: set[int] = set()
        self._reset: set[int] = set()

    def sending(self, frame: Frame) -> None:
        """Judge a frame that leaves this side."""
        assert frame.kind in {DATA, WINDOW_UPDATE, PING}
        stream_id = frame.stream_id
        if frame.flags & (SYN | ACK) and stream_id:
            self._credit.setdefault(stream_id, WINDOW_SIZE_BYTES)
            assert frame.length == 0, "openings carry no credit of ours"
        if frame.kind == DATA:
            assert frame.flags == 0
            assert 0 < frame.length <= BODY_SIZE_BYTES_MAX
            assert stream_id not in self._ended
            self._credit[stream_id] -= frame.length
            assert self._credit[stream_id] >= 0, "the window of the other side is overrun"
        if frame.flags & FIN:
            assert stream_id not in self._ended
            self._ended.add(stream_id)
        assert stream_id not in self._reset
        if frame.flags & RST:
            self._reset.add(stream_id)

    def receiving(self, frame: Frame) -> None:
        """Note the credit in a frame that has reached this side."""
        if frame.kind == WINDOW_UPDATE:
            credit = self._credit.setdefault(frame.stream_id, WINDOW_SIZE_BYTES)
            self._credit[frame.stream_id] = credit + frame.length


class Talker:
    """One side: its session, what it wrote, and what it read."""

    def __init__(self, session: YamuxSession) -> None:
        self.session = session
        self.auditor = Auditor()
        self.written_bytes: dict[int, int] = {}
        self.received_bytes: dict[int, int] = {}
        self.unread_bytes: dict[int, int] = {}
        self.ended: set[int] = set()
        self.over: set[int] = set()
        self.lost: set[int] = set()
        self.ponged_count = 0
        self._is_pinging = False

    @property
    def streams(self) -> list[int]:
        """The streams of this side, in the order of their beginning."""
        return list(self.written_bytes)

    def act(self, step: Step) -> None:
        """Do one thing; on a stream that is over it must not matter."""
        if step.act == "open":
            self._begin(self.session.open_stream())
        elif step.act == "ping":
            if not self._is_pinging:
                self._is_pinging = True
                self.session.ping(step.size)
        elif self.streams:
            stream_id = self.streams[step.pick % len(self.streams)]
            if step.act == "write":
                self._write(stream_id, step.size)
            elif step.act == "read":
                self.read(stream_id, step.size)
            elif step.act == "end":
                self.over.add(stream_id)
                self.session.close_write(stream_id)
            else:
                self.lost.add(stream_id)
                self.session.reset(stream_id)

    def hear(self, raw: bytes) -> None:
        """Take bytes of the other side and check what they mean."""
        for event in self.session.receive(raw):
            match event:
                case StreamOpened(stream_id=stream_id):
                    assert stream_id not in self.written_bytes
                    self._begin(stream_id)
                case PayloadReceived(stream_id=stream_id, payload=payload):
                    self._check(stream_id, payload)
                case StreamHalfClosed(stream_id=stream_id):
                    assert stream_id not in self.ended
                    self.ended.add(stream_id)
                case StreamReset(stream_id=stream_id):
                    self.lost.add(stream_id)
                case WriteOpened(stream_id=stream_id):
                    assert self.session.queued_bytes(stream_id) > 0
                case _:
                    self._is_pinging = False
                    self.ponged_count += 1

    def read(self, stream_id: int, size_bytes: int) -> None:
        """Consume so many bytes, or what there is."""
        size_bytes = min(size_bytes, self.unread_bytes[stream_id])
        self.unread_bytes[stream_id] -= size_bytes
        self.session.consume(stream_id, size_bytes)

    def _begin(self, stream_id: int) -> None:
        self.written_bytes[stream_id] = 0
        self.received_bytes[stream_id] = 0
        self.unread_bytes[stream_id] = 0

    def _write(self, stream_id: int, size_bytes: int) -> None:
        if stream_id not in self.over:
            start = self.written_bytes[stream_id] % PERIOD
            self.session.send(stream_id, PATTERN[start : start + size_bytes])
            self.written_bytes[stream_id] += size_bytes

    def _check(self, stream_id: int, payload: bytes) -> None:
        assert payload
        assert stream_id not in self.lost | self.ended
        start = self.received_bytes[stream_id] % PERIOD
        assert payload == PATTERN[start : start + len(payload)]
        self.received_bytes[stream_id] += len(payload)
        self.unread_bytes[stream_id] += len(payload)


class Talk:
    """Both sides, and the bytes that are under way between them."""

    def __init__(self) -> None:
        self.sides = Talker(dialer()), Talker(listener())
        self._under_way = [b"", b""]
        # Frames that the other side has heard part of; the auditor counts whole ones.
        self._heard: list[deque[tuple[int, Frame]]] = [deque(), deque()]
        self._sent_bytes = [0, 0]
        self._carried_bytes = [0, 0]

    def play(self, step: Step) -> None:
        """Carry one step out."""
        if step.act == "take":
            self.take(step.side, step.size)
        elif step.act == "carry":
            self.carry(step.side, step.size)
        else:
            self.sides[step.side].act(step)

    def take(self, side: int, size_bytes: int) -> None:
        """Let one side send."""
        raw = self.sides[side].session.take(size_bytes)
        assert len(raw) <= size_bytes
        self._under_way[side] += raw
        for frame in frames_in(raw):
            self.sides[side].auditor.sending(frame)
            self._sent_bytes[side] += 12 + len(frame.body)
            self._heard[side].append((self._sent_bytes[side], frame))

    def carry(self, side: int, size_bytes: int) -> None:
        """Let so many bytes of one side reach the other."""
        piece = self._under_way[side][:size_bytes]
        self._under_way[side] = self._under_way[side][size_bytes:]
        self._carried_bytes[side] += len(piece)
        other = self.sides[1 - side]
        heard = self._heard[side]
        while heard and heard[0][0] <= self._carried_bytes[side]:
            other.auditor.receiving(heard.popleft()[1])
        if piece:
            other.hear(piece)

    def settle(self) -> None:
        """Let both sides read and send until nothing is left."""
        is_busy = True
        while is_busy:
            for number, side in enumerate(self.sides):
                for stream_id in side.streams:
                    side.read(stream_id, side.unread_bytes[stream_id])
                self.take(number, 65_519)
                self.carry(number, len(self._under_way[number]))
            is_busy = any(self._under_way) or any(
                side.session.has_output or any(side.unread_bytes.values()) for side in self.sides
            )

    def check(self) -> None:
        """Compare what was written with what was read, after `settle`."""
        for writer, reader in (self.sides, self.sides[::-1]):
            for stream_id, written_bytes in writer.written_bytes.items():
                if stream_id in writer.lost | reader.lost:
                    continue
                assert reader.received_bytes[stream_id] == written_bytes
                assert (stream_id in reader.ended) == (stream_id in writer.over)
        for side in self.sides:
            assert side.session.unread_bytes == 0
