"""Sessions for tests: one alone whose output is read as frames, and two that talk to each other."""

from collections.abc import Sequence
from typing import Final

from p2p.wire.role import Role
from p2p.yamux.events import PayloadReceived, StreamHalfClosed, StreamReset, YamuxEvent
from p2p.yamux.limits import YamuxLimits
from p2p.yamux.session import YamuxSession
from tests.p2p.yamux.frames import TAKE_SIZE_BYTES, Frame, frames_in, opening

PEER: Final = "/ip4/10.0.0.1/tcp/4001"
FEW: Final = YamuxLimits(inbound_streams=3, unacknowledged_streams=6, early_streams=2)
"""Limits that a test reaches with few frames."""


def dialer(limits: YamuxLimits | None = None) -> YamuxSession:
    return YamuxSession(role=Role.DIALER, limits=limits or YamuxLimits(), peer=PEER)


def listener(limits: YamuxLimits | None = None) -> YamuxSession:
    return YamuxSession(role=Role.LISTENER, limits=limits or YamuxLimits(), peer=PEER)


def drain(session: YamuxSession) -> bytes:
    """Take everything that can leave now."""
    parts = []
    while session.has_output:
        part = session.take(TAKE_SIZE_BYTES)
        assert 0 < len(part) <= TAKE_SIZE_BYTES
        parts.append(part)
    return b"".join(parts)


def sent(session: YamuxSession) -> list[Frame]:
    """Take everything that can leave now, as frames."""
    return frames_in(drain(session))


def listener_with_stream(limits: YamuxLimits | None = None) -> YamuxSession:
    """Return a session whose peer has opened stream 1, and whose answer has left."""
    session = listener(limits)
    session.receive(opening(1))
    drain(session)
    return session


def payload_of(events: Sequence[YamuxEvent], stream_id: int) -> bytes:
    """Return what came for a stream."""
    return b"".join(
        event.payload
        for event in events
        if isinstance(event, PayloadReceived) and event.stream_id == stream_id
    )


class End:
    """One side of two: it reads everything at once and remembers it."""

    def __init__(self, session: YamuxSession) -> None:
        self.session = session
        self.events: list[YamuxEvent] = []

    def hear(self, raw: bytes) -> None:
        """Take bytes of the other side, and consume what they carry."""
        events = self.session.receive(raw)
        self.events += events
        for event in events:
            if isinstance(event, PayloadReceived):
                self.session.consume(event.stream_id, len(event.payload))

    def got(self, stream_id: int) -> bytes:
        """Return what came for a stream so far."""
        return payload_of(self.events, stream_id)

    def saw_end(self, stream_id: int) -> bool:
        """Tell whether the other side ended the stream in order."""
        return StreamHalfClosed(stream_id) in self.events

    def saw_reset(self, stream_id: int) -> bool:
        """Tell whether the stream was given up."""
        return StreamReset(stream_id) in self.events


class Link:
    """A dialer and a listener without a network between them."""

    def __init__(self, limits: YamuxLimits | None = None) -> None:
        self.dialer = End(dialer(limits))
        self.listener = End(listener(limits))

    def settle(self) -> None:
        """Carry bytes until both sides are silent."""
        while self.dialer.session.has_output or self.listener.session.has_output:
            self.listener.hear(drain(self.dialer.session))
            self.dialer.hear(drain(self.listener.session))
