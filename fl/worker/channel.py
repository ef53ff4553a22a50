"""The worker's end of the socket: any thread may send, one thread receives."""

import socket
import threading
from collections.abc import Iterator

from fl.jobs.framing import CHUNK_SIZE_BYTES, FrameReader, to_frame
from fl.jobs.messages import FROM_WORKER_CODEC, TO_WORKER_CODEC, FromWorker, ToWorker


class Channel:
    """Messages over a connected socket, which the caller closes."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        # Frames of three threads must not mix.
        self._sending = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send a message; nothing happens if the client is gone, which the listener finds out."""
        frame = to_frame(FROM_WORKER_CODEC.encode(message))
        with self._sending:
            try:
                self._socket.sendall(frame)
            except OSError:
                return

    def messages(self) -> Iterator[ToWorker]:
        """Yield what the client says, until it is gone.

        Raises:
            MalformedFrameError: something that is no frame; nothing after it can be read.
            MalformedBytesError: a frame that holds no message.
        """
        frames = FrameReader()
        while received := self._receive():
            for raw in frames.feed(received):
                yield TO_WORKER_CODEC.decode(raw)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(CHUNK_SIZE_BYTES)
        except OSError:
            # A client that is killed with unread messages resets the stream instead of ending it.
            return b""
