"""Say what a yamux session tells its owner about the bytes that came.

They are structs of msgspec because one is made for nearly every frame: a frozen dataclass costs
six times as much to make.
"""

import msgspec


class StreamOpened(msgspec.Struct, frozen=True, gc=False):
    """The peer opened a stream, and it was accepted."""

    stream_id: int


class PayloadReceived(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a stream came, in order; never empty. The owner says when they are consumed."""

    stream_id: int
    payload: bytes


class WriteOpened(msgspec.Struct, frozen=True, gc=False):
    """Credit came for a stream whose bytes were waiting for it."""

    stream_id: int


class StreamHalfClosed(msgspec.Struct, frozen=True, gc=False):
    """The peer ended its direction of a stream; we may still send."""

    stream_id: int


class StreamReset(msgspec.Struct, frozen=True, gc=False):
    """A stream is gone in both directions: the peer gave it up, or a bound of ours was reached."""

    stream_id: int


class Ponged(msgspec.Struct, frozen=True, gc=False):
    """The peer answered our ping."""

    value: int


class SessionClosed(msgspec.Struct, frozen=True, gc=False):
    """The peer said goodbye, and nothing that follows counts; 0 is the code of an orderly end."""

    code: int


YamuxEvent = (
    StreamOpened
    | PayloadReceived
    | WriteOpened
    | StreamHalfClosed
    | StreamReset
    | Ponged
    | SessionClosed
)
