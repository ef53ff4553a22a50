"""In which order frames leave, and how they are cut."""

import pytest

from p2p.yamux.frames import (
    ACK,
    DATA,
    FIN,
    HEADER_SIZE_BYTES,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from p2p.yamux.limits import BODY_SIZE_BYTES_MAX, WINDOW_SIZE_BYTES
from p2p.yamux.outbox import SLIVER_SIZE_BYTES
from p2p.yamux.session import YamuxSession
from tests.p2p.yamux.ends import dialer, drain, listener_with_stream, sent
from tests.p2p.yamux.frames import (
    TAKE_SIZE_BYTES,
    Frame,
    carrying,
    frames_in,
    opening,
    pinging,
)


def streams_of(session: YamuxSession) -> list[int]:
    """Return whose bytes leave, in order."""
    return [frame.stream_id for frame in sent(session) if frame.kind == DATA]


def test_answers_come_before_credit_and_credit_before_bytes() -> None:
    session = listener_with_stream()
    session.send(1, bytes(100_000))
    session.receive(carrying(1, bytes(200_000)))
    session.consume(1, 200_000)
    session.receive(pinging(9))
    session.ping(3)
    frames = sent(session)
    assert [(frame.kind, frame.flags) for frame in frames] == [
        (PING, ACK),
        (PING, SYN),
        (WINDOW_UPDATE, 0),
        (DATA, 0),
        (DATA, 0),
    ]


def test_streams_take_turns() -> None:
    session = listener_with_stream()
    session.receive(opening(3) + opening(5))
    session.send(1, bytes(200_000))
    session.send(3, bytes(100_000))
    session.send(5, b"short")
    assert streams_of(session) == [1, 3, 5, 1, 3, 1, 1]


def test_small_stream_does_not_wait_for_a_large_one() -> None:
    session = listener_with_stream()
    session.receive(opening(3))
    drain(session)
    session.send(1, bytes(WINDOW_SIZE_BYTES))
    session.take(TAKE_SIZE_BYTES)
    session.send(3, b"urgent")
    session.take(TAKE_SIZE_BYTES)
    assert frames_in(session.take(TAKE_SIZE_BYTES))[0].body == b"urgent"


def test_body_and_header_fill_one_noise_message() -> None:
    session = listener_with_stream()
    session.send(1, bytes(200_000))
    sizes = []
    while session.has_output:
        sizes.append(len(session.take(TAKE_SIZE_BYTES)))
    assert sizes == [TAKE_SIZE_BYTES] * 3 + [200_000 - 3 * BODY_SIZE_BYTES_MAX + HEADER_SIZE_BYTES]


def test_many_small_writes_leave_as_one_frame() -> None:
    session = listener_with_stream()
    for number in range(100):
        session.send(1, b"%03d" % number)
    (frame,) = sent(session)
    assert frame.body == b"".join(b"%03d" % number for number in range(100))


def test_bytes_stay_in_order_however_writes_and_frames_are_cut() -> None:
    session = listener_with_stream()
    written = bytes(range(256)) * 1_000
    for start in range(0, len(written), 7_001):
        session.send(1, written[start : start + 7_001])
    taken = b""
    while session.has_output:
        taken += b"".join(frame.body for frame in frames_in(session.take(5_003)))
    assert taken == written


@pytest.mark.parametrize("size", range(HEADER_SIZE_BYTES + 1))
def test_too_little_room_takes_nothing(size: int) -> None:
    session = listener_with_stream()
    session.send(1, b"x")
    taken = session.take(size)
    assert taken == b""
    assert session.has_output
    assert sent(session) == [Frame(DATA, 0, 1, 1, b"x")]


def test_control_frames_are_never_cut() -> None:
    session = dialer()
    for _ in range(4):
        session.open_stream()
    assert len(session.take(3 * HEADER_SIZE_BYTES - 1)) == 2 * HEADER_SIZE_BYTES
    assert len(drain(session)) == 2 * HEADER_SIZE_BYTES


def test_credit_and_end_wait_for_room() -> None:
    session = listener_with_stream()
    session.receive(carrying(1, bytes(WINDOW_SIZE_BYTES)))
    session.consume(1, WINDOW_SIZE_BYTES)
    session.close_write(1)
    assert session.take(HEADER_SIZE_BYTES - 1) == b""
    assert frames_in(session.take(HEADER_SIZE_BYTES))[0].flags == 0
    assert frames_in(session.take(HEADER_SIZE_BYTES))[0].flags == FIN
    assert not session.has_output


def test_frame_is_not_cut_into_a_sliver() -> None:
    session = listener_with_stream()
    session.receive(opening(3))
    drain(session)
    session.send(1, bytes(10_000))
    session.send(3, bytes(10_000))
    room = 10_000 + HEADER_SIZE_BYTES + SLIVER_SIZE_BYTES - 1
    assert len(frames_in(session.take(room))) == 1
    assert streams_of(session) == [3]
    session.send(1, bytes(10_000))
    session.send(3, bytes(10_000))
    cut = frames_in(session.take(room + 1))
    assert [frame.length for frame in cut] == [10_000, SLIVER_SIZE_BYTES - HEADER_SIZE_BYTES]
    assert streams_of(session) == [3]


def test_stream_whose_frame_did_not_fit_is_next() -> None:
    session = listener_with_stream()
    session.receive(opening(3))
    drain(session)
    session.send(1, bytes(2 * BODY_SIZE_BYTES_MAX))
    session.send(3, bytes(10_000))
    session.take(TAKE_SIZE_BYTES + SLIVER_SIZE_BYTES - 1)
    assert streams_of(session) == [3, 1, 1]


def test_credit_of_a_stream_that_is_given_up_is_not_sent() -> None:
    session = listener_with_stream()
    session.receive(carrying(1, bytes(WINDOW_SIZE_BYTES)))
    session.consume(1, WINDOW_SIZE_BYTES)
    session.reset(1)
    assert sent(session) == [Frame(WINDOW_UPDATE, RST, 1, 0)]


def test_session_without_output_takes_nothing() -> None:
    assert dialer().take(TAKE_SIZE_BYTES) == b""
