"""How streams open, end and are given up."""

import pytest

from p2p.errors import StreamMisuseError
from p2p.yamux.events import (
    PayloadReceived,
    SessionClosed,
    StreamHalfClosed,
    StreamOpened,
    StreamReset,
)
from p2p.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    NORMAL_TERMINATION,
    NUMBER_MAX,
    PING,
    PROTOCOL_ERROR,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from tests.p2p.yamux.ends import FEW, Link, dialer, drain, listener, listener_with_stream, sent
from tests.p2p.yamux.frames import (
    Frame,
    accepting,
    announcing,
    carrying,
    ending,
    leaving,
    opening,
    pinging,
    resetting,
)


def test_dialer_opens_odd_streams_and_listener_even_ones() -> None:
    assert [dialer().open_stream(), listener().open_stream()] == [1, 2]
    session = dialer()
    assert [session.open_stream() for _ in range(3)] == [1, 3, 5]


def test_streams_carry_bytes_both_ways() -> None:
    link = Link()
    stream_id = link.dialer.session.open_stream()
    link.dialer.session.send(stream_id, b"question")
    link.settle()
    link.listener.session.send(stream_id, b"answer")
    link.settle()
    assert link.listener.got(stream_id) == b"question"
    assert link.dialer.got(stream_id) == b"answer"


def test_direction_ends_behind_what_is_queued() -> None:
    link = Link()
    stream_id = link.dialer.session.open_stream()
    link.dialer.session.send(stream_id, bytes(1_000_000))
    link.dialer.session.close_write(stream_id)
    link.settle()
    assert len(link.listener.got(stream_id)) == 1_000_000
    assert link.listener.events[-1] == StreamHalfClosed(stream_id)


def test_half_closed_stream_carries_the_other_direction() -> None:
    link = Link()
    stream_id = link.dialer.session.open_stream()
    link.dialer.session.close_write(stream_id)
    link.settle()
    link.listener.session.send(stream_id, b"answer")
    link.listener.session.close_write(stream_id)
    link.settle()
    assert link.dialer.got(stream_id) == b"answer"
    assert link.dialer.saw_end(stream_id)
    assert link.dialer.session.stream_count == link.listener.session.stream_count == 0


@pytest.mark.parametrize("is_our_end_first", [True, False])
def test_stream_that_ended_both_ways_is_gone(is_our_end_first: bool) -> None:
    session = listener_with_stream()
    if is_our_end_first:
        session.close_write(1)
        drain(session)
        assert session.receive(ending(1)) == [StreamHalfClosed(1)]
    else:
        session.receive(ending(1))
        assert session.stream_count == 1
        session.close_write(1)
        drain(session)
    assert session.stream_count == 0


def test_reset_drops_what_is_queued() -> None:
    session = listener_with_stream()
    session.send(1, b"never sent")
    session.reset(1)
    assert sent(session) == [Frame(WINDOW_UPDATE, RST, 1, 0)]
    assert session.stream_count == 0


def test_reset_of_the_peer_ends_both_directions() -> None:
    session = listener_with_stream()
    session.send(1, b"never sent")
    assert session.receive(resetting(1)) == [StreamReset(1)]
    assert sent(session) == []
    assert session.receive(carrying(1, b"late") + resetting(1)) == []


def test_calls_about_a_stream_that_is_gone_do_nothing() -> None:
    session = listener_with_stream()
    session.receive(resetting(1))
    session.send(1, b"late")
    session.consume(1, 10)
    session.close_write(1)
    session.set_window_max(1, 1)
    session.reset(1)
    assert session.queued_bytes(1) == 0
    assert not session.has_output


def test_second_end_and_empty_write_send_nothing() -> None:
    session = listener_with_stream()
    session.send(1, b"")
    assert not session.has_output
    session.close_write(1)
    session.close_write(1)
    assert sent(session) == [Frame(WINDOW_UPDATE, FIN, 1, 0)]
    session.close_write(1)
    assert not session.has_output


def test_write_after_the_end_is_a_bug_of_ours() -> None:
    session = listener_with_stream()
    session.close_write(1)
    with pytest.raises(StreamMisuseError):
        session.send(1, b"late")


def test_flags_may_ride_on_data() -> None:
    session = listener()
    events = session.receive(carrying(1, b"all", flags=SYN | FIN))
    assert events == [StreamOpened(1), PayloadReceived(1, b"all"), StreamHalfClosed(1)]
    assert sent(session) == [Frame(WINDOW_UPDATE, ACK, 1, 0)]


def test_end_that_rides_on_data_waits_for_the_body() -> None:
    session = listener_with_stream()
    raw = carrying(1, b"body", flags=FIN)
    assert session.receive(raw[:14]) == [PayloadReceived(1, b"bo")]
    assert session.receive(raw[14:]) == [PayloadReceived(1, b"dy"), StreamHalfClosed(1)]


def test_end_may_ride_on_an_empty_body() -> None:
    session = listener_with_stream()
    assert session.receive(announcing(1, 0, flags=FIN)) == [StreamHalfClosed(1)]


def test_reset_that_rides_on_data_drops_the_body() -> None:
    session = listener_with_stream()
    events = session.receive(carrying(1, b"body", flags=RST) + opening(3))
    assert events == [StreamReset(1), StreamOpened(3)]


def test_empty_body_says_nothing() -> None:
    session = listener_with_stream()
    assert session.receive(announcing(1, 0) + carrying(1, b"x")) == [PayloadReceived(1, b"x")]


def test_body_is_handed_on_as_it_comes() -> None:
    session = listener_with_stream()
    assert session.receive(announcing(1, 100_000)) == []
    for _ in range(10):
        assert session.receive(bytes(10_000)) == [PayloadReceived(1, bytes(10_000))]
    assert session.receive(carrying(1, b"next")) == [PayloadReceived(1, b"next")]


def test_adjacent_frames_of_a_stream_are_one_event() -> None:
    session = listener_with_stream()
    session.receive(opening(3))
    raw = b"".join(
        carrying(*row) for row in ((1, b"a"), (1, b"b"), (3, b"c"), (3, b"d"), (1, b"e"))
    )
    assert session.receive(raw) == [
        PayloadReceived(1, b"ab"),
        PayloadReceived(3, b"cd"),
        PayloadReceived(1, b"e"),
    ]


def test_bytes_after_the_end_are_skipped() -> None:
    session = listener_with_stream()
    session.receive(ending(1))
    assert session.receive(carrying(1, b"late") + ending(1) + opening(3)) == [StreamOpened(3)]
    assert session.unread_bytes == 0


def test_bytes_for_an_unknown_stream_are_skipped_without_an_answer() -> None:
    session = listener_with_stream()
    raw = carrying(99, bytes(100_000)) + resetting(99) + ending(99)
    assert session.receive(raw + carrying(1, b"x")) == [PayloadReceived(1, b"x")]
    assert not session.has_output


def test_rest_of_a_body_is_skipped_when_its_stream_is_given_up() -> None:
    session = listener_with_stream()
    raw = carrying(1, bytes(1_000))
    session.receive(raw[:500])
    session.reset(1)
    assert session.receive(raw[500:] + opening(3)) == [StreamOpened(3)]
    assert session.unread_bytes == 0


def test_stream_that_is_opened_and_given_up_in_one_frame_never_was() -> None:
    session = listener()
    opened_and_reset = opening(1)[:3] + bytes([SYN | RST]) + opening(1)[4:]
    assert session.receive(opened_and_reset) == []
    assert not session.has_output


def test_acknowledgement_may_come_twice() -> None:
    session = dialer()
    stream_id = session.open_stream()
    assert session.receive(accepting(stream_id) * 2) == []
    assert session.stream_count == 1


def test_goodbye_comes_after_all_that_can_leave() -> None:
    session = listener_with_stream()
    session.send(1, bytes(200_000))
    session.close_write(1)
    session.go_away(NORMAL_TERMINATION)
    session.go_away(NORMAL_TERMINATION)
    session.receive(pinging(5))
    kinds = [frame.kind for frame in sent(session)]
    assert kinds == [PING, DATA, DATA, DATA, DATA, WINDOW_UPDATE, GO_AWAY]


def test_goodbye_after_a_violation_comes_at_once_and_alone() -> None:
    session = listener_with_stream()
    session.send(1, b"dropped")
    session.go_away(NORMAL_TERMINATION)
    session.go_away(PROTOCOL_ERROR)
    session.go_away(PROTOCOL_ERROR)
    assert sent(session) == [Frame(GO_AWAY, 0, 0, PROTOCOL_ERROR)]
    assert session.receive(opening(3)) == []


def test_nothing_counts_after_the_goodbye_of_the_peer() -> None:
    session = listener_with_stream()
    events = session.receive(carrying(1, b"last") + leaving(0x1005) + carrying(1, b"too late"))
    assert events == [PayloadReceived(1, b"last"), SessionClosed(0x1005)]
    assert session.receive(opening(3)) == []


def test_streams_are_refused_while_we_leave() -> None:
    session = listener()
    session.go_away(NORMAL_TERMINATION)
    assert session.receive(opening(1)) == []
    assert sent(session) == [
        Frame(WINDOW_UPDATE, RST, 1, 0),
        Frame(GO_AWAY, 0, 0, NORMAL_TERMINATION),
    ]
    with pytest.raises(StreamMisuseError):
        session.open_stream()


def test_first_streams_wait_for_the_peer_above_a_few() -> None:
    session = dialer(FEW)
    ids = [session.open_stream() for _ in range(4)]
    session.send(ids[3], b"early")
    assert [frame.stream_id for frame in sent(session)] == ids[:2]
    session.receive(pinging(1))
    assert [(frame.kind, frame.stream_id) for frame in sent(session)] == [
        (WINDOW_UPDATE, ids[2]),
        (WINDOW_UPDATE, ids[3]),
        (PING, 0),
        (DATA, ids[3]),
    ]


def test_stream_that_was_given_up_before_it_was_announced_is_never_heard_of() -> None:
    session = dialer(FEW)
    ids = [session.open_stream() for _ in range(3)]
    drain(session)
    session.reset(ids[2])
    session.receive(accepting(ids[0]))
    assert sent(session) == []


def test_unacknowledged_streams_are_bounded() -> None:
    session = dialer(FEW)
    ids = [session.open_stream() for _ in range(FEW.unacknowledged_streams)]
    with pytest.raises(StreamMisuseError):
        session.open_stream()
    session.receive(accepting(ids[0]))
    session.reset(ids[1])
    assert [session.open_stream() for _ in range(2)] == [13, 15]


def test_stream_ids_run_out() -> None:
    session = dialer()
    session._next_stream_id = NUMBER_MAX  # noqa: SLF001 - two billion streams later
    assert session.open_stream() == NUMBER_MAX
    with pytest.raises(StreamMisuseError):
        session.open_stream()


def test_inbound_streams_above_the_limit_are_reset_and_room_opens_again() -> None:
    session = listener(FEW)
    session.receive(opening(1) + opening(3) + opening(5))
    drain(session)
    assert session.receive(carrying(7, b"body", flags=SYN) + carrying(1, b"x")) == [
        PayloadReceived(1, b"x")
    ]
    assert sent(session) == [Frame(WINDOW_UPDATE, RST, 7, 0)]
    session.reset(1)
    assert session.receive(opening(9)) == [StreamOpened(9)]


def test_second_ping_waits_for_the_answer_to_the_first() -> None:
    session = dialer()
    session.ping(1)
    with pytest.raises(StreamMisuseError):
        session.ping(2)
    session.receive(pinging(1, flags=ACK))
    session.ping(2)
