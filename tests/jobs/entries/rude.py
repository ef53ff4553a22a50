"""A worker entry that says the wrong things; the environment variable RUDE says which.

garbage      bytes that are no frame
oversized    a frame that promises 4 GiB
not-message  a frame that holds no message
version      a worker of the next version
stranger     a result of a job that nobody asked for
other-kind   a result of another kind of job
silent       nothing at all
mute         ready, and then nothing
deaf         ready, and closes the stream while it lives on
"""

import os
import socket
import sys
import time

import msgpack

from fl.jobs.framing import to_frame
from fl.jobs.messages import (
    FROM_WORKER_CODEC,
    PROTOCOL_VERSION,
    Finished,
    FromWorker,
    Ready,
)
from fl.jobs.results import InspectResult, TrainResult
from tests.jobs.orders import a_blob

GREETING: FromWorker = Ready(PROTOCOL_VERSION)
OTHER = TrainResult(
    update=a_blob("update"), norm=0, losses_micronats=(0, 0), steps=0, tokens=0, samples=0, parts=1
)


def _framed(message: FromWorker) -> bytes:
    return to_frame(FROM_WORKER_CODEC.encode(message))


WORDS: dict[str, bytes] = {
    "garbage": b"Traceback (most recent call last):",
    "oversized": b"\xc6\xff\xff\xff\xff" + bytes(2 << 20),
    "not-message": _framed(GREETING) + to_frame(msgpack.packb([9, 9])),
    "version": _framed(Ready(PROTOCOL_VERSION + 1)),
    "stranger": _framed(GREETING) + _framed(Finished(77, InspectResult(facts=()))),
    "other-kind": _framed(GREETING),
    "silent": b"",
    "mute": _framed(GREETING),
    "deaf": _framed(GREETING),
}


def main() -> None:
    """Say it and stay."""
    which = os.environ["RUDE"]
    with socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1])) as talk:
        talk.sendall(WORDS[which])
        if which == "other-kind":
            talk.recv(1 << 16)
            talk.sendall(_framed(Finished(1, OTHER)))
        if which != "deaf":
            time.sleep(60)
    time.sleep(60)


if __name__ == "__main__":
    main()
