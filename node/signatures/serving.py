"""The verifier's side of the socket: read a batch, check it, answer, until the node is gone."""

import argparse
import os
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from node.signatures.checking import ClaimChecker
from node.signatures.claims import (
    CLAIM_SIZE_BYTES,
    CLAIMS_MAX,
    GREETING_NUMBER,
    HEAD,
    encode_answer,
    split_claims,
)

EXIT_REFUSED: Final = 2


def start(arguments: Sequence[str]) -> int:
    """Serve the socket that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m node.signatures", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    descriptor = parser.parse_args(arguments).fd
    try:
        connected = _connected(descriptor)
    except OSError as error:
        sys.stderr.write(f"--fd {descriptor}: {error}: a verifier is started by a node\n")
        return EXIT_REFUSED
    with connected:
        return serve(connected)


def serve(connected: socket.socket) -> int:
    """Answer until the other side is gone; return 0, or EXIT_REFUSED if it is not understood."""
    checker = ClaimChecker()
    _send(connected, encode_answer(GREETING_NUMBER, []))
    while head := _receive(connected, HEAD.size):
        number, count = HEAD.unpack(head)
        if count > CLAIMS_MAX:
            return EXIT_REFUSED
        body = _receive(connected, count * CLAIM_SIZE_BYTES)
        if len(body) < count * CLAIM_SIZE_BYTES:
            break
        _send(connected, encode_answer(number, checker.check(split_claims(body))))
    return 0


def _connected(descriptor: int) -> socket.socket:
    # A socket object on anything else fails late, or closes what it does not own.
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError("no socket")
    return socket.socket(fileno=descriptor)


def _send(connected: socket.socket, frame: bytes) -> None:
    # A node that is gone is found out when it is next listened to.
    with suppress(OSError):
        connected.sendall(frame)


def _receive(connected: socket.socket, size_bytes: int) -> bytes:
    """Return exactly so many bytes, or nothing once the other side is gone."""
    parts: list[bytes] = []
    missing = size_bytes
    while missing:
        try:
            part = connected.recv(missing)
        except OSError:
            # A node that is killed with unread answers resets the stream instead of ending it.
            return b""
        if not part:
            return b""
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
