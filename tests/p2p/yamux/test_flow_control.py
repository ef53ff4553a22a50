"""How much may be under way: credit in both directions, growth, and the bounds in all."""

from collections.abc import Iterator

import pytest

from p2p.errors import MuxerError
from p2p.yamux.events import PayloadReceived, StreamReset, WriteOpened
from p2p.yamux.frames import ACK, DATA, RST, SYN, WINDOW_UPDATE
from p2p.yamux.limits import MEBIBYTE, WINDOW_SIZE_BYTES, YamuxLimits
from p2p.yamux.session import YamuxSession
from tests.p2p.yamux.ends import dialer, drain, listener, listener_with_stream, sent
from tests.p2p.yamux.frames import (
    Frame,
    accepting,
    announcing,
    carrying,
    crediting,
    ending,
    opening,
    resetting,
)

HALF = WINDOW_SIZE_BYTES // 2
NO_GROWTH = YamuxLimits(window_bytes_max=WINDOW_SIZE_BYTES)


def credits_sent(session: YamuxSession) -> list[int]:
    """Return the credit that a session gives, frame by frame."""
    return [frame.length for frame in sent(session) if frame.kind == WINDOW_UPDATE]


def body_bytes(session: YamuxSession) -> int:
    """Return how many bytes of streams a session sends now."""
    return sum(frame.length for frame in sent(session) if frame.kind == DATA)


def read_steadily(session: YamuxSession, *, size_bytes: int) -> Iterator[int]:
    """Let stream 1 bring bytes that are read at once; yield each credit that is given."""
    for _ in range(size_bytes // 1_000):
        session.receive(carrying(1, bytes(1_000)))
        session.consume(1, 1_000)
        yield from credits_sent(session)


def test_sender_stops_at_the_end_of_the_window() -> None:
    session = listener_with_stream()
    session.send(1, bytes(WINDOW_SIZE_BYTES + 1))
    assert body_bytes(session) == WINDOW_SIZE_BYTES
    assert session.queued_bytes(1) == 1
    assert not session.has_output


def test_credit_opens_a_stream_that_is_stuck() -> None:
    session = listener_with_stream()
    session.send(1, bytes(WINDOW_SIZE_BYTES + 10))
    drain(session)
    assert session.receive(crediting(1, 0)) == []
    assert session.receive(crediting(1, 4)) == [WriteOpened(1)]
    assert body_bytes(session) == 4
    assert session.receive(crediting(1, 100)) == [WriteOpened(1)]
    assert body_bytes(session) == 6
    assert session.receive(crediting(1, 100)) == []


def test_credit_with_nothing_waiting_is_kept() -> None:
    session = listener_with_stream()
    assert session.receive(crediting(1, 50)) == []
    session.send(1, bytes(WINDOW_SIZE_BYTES + 60))
    assert body_bytes(session) == WINDOW_SIZE_BYTES + 50


@pytest.mark.parametrize("extra", [0, 1_000, 2 * WINDOW_SIZE_BYTES])
def test_credit_of_an_opening_comes_on_top_of_the_first_window(extra: int) -> None:
    session = listener()
    session.receive(opening(1, credit=extra))
    drain(session)
    session.send(1, bytes(4 * WINDOW_SIZE_BYTES))
    assert body_bytes(session) == WINDOW_SIZE_BYTES + extra


def test_credit_of_an_acknowledgement_comes_on_top_of_the_first_window() -> None:
    session = dialer()
    stream_id = session.open_stream()
    session.receive(accepting(stream_id, credit=1_000))
    session.send(stream_id, bytes(2 * WINDOW_SIZE_BYTES))
    assert body_bytes(session) == WINDOW_SIZE_BYTES + 1_000


def test_our_openings_carry_no_credit() -> None:
    session = dialer()
    session.open_stream()
    assert sent(session) == [Frame(WINDOW_UPDATE, SYN, 1, 0)]
    session.receive(opening(2))
    assert sent(session) == [Frame(WINDOW_UPDATE, ACK, 2, 0)]


def test_credit_is_given_when_more_than_half_a_window_is_owed() -> None:
    session = listener_with_stream(NO_GROWTH)
    session.receive(carrying(1, bytes(HALF + 1)))
    session.consume(1, HALF)
    assert not session.has_output
    session.consume(1, 1)
    assert credits_sent(session) == [HALF + 1]


def test_nothing_is_credited_that_was_not_consumed() -> None:
    session = listener_with_stream(NO_GROWTH)
    session.receive(carrying(1, bytes(WINDOW_SIZE_BYTES)))
    assert session.unread_bytes == WINDOW_SIZE_BYTES
    assert not session.has_output
    session.consume(1, HALF + 10)
    assert credits_sent(session) == [HALF + 10]
    assert session.unread_bytes == HALF - 10


def test_credit_that_waits_grows_instead_of_becoming_more_frames() -> None:
    session = listener_with_stream(NO_GROWTH)
    session.receive(carrying(1, bytes(WINDOW_SIZE_BYTES)))
    session.consume(1, HALF + 1)
    session.consume(1, HALF - 1)
    assert credits_sent(session) == [WINDOW_SIZE_BYTES]


def test_ended_direction_gets_no_credit() -> None:
    session = listener_with_stream()
    session.receive(carrying(1, bytes(WINDOW_SIZE_BYTES)) + ending(1))
    session.consume(1, WINDOW_SIZE_BYTES)
    assert not session.has_output
    assert session.unread_bytes == 0


def test_window_of_a_reader_that_keeps_up_doubles_to_its_bound() -> None:
    session = listener_with_stream()
    windows = [WINDOW_SIZE_BYTES]
    for credit in read_steadily(session, size_bytes=4 * MEBIBYTE):
        consumed = windows[-1] // 2 // 1_000 * 1_000 + 1_000
        windows.append(windows[-1] + credit - consumed)
    assert windows[:3] == [WINDOW_SIZE_BYTES, 2 * WINDOW_SIZE_BYTES, 4 * WINDOW_SIZE_BYTES]
    assert set(windows[3:]) == {MEBIBYTE}


def test_window_grows_while_a_body_is_under_way() -> None:
    session = listener_with_stream()
    session.receive(announcing(1, WINDOW_SIZE_BYTES))
    session.receive(bytes(HALF + 1))
    session.consume(1, HALF + 1)
    assert credits_sent(session) == [HALF + 1 + WINDOW_SIZE_BYTES]


def test_window_of_a_slow_reader_does_not_grow() -> None:
    session = listener_with_stream()
    session.receive(carrying(1, bytes(HALF + 2)))
    session.consume(1, HALF + 1)
    assert credits_sent(session) == [HALF + 1]


def test_window_of_one_stream_may_be_given_a_bound_of_its_own() -> None:
    session = listener_with_stream()
    session.receive(opening(3))
    drain(session)
    session.set_window_max(1, 2 * MEBIBYTE)
    granted = WINDOW_SIZE_BYTES + sum(read_steadily(session, size_bytes=8 * MEBIBYTE))
    read_bytes = 8 * MEBIBYTE // 1_000 * 1_000
    session.receive(announcing(1, granted - read_bytes))
    assert MEBIBYTE < session.unread_bytes <= 2 * MEBIBYTE


def test_windows_do_not_grow_above_the_bound_for_all() -> None:
    limits = YamuxLimits(unread_bytes_max=3 * WINDOW_SIZE_BYTES)
    session = listener_with_stream(limits)
    session.receive(opening(3))
    drain(session)
    first, *later = read_steadily(session, size_bytes=2 * MEBIBYTE)
    assert first > WINDOW_SIZE_BYTES
    # From then on the window is two of the first ones, and half of it is given back at a time.
    assert set(later) == {WINDOW_SIZE_BYTES // 1_000 * 1_000 + 1_000}


def test_window_grows_once_while_its_credit_waits() -> None:
    session = listener_with_stream()
    for size_bytes in (HALF + 1, HALF - 1):
        session.receive(carrying(1, bytes(size_bytes)))
        session.consume(1, size_bytes)
    assert credits_sent(session) == [2 * WINDOW_SIZE_BYTES]


def test_streams_that_are_gone_leave_room_to_grow() -> None:
    session = listener_with_stream(YamuxLimits(unread_bytes_max=3 * WINDOW_SIZE_BYTES))
    for stream_id in range(3, 99, 2):
        session.receive(opening(stream_id) + resetting(stream_id))
    drain(session)
    assert max(read_steadily(session, size_bytes=MEBIBYTE)) > WINDOW_SIZE_BYTES


def test_window_may_be_used_to_its_last_byte() -> None:
    session = listener_with_stream()
    payload = bytes(WINDOW_SIZE_BYTES)
    assert session.receive(carrying(1, payload)) == [PayloadReceived(1, payload)]
    with pytest.raises(MuxerError):
        session.receive(carrying(1, b"x"))


def test_stream_that_is_furthest_behind_is_reset_when_too_much_is_unread() -> None:
    session = listener(YamuxLimits(unread_bytes_max=WINDOW_SIZE_BYTES))
    session.receive(opening(1) + opening(3))
    drain(session)
    session.receive(carrying(1, bytes(HALF + 1)))
    assert session.unread_bytes == HALF + 1
    events = session.receive(carrying(3, bytes(HALF)))
    assert events == [PayloadReceived(3, bytes(HALF)), StreamReset(1)]
    assert sent(session) == [Frame(WINDOW_UPDATE, RST, 1, 0)]
    assert session.unread_bytes == HALF
