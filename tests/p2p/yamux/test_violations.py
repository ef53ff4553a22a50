"""Every way to break the protocol is blamed on the peer, and what is left is one goodbye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import MuxerError
from p2p.yamux.events import StreamOpened
from p2p.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    NUMBER_MAX,
    PING,
    PROTOCOL_ERROR,
    RST,
    SYN,
    WINDOW_UPDATE,
    encode_header,
)
from p2p.yamux.limits import MEBIBYTE, WINDOW_SIZE_BYTES
from p2p.yamux.table import ID_SPAN
from tests.p2p.cutting import CUTS, pieces
from tests.p2p.yamux.ends import PEER, listener_with_stream, sent
from tests.p2p.yamux.frames import (
    TAKE_SIZE_BYTES,
    Frame,
    announcing,
    carrying,
    ending,
    opening,
    pinging,
    resetting,
)

VIOLATIONS = {
    "unknown version": b"\x01" + opening(3)[1:],
    "unknown type": encode_header(GO_AWAY + 1, length=0),
    "data for the session": announcing(0, 1),
    "opening of the session": opening(0),
    "ping for a stream": encode_header(PING, flags=SYN, stream_id=1, length=0),
    "goodbye for a stream": encode_header(GO_AWAY, stream_id=1, length=0),
    "answer to no ping": pinging(0, flags=ACK),
    "ping without a flag": pinging(0, flags=0),
    "opening of an open stream": opening(1),
    "opening of a stream that was reset": resetting(1) + opening(1),
    "opening of a stream that was refused": encode_header(
        WINDOW_UPDATE, flags=SYN | RST, stream_id=7, length=0
    )
    + opening(7),
    "opening of a stream from long ago": opening(1 + ID_SPAN * 2) + opening(1 + ID_SPAN),
    "opening of our stream": opening(2),
    "opening with data of our stream": carrying(2, b"x", flags=SYN),
    "opening with reset of our stream": encode_header(
        WINDOW_UPDATE, flags=SYN | RST, stream_id=2, length=0
    ),
    "body larger than the window": announcing(1, WINDOW_SIZE_BYTES + 1),
    "body larger than any window": announcing(1, MEBIBYTE + 1),
    "body of 4 GiB": announcing(1, NUMBER_MAX),
    "body of 4 GiB for no stream": announcing(99, NUMBER_MAX),
    "opening with a body larger than its window": announcing(3, WINDOW_SIZE_BYTES + 1, flags=SYN),
    "opening and end with a body larger than its window": announcing(
        3, WINDOW_SIZE_BYTES + 1, flags=SYN | FIN
    ),
    "opening with a body of 4 GiB": announcing(3, NUMBER_MAX, flags=SYN),
    "last byte above the window": announcing(1, WINDOW_SIZE_BYTES)
    + bytes(WINDOW_SIZE_BYTES)
    + announcing(1, 1),
    "one end and a body above the window": announcing(1, WINDOW_SIZE_BYTES + 1, flags=FIN),
}

over_violations = pytest.mark.parametrize("raw", VIOLATIONS.values(), ids=VIOLATIONS.keys())


@over_violations
def test_violation_is_blamed_on_the_peer(raw: bytes) -> None:
    session = listener_with_stream()
    with pytest.raises(MuxerError) as raised:
        session.receive(raw)
    assert raised.value.peer == PEER


@over_violations
def test_violation_is_seen_behind_other_frames_and_in_pieces(raw: bytes) -> None:
    session = listener_with_stream()
    fine = opening(5) + carrying(5, b"fine") + ending(5)
    parts = pieces(fine + raw, [3, 9, 1, 20])
    with pytest.raises(MuxerError):
        list(map(session.receive, parts))


@over_violations
def test_goodbye_ends_the_session_after_a_violation(raw: bytes) -> None:
    session = listener_with_stream()
    session.send(1, b"never sent")
    with pytest.raises(MuxerError):
        session.receive(raw)
    session.go_away(PROTOCOL_ERROR)
    assert sent(session) == [Frame(GO_AWAY, 0, 0, PROTOCOL_ERROR)]
    assert session.receive(raw) == []


def test_openings_may_be_out_of_order() -> None:
    session = listener_with_stream()
    ids = [9, 3, ID_SPAN + 5, 11, 7, ID_SPAN + 3]
    assert session.receive(b"".join(map(opening, ids))) == [StreamOpened(id_) for id_ in ids]


def test_every_id_of_a_long_session_is_used_once() -> None:
    session = listener_with_stream()
    for stream_id in range(3, 6 * ID_SPAN, 2):
        session.receive(opening(stream_id) + resetting(stream_id))
        session.take(TAKE_SIZE_BYTES)
    for stream_id in (1, 4 * ID_SPAN + 1, 6 * ID_SPAN - 1):
        with pytest.raises(MuxerError):
            session.receive(opening(stream_id))


def test_answer_with_another_value_is_a_violation() -> None:
    session = listener_with_stream()
    session.ping(7)
    with pytest.raises(MuxerError):
        session.receive(pinging(8, flags=ACK))


def test_second_answer_is_a_violation() -> None:
    session = listener_with_stream()
    session.ping(7)
    session.receive(pinging(7, flags=ACK))
    with pytest.raises(MuxerError):
        session.receive(pinging(7, flags=ACK))


@pytest.mark.parametrize("flags", [1 << bit for bit in range(4, 16)])
def test_flags_without_a_meaning_are_ignored(flags: int) -> None:
    session = listener_with_stream()
    raw = encode_header(DATA, flags=flags, stream_id=1, length=1) + b"x"
    (event,) = session.receive(raw)
    assert event == listener_with_stream().receive(carrying(1, b"x"))[0]


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_mean_the_same_in_any_pieces(raw: bytes, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> tuple[str, list[Frame], int, int]:
        session = listener_with_stream()
        error = ""
        try:
            for part in parts:
                session.receive(part)
        except MuxerError as raised:
            error = str(raised)
        return error, sent(session), session.unread_bytes, session.stream_count

    assert outcome([raw]) == outcome(list(pieces(raw, cuts)))
