"""Frames as a peer may send them, and readers of what a session sends."""

from dataclasses import dataclass
from typing import Final

from p2p.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER,
    HEADER_SIZE_BYTES,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    encode_header,
    flags_of,
    kind_of,
    stream_id_of,
)

TAKE_SIZE_BYTES: Final = 65_519
"""The plaintext of one Noise message, which is what a connection takes at a time."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `length` is the size of the body only in a data frame."""

    kind: int
    flags: int
    stream_id: int
    length: int
    body: bytes = b""


def opening(stream_id: int, *, credit: int = 0) -> bytes:
    return encode_header(WINDOW_UPDATE, flags=SYN, stream_id=stream_id, length=credit)


def accepting(stream_id: int, *, credit: int = 0) -> bytes:
    return encode_header(WINDOW_UPDATE, flags=ACK, stream_id=stream_id, length=credit)


def ending(stream_id: int) -> bytes:
    return encode_header(WINDOW_UPDATE, flags=FIN, stream_id=stream_id, length=0)


def resetting(stream_id: int) -> bytes:
    return encode_header(WINDOW_UPDATE, flags=RST, stream_id=stream_id, length=0)


def crediting(stream_id: int, size_bytes: int) -> bytes:
    return encode_header(WINDOW_UPDATE, stream_id=stream_id, length=size_bytes)


def carrying(stream_id: int, body: bytes, *, flags: int = 0) -> bytes:
    return encode_header(DATA, flags=flags, stream_id=stream_id, length=len(body)) + body


def announcing(stream_id: int, size_bytes: int, *, flags: int = 0) -> bytes:
    """Return the header of a body that does not follow."""
    return encode_header(DATA, flags=flags, stream_id=stream_id, length=size_bytes)


def pinging(value: int, *, flags: int = SYN) -> bytes:
    return encode_header(PING, flags=flags, length=value)


def leaving(code: int) -> bytes:
    return encode_header(GO_AWAY, length=code)


def frames_in(raw: bytes) -> list[Frame]:
    """Read what a session sent; it must be whole frames."""
    frames = []
    offset = 0
    while offset < len(raw):
        head, length = HEADER.unpack_from(raw, offset)
        offset += HEADER_SIZE_BYTES
        end = offset + (length if kind_of(head) == DATA else 0)
        assert end <= len(raw), "only whole frames leave a session"
        frames.append(
            Frame(kind_of(head), flags_of(head), stream_id_of(head), length, raw[offset:end])
        )
        offset = end
    return frames
