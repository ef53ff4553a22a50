import msgspec
import pytest

from p2p.probe.events import DECODER, ENCODER, AnyEvent, Done, Listening, MessageReceived, Pinged

MESSAGE = MessageReceived(
    topic="t",
    id="00ff",
    author="12D3KooWA",
    via="12D3KooWB",
    seqno="18446744073709551615",
    signed=True,
    size=1024,
    sha256="aa",
    index=0,
    intact=True,
)


@pytest.mark.parametrize(
    "event",
    [Listening("12D3KooWA", ("/ip4/127.0.0.1/tcp/1",)), Pinged("12D3KooWA", 1.5), MESSAGE],
)
def test_event_survives_its_line(event: AnyEvent) -> None:
    assert DECODER.decode(ENCODER.encode(event)) == event


def test_line_names_its_event() -> None:
    line = b'{"event":"done","ok":false,"fails":["expect: not in time"]}'
    assert ENCODER.encode(Done(ok=False, fails=("expect: not in time",))) == line


def test_author_of_a_message_is_called_from() -> None:
    assert b'"from":"12D3KooWA"' in ENCODER.encode(MESSAGE)


@pytest.mark.parametrize(
    "line",
    [b'{"event":"done","ok":true}', b'{"event":"done","ok":true,"fails":[],"why":0}', b"{}", b"12"],
)
def test_line_of_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        DECODER.decode(line)
