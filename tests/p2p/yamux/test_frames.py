import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.yamux.events import Ponged, SessionClosed, StreamOpened
from p2p.yamux.frames import (
    HEADER,
    HEADER_SIZE_BYTES,
    NORMAL_TERMINATION,
    NUMBER_MAX,
    PROTOCOL_ERROR,
    encode_header,
    flags_of,
    kind_of,
    stream_id_of,
    version_of,
)
from tests.p2p.published import published
from tests.p2p.yamux.ends import dialer, drain, listener, listener_with_stream
from tests.p2p.yamux.frames import crediting, opening, pinging

NUMBERS = st.integers(min_value=0, max_value=NUMBER_MAX)


def golden(name: str) -> bytes:
    return bytes.fromhex(published("yamux")[name])


@given(
    st.integers(min_value=0, max_value=255),
    st.integers(min_value=0, max_value=2**16 - 1),
    *[NUMBERS] * 2,
)
def test_header_keeps_its_parts(kind: int, flags: int, stream_id: int, length: int) -> None:
    raw = encode_header(kind, flags=flags, stream_id=stream_id, length=length)
    head, read_length = HEADER.unpack(raw)
    assert len(raw) == HEADER_SIZE_BYTES
    assert (kind_of(head), flags_of(head)) == (kind, flags)
    assert (stream_id_of(head), read_length) == (stream_id, length)
    assert version_of(head) == 0


def test_head_of_a_plain_data_frame_is_its_stream() -> None:
    head, length = HEADER.unpack_from(golden("data of 5 bytes on stream 1"))
    assert (head, length) == (1, 5)


def test_stream_is_opened_with_the_published_bytes() -> None:
    session = dialer()
    assert session.open_stream() == 1
    assert drain(session) == golden("open stream 1 (window update, SYN)")


def test_stream_is_accepted_with_the_published_bytes() -> None:
    session = listener()
    events = session.receive(golden("open stream 1 (window update, SYN)"))
    assert events == [StreamOpened(1)]
    assert drain(session) == golden("accept stream 1 (window update, ACK)")


def test_bytes_are_sent_as_published() -> None:
    session = listener_with_stream()
    session.send(1, b"hello")
    assert drain(session) == golden("data of 5 bytes on stream 1")


def test_credit_is_given_as_published() -> None:
    assert crediting(1, 262_144) == golden("window update of 262144 on stream 1")


def test_stream_is_half_closed_with_the_published_bytes() -> None:
    session = listener_with_stream()
    session.close_write(1)
    assert drain(session) == golden("half close of stream 1 (window update, FIN)")


def test_stream_is_reset_with_the_published_bytes() -> None:
    session = listener_with_stream()
    session.reset(1)
    assert drain(session) == golden("reset of stream 1 (window update, RST)")


def test_ping_is_sent_and_answered_with_the_published_bytes() -> None:
    asking, answering = dialer(), listener()
    asking.ping(7)
    question = drain(asking)
    assert question == golden("ping request 7")
    assert answering.receive(question) == []
    answer = drain(answering)
    assert answer == golden("ping answer 7")
    assert asking.receive(answer) == [Ponged(7)]


@pytest.mark.parametrize(
    ("code", "name"),
    [(NORMAL_TERMINATION, "go away, normal"), (PROTOCOL_ERROR, "go away, protocol error")],
)
def test_goodbye_is_said_with_the_published_bytes(code: int, name: str) -> None:
    session = dialer()
    session.go_away(code)
    assert drain(session) == golden(name)
    assert listener().receive(golden(name)) == [SessionClosed(code)]


def test_golden_frames_are_those_that_the_tests_build() -> None:
    assert opening(1) == golden("open stream 1 (window update, SYN)")
    assert pinging(7) == golden("ping request 7")
