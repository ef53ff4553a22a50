"""A way to a node that breaks at chosen requests, as where a node is restarted at a bad moment."""

import enum
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

_PIECE_BYTES: Final = 1 << 16


@enum.unique
class Loss(enum.Enum):
    """What is lost when the way breaks."""

    REQUEST = "request"
    ANSWER = "answer"
    """The node did what it was asked for, and whoever asked does not know."""


@contextmanager
def shaky_way(url: str, breaks: Mapping[bytes, list[Loss]]) -> Iterator[str]:
    """Yield an address at which a node is reached.

    Args:
        url: of the node.
        breaks: by the beginning of a request, as b"POST /v1/transactions": what is lost of the
            first ones, which are taken off the list; later ones go through.
    """
    place = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((place.hostname or "", place.port or 80))
                with near, far, suppress(OSError):
                    _carry(near, far, breaks)

    thread = threading.Thread(target=serve, name="shaky way", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _carry(near: socket.socket, far: socket.socket, breaks: Mapping[bytes, list[Loss]]) -> None:
    """Carry one connection until either side ends it, or it breaks."""
    loss: Loss | None = None
    while True:
        for ready in select.select([near, far], [], [])[0]:
            piece = ready.recv(_PIECE_BYTES)
            if ready is near:
                loss = loss or _loss(piece, breaks)
            if not piece or loss is Loss.REQUEST or (loss is Loss.ANSWER and ready is far):
                return
            (far if ready is near else near).sendall(piece)


def _loss(request: bytes, breaks: Mapping[bytes, list[Loss]]) -> Loss | None:
    for beginning, losses in breaks.items():
        if request.startswith(beginning) and losses:
            return losses.pop(0)
    return None
