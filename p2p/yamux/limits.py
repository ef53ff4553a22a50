"""Name every bound of one yamux session: streams, windows, and what may wait on either side."""

from dataclasses import dataclass
from typing import Final

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * KIBIBYTE

WINDOW_SIZE_BYTES: Final = 256 * KIBIBYTE
"""The credit of a new stream in each direction; the specification fixes it."""

BODY_SIZE_BYTES_MAX: Final = 65_507
"""The body of one frame that we send: with its header it fills exactly one Noise message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamuxLimits:
    """The bounds of one session.

    Attributes:
        inbound_streams: open streams of the peer; further ones are reset (js-libp2p: 1000).
        unacknowledged_streams: own streams the peer has not confirmed (go-yamux: 256).
        early_streams: own streams before the first bytes of the peer: js-libp2p aborts the
            connection when more than ten arrive before its upgrade has finished.
        window_bytes_max: what the window of a stream grows to while its reader keeps up (go, js
            and py: 16 MiB; memory is streams x window).
        unread_bytes_max: bytes of all streams that came and were not consumed; the stream that
            goes above is reset. Windows grow only while their sum stays below.
        control_bytes_max: answers that wait because the peer does not read: 1024 frames.
    """

    inbound_streams: int = 256
    unacknowledged_streams: int = 256
    early_streams: int = 4
    window_bytes_max: int = MEBIBYTE
    unread_bytes_max: int = 16 * MEBIBYTE
    control_bytes_max: int = 12 * KIBIBYTE


DEFAULT_LIMITS: Final = YamuxLimits()
