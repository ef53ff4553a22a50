"""The verifier's loop over a socket: it answers, and leaves with its node."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from node.signatures.claims import (
    CLAIMS_MAX,
    GREETING_NUMBER,
    HEAD,
    Answer,
    AnswerReader,
    encode_request,
)
from node.signatures.serving import EXIT_REFUSED, serve, start
from tests.signatures.claiming import false_claim, true_claim


class Served:
    """A verifier in a thread, and our end of its socket."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.status: int | None = None
        self._thread = threading.Thread(target=self._serve, args=(theirs,))
        self._thread.start()

    def _serve(self, theirs: socket.socket) -> None:
        with theirs:
            self.status = serve(theirs)

    def leave(self) -> int | None:
        self.ours.close()
        self._thread.join(timeout=5)
        return self.status


def test_batches_are_answered_until_the_node_is_gone() -> None:
    served = Served()
    served.ours.sendall(encode_request(1, [true_claim(0), false_claim(1)]) + encode_request(2, []))
    reader = AnswerReader()
    answers: list[Answer] = []
    while len(answers) < 3:
        answers += reader.feed(served.ours.recv(1_000))
    greeting = Answer(GREETING_NUMBER, [])
    assert answers == [greeting, Answer(1, [True, False]), Answer(2, [])]
    assert served.leave() == 0


@pytest.mark.parametrize("tail", [0, 1, HEAD.size, HEAD.size + 5])
def test_node_that_dies_within_a_frame_ends_the_verifier(tail: int) -> None:
    served = Served()
    served.ours.sendall(encode_request(1, [true_claim()])[:tail])
    assert served.leave() == 0


def test_node_that_takes_no_answer_ends_the_verifier() -> None:
    served = Served()
    served.ours.shutdown(socket.SHUT_RD)
    served.ours.sendall(encode_request(1, [true_claim()]))
    assert served.leave() == 0


def test_frame_over_the_limit_ends_the_verifier() -> None:
    served = Served()
    served.ours.sendall(HEAD.pack(1, CLAIMS_MAX + 1))
    assert served.leave() == EXIT_REFUSED


def test_verifier_serves_the_socket_that_its_command_line_names() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    assert start(["--fd", str(theirs.detach())]) == 0


def test_verifier_started_by_hand_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with open(os.devnull, "rb") as file:  # noqa: PTH123 - a descriptor that is no socket
        assert start(["--fd", str(file.fileno())]) == EXIT_REFUSED
    assert "started by a node" in capsys.readouterr().err


def test_module_can_be_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "node.signatures", "--fd", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_REFUSED
    assert done.stderr.count("\n") == 1
