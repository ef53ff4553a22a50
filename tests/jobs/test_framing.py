"""Frames between a node and its worker, and what is refused in their place."""

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.jobs.errors import MalformedFrameError
from fl.jobs.framing import CHUNK_SIZE_BYTES, FRAME_SIZE_BYTES_MAX, FrameReader, to_frame
from primitives.errors import LocalProtocolError


def _read(received: bytes) -> list[bytes]:
    return list(FrameReader().feed(received))


@settings(max_examples=60)
@given(messages=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(1, 40)))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(to_frame, messages))
    reader = FrameReader()
    arrived: list[bytes] = []
    for cut in cuts:
        arrived += reader.feed(stream[:cut])
        stream = stream[cut:]
    arrived += reader.feed(stream)
    assert arrived == messages


def test_longest_frame_passes_and_one_byte_more_is_refused_on_both_sides() -> None:
    longest = bytes(FRAME_SIZE_BYTES_MAX)
    assert _read(to_frame(longest) * 3) == [longest] * 3
    with pytest.raises(LocalProtocolError, match="limit 1048576"):
        to_frame(longest + b"\0")
    with pytest.raises(MalformedFrameError):
        _read(msgpack.packb(longest + b"\0"))


def test_header_that_promises_gigabytes_costs_the_memory_of_one_frame() -> None:
    reader = FrameReader()
    assert list(reader.feed(b"\xc6\xff\xff\xff\xff" + bytes(FRAME_SIZE_BYTES_MAX))) == []
    with pytest.raises(MalformedFrameError, match="over the limit"):
        list(reader.feed(bytes(2 * CHUNK_SIZE_BYTES)))


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(b"\x00", id="number"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(b"\xa0", id="empty text"),
        pytest.param(b"\xd9\x05hello", id="text"),
        pytest.param(b"\x90", id="empty array"),
        pytest.param(b"\x91" * 1_000, id="nested arrays"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="array of four thousand million"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="map of four thousand million"),
        pytest.param(b"\xd4\x05a", id="extension"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="timestamp"),
        pytest.param(b"\xc1", id="byte that msgpack never uses"),
        pytest.param(b"\x80\x04\x95", id="pickle"),
        pytest.param(b"Traceback (most recent call last):", id="text of a crash"),
    ],
)
def test_anything_but_a_frame_is_refused(rubbish: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        _read(to_frame(b"fine") + rubbish)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_random_bytes_give_frames_or_one_refusal(rubbish: bytes) -> None:
    with suppress(MalformedFrameError):
        assert all(isinstance(message, bytes) for message in _read(rubbish))
