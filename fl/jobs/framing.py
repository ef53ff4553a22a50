"""Cut the stream between node and worker into frames.

A frame is one msgpack binary object, so its length comes first, and inside it is the canonical
encoding of one message. The streaming decoder is told to accept nothing else, no text, number,
array or map, and its buffer has room for one frame at the limit, so a header that promises more
costs the memory of one frame. Big things never travel here; they pass as paths of files.
"""

from collections.abc import Iterator
from typing import Final

import msgpack

from fl.jobs.errors import MalformedFrameError
from primitives.errors import LocalProtocolError

FRAME_SIZE_BYTES_MAX: Final = 1 << 20
"""The longest message, its header not counted."""

CHUNK_SIZE_BYTES: Final = 1 << 16
"""How much is read from a socket, and handed to the decoder, at a time."""

_HEADER_SIZE_BYTES_MAX: Final = 5


def to_frame(message: bytes) -> bytes:
    """Return the frame of one encoded message.

    Raises:
        LocalProtocolError: it is over the limit, so that the other side would refuse it.
    """
    if len(message) > FRAME_SIZE_BYTES_MAX:
        raise LocalProtocolError(f"frame of {len(message)} bytes > limit {FRAME_SIZE_BYTES_MAX}")
    packed: bytes = msgpack.packb(message)
    return packed


class FrameReader:
    """Collects what a socket gives and yields what is complete; never holds over 1.1 MiB."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(
            raw=False,
            max_buffer_size=FRAME_SIZE_BYTES_MAX + CHUNK_SIZE_BYTES + _HEADER_SIZE_BYTES_MAX,
            max_bin_len=FRAME_SIZE_BYTES_MAX,
            max_str_len=0,
            max_array_len=0,
            max_map_len=0,
            max_ext_len=0,
        )

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete with these bytes, in order.

        Raises:
            MalformedFrameError: not a frame, or one over the limit; nothing after it can be read.
        """
        for start in range(0, len(received), CHUNK_SIZE_BYTES):
            try:
                self._unpacker.feed(received[start : start + CHUNK_SIZE_BYTES])
            except msgpack.BufferFull as error:
                limit = f"limit {FRAME_SIZE_BYTES_MAX} bytes"
                raise MalformedFrameError(f"a frame is over the {limit}") from error
            yield from self._complete()

    def _complete(self) -> Iterator[bytes]:
        while True:
            try:
                message = self._unpacker.unpack()
            except msgpack.OutOfData:
                return
            except (ValueError, msgpack.UnpackException) as error:
                raise MalformedFrameError(f"not a frame: {error}") from error
            if not isinstance(message, bytes):
                raise MalformedFrameError(f"expected a frame, got {type(message).__name__}")
            yield message
