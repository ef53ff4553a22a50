"""Read and write the header in front of every yamux frame: 12 bytes, big endian.

    version u8 = 0 | type u8 | flags u16 | stream id u32 | length u32

The first eight bytes are handled as one number, the head: the head of a data frame without flags,
which is nearly every frame, is the id of its stream. Source: the yamux specification of HashiCorp
as go-, js- and py-libp2p speak it.
"""

import struct
from typing import Final

HEADER_SIZE_BYTES: Final = 12
HEADER: Final = struct.Struct(">QI")
"""A header as (head, length)."""

NUMBER_MAX: Final = 2**32 - 1
"""The largest stream id, length, ping value and code."""

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

SESSION_ID: Final = 0
"""The stream id of frames that concern the session."""

NORMAL_TERMINATION: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2


def encode_header(kind: int, *, flags: int = 0, stream_id: int = SESSION_ID, length: int) -> bytes:
    """Return the 12 bytes in front of a frame.

    Args:
        kind: DATA, WINDOW_UPDATE, PING or GO_AWAY.
        flags: any of SYN, ACK, FIN and RST, added.
        stream_id: the stream, or SESSION_ID.
        length: the body's size in bytes, the credit to add, the ping's value, or the code.
    """
    return HEADER.pack(kind << 48 | flags << 32 | stream_id, length)


def version_of(head: int) -> int:
    """Return the version that a head names."""
    return head >> 56


def kind_of(head: int) -> int:
    """Return the type that a head names; above GO_AWAY there is none."""
    return head >> 48 & 0xFF


def flags_of(head: int) -> int:
    """Return the flags of a head; bits that are not assigned mean nothing."""
    return head >> 32 & 0xFFFF


def stream_id_of(head: int) -> int:
    """Return the stream that a head names."""
    return head & NUMBER_MAX
