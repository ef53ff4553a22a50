"""A peer that floods one yamux session costs what the bounds say, and is named as the culprit."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from p2p.errors import MuxerError
from p2p.wire.role import Role
from p2p.yamux.events import PayloadReceived, StreamOpened
from p2p.yamux.frames import ACK, NUMBER_MAX, SYN
from p2p.yamux.limits import WINDOW_SIZE_BYTES, YamuxLimits
from p2p.yamux.session import YamuxSession
from tests.p2p.hostile.scene import measured
from tests.p2p.yamux.ends import PEER, drain, listener, listener_with_stream
from tests.p2p.yamux.frames import (
    announcing,
    carrying,
    crediting,
    ending,
    opening,
    pinging,
    resetting,
)

LIMITS = YamuxLimits()
CHUNK_SIZE_BYTES = 65_536
KIBIBYTE = 1_024
STREAM_COST_BYTES = 2 * KIBIBYTE
"""What one open stream without bytes may cost, on both sides of its bookkeeping."""


def chunks(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Yield frames in the pieces that a connection reads."""
    raw = b"".join(frames)
    for start in range(0, len(raw), CHUNK_SIZE_BYTES):
        yield raw[start : start + CHUNK_SIZE_BYTES]


def blamed(session: YamuxSession, raws: Iterable[bytes]) -> MuxerError:
    """Feed bytes until the session blames its peer; it must."""
    try:
        for raw in raws:
            session.receive(raw)
    except MuxerError as error:
        return error
    pytest.fail("nobody was blamed")


def test_ten_thousand_openings_make_256_streams() -> None:
    session = listener()
    opened = 0
    flood = b"".join(opening(2 * number + 1) for number in range(10_000))
    with measured() as heap:
        for start in range(0, len(flood), 12_000):
            events = session.receive(flood[start : start + 12_000])
            opened += sum(type(event) is StreamOpened for event in events)
            drain(session)
    assert opened == session.stream_count == LIMITS.inbound_streams
    assert heap.peak_bytes < LIMITS.inbound_streams * STREAM_COST_BYTES + 2 * CHUNK_SIZE_BYTES


@pytest.mark.parametrize(
    "frame_of",
    [lambda number: opening(2 * number + 1), pinging],
    ids=["openings", "pings"],
)
def test_peer_that_makes_us_answer_and_does_not_read_is_blamed(
    frame_of: Callable[[int], bytes],
) -> None:
    session = listener()
    flood = list(chunks(map(frame_of, range(10_000))))
    with measured() as heap:
        error = blamed(session, flood)
    assert error.peer == PEER
    assert len(drain(session)) <= LIMITS.control_bytes_max + 12
    assert heap.peak_bytes < LIMITS.inbound_streams * STREAM_COST_BYTES + 2 * CHUNK_SIZE_BYTES


def test_streams_that_open_and_vanish_leave_nothing_behind() -> None:
    session = listener()
    flood = [opening(2 * number + 1) + resetting(2 * number + 1) for number in range(3_000)]
    with measured() as heap:
        for number, raw in enumerate(flood):
            session.receive(raw)
            if number % 100 == 0:
                drain(session)
    assert session.stream_count == 0
    # The last ids that ended are remembered, in a set that copies itself whenever it grows.
    assert heap.peak_bytes < 2 * CHUNK_SIZE_BYTES


@pytest.mark.parametrize("stream_id", [1, 3, 99])
@pytest.mark.parametrize("flags", [0, SYN])
def test_length_of_4_gib_costs_nothing(stream_id: int, flags: int) -> None:
    session = listener_with_stream()
    with measured() as heap:
        blamed(session, [announcing(stream_id, NUMBER_MAX, flags=flags), bytes(CHUNK_SIZE_BYTES)])
    assert heap.peak_bytes < 2 * CHUNK_SIZE_BYTES
    assert session.stream_count == 1


@pytest.mark.parametrize(
    "raws",
    [
        [announcing(1, WINDOW_SIZE_BYTES + 1)],
        [carrying(1, bytes(WINDOW_SIZE_BYTES)), carrying(1, b"x")],
        [carrying(1, bytes(CHUNK_SIZE_BYTES))] * 5,
        [carrying(3, bytes(WINDOW_SIZE_BYTES), flags=SYN), carrying(3, b"x")],
    ],
    ids=["at once", "by one byte", "in frames", "on a new stream"],
)
def test_window_cannot_be_overrun(raws: list[bytes]) -> None:
    session = listener_with_stream()
    blamed(session, raws)
    assert session.unread_bytes <= WINDOW_SIZE_BYTES


def test_bytes_that_nobody_reads_are_bounded_for_all_streams_together() -> None:
    session = listener()
    received_bytes = 0
    body = bytes(CHUNK_SIZE_BYTES)
    for number in range(LIMITS.inbound_streams):
        stream_id = 2 * number + 1
        session.receive(opening(stream_id))
        for _ in range(WINDOW_SIZE_BYTES // CHUNK_SIZE_BYTES):
            received_bytes += sum(
                len(event.payload)
                for event in session.receive(carrying(stream_id, body))
                if type(event) is PayloadReceived
            )
            assert session.unread_bytes <= LIMITS.unread_bytes_max
        drain(session)
    assert received_bytes > LIMITS.unread_bytes_max
    assert session.stream_count >= LIMITS.unread_bytes_max // WINDOW_SIZE_BYTES


def test_windows_never_promise_more_than_the_bound() -> None:
    """A peer whose bytes were read at once for a while, and then no more, holds one bound."""
    session = listener()
    ids = [2 * number + 1 for number in range(40)]
    body = bytes(CHUNK_SIZE_BYTES)
    for stream_id in ids:
        session.receive(opening(stream_id))
        for _ in range(40):
            session.receive(carrying(stream_id, body))
            session.consume(stream_id, CHUNK_SIZE_BYTES)
            drain(session)
    promised_bytes = 0
    for stream_id in ids:
        before = session.unread_bytes
        while session.unread_bytes <= LIMITS.unread_bytes_max - CHUNK_SIZE_BYTES:
            try:
                session.receive(carrying(stream_id, body))
            except MuxerError:
                break
        promised_bytes += session.unread_bytes - before
    assert promised_bytes <= LIMITS.unread_bytes_max
    assert session.stream_count == len(ids)


def test_header_that_comes_byte_by_byte_is_all_that_is_kept() -> None:
    session = listener_with_stream()
    raw = carrying(1, bytes(100)) * 100
    with measured() as heap:
        for start in range(len(raw)):
            for event in session.receive(raw[start : start + 1]):
                assert isinstance(event, PayloadReceived)
                session.consume(1, len(event.payload))
    assert heap.peak_bytes < 8 * KIBIBYTE
    assert session.unread_bytes == 0


def test_unsolicited_answers_are_blamed() -> None:
    assert blamed(listener_with_stream(), [pinging(0, flags=ACK)]).peer == PEER


@pytest.mark.parametrize(("role", "stream_id"), [(Role.LISTENER, 2), (Role.DIALER, 1)])
def test_streams_of_the_wrong_parity_are_blamed(role: Role, stream_id: int) -> None:
    session = YamuxSession(role=role, peer=PEER)
    blamed(session, [opening(stream_id)])
    assert session.stream_count == 0


def test_half_open_streams_cost_a_place_each_and_no_more() -> None:
    session = listener()
    flood = [opening(2 * number + 1) + ending(2 * number + 1) for number in range(2_000)]
    with measured() as heap:
        for raw in flood:
            session.receive(raw)
            drain(session)
    assert session.stream_count == LIMITS.inbound_streams
    assert heap.peak_bytes < LIMITS.inbound_streams * STREAM_COST_BYTES


def test_frames_that_carry_nothing_leave_nothing_behind() -> None:
    session = listener_with_stream()
    flood = list(chunks([announcing(1, 0), crediting(1, 0), announcing(99, 0)] * 2_000))
    with measured() as heap:
        for chunk in flood:
            assert session.receive(chunk) == []
    assert heap.peak_bytes < CHUNK_SIZE_BYTES
    assert not session.has_output
