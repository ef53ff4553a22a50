"""Servers that are no node: each answers every connection in its own wrong way."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

RUDE: Final = "\x1b[2J\r\nerror: all is well\n" + "x" * 5_000


def _http(status: str, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
    return f"{head}Location: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n".encode() + body


ANSWERS: Final = {
    "nothing": b"",
    "no HTTP": b"\x00\xff220 mail.example ESMTP\r\n" * 9,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no JSON": _http("200 OK", b"{"),
    "another type": _http("200 OK", b"[1,2]"),
    "null": _http("200 OK", b"null"),
    "wrong fields": _http("200 OK", b'{"height":"-1","chain_id":"zz","time_ms":1e400}'),
    "a chain of no digits": _http(
        "200 OK",
        b'{"chain_id":"%s","chain_name":"x","height":1,"digest":"%s","state_root":"%s"}'
        % (b"z" * 64, b"0" * 64, b"0" * 64),
    ),
    "depth": _http("200 OK", b"[" * 200_000),
    "no UTF-8": _http("200 OK", b'"\xff\xfe"'),
    "too short": _http("200 OK", b"{}", length=1_000),
    "elsewhere": _http("302 Found", b""),
    "a page": _http("500 Internal Server Error", b"<html>oops</html>"),
    "a rude refusal": _http(
        "422 Unprocessable Entity", json.dumps({"code": "x\n", "message": RUDE}).encode()
    ),
    "a status that is none": b"HTTP/1.1 999999 \x1b[2J\r\n\r\n",
}


@contextmanager
def garbage_server(answer: bytes, *, end: threading.Event | None = None) -> Iterator[str]:
    """Yield the address of a server that sends these bytes to whoever asks.

    Args:
        answer: from its first byte on.
        end: keep connections open until it is set, instead of closing them after the answer.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                    if end is not None:
                        end.wait()

    thread = threading.Thread(target=serve, name="garbage", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # A thread that waits in accept does not see that its socket was closed.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
