"""Start a verifier and hold the node's end of the talk with it.

It inherits one end of a socket pair, so nobody else can reach it, and it learns of the death of the
node, however sudden, from the end of that stream.
"""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, cast

from typing_extensions import override

from node.signatures.claims import Answer, AnswerReader
from primitives.errors import MalformedBytesError

VERIFIER_MODULE: Final = "node.signatures"
FAREWELL_S: Final = 1.0
BUFFER_SIZE_BYTES: Final = 8_192


class Line(asyncio.BufferedProtocol):
    """Frames to a verifier and answers from it.

    Args:
        on_answer: called for each answer; MalformedBytesError from it ends the line.
    """

    def __init__(self, on_answer: Callable[[Answer], None]) -> None:
        self._on_answer = on_answer
        self._answers = AnswerReader()
        self._buffer = bytearray(BUFFER_SIZE_BYTES)
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """Send a request; lost if the line is."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the line."""
        self._transport = cast(asyncio.Transport, transport)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where the next bytes go."""
        del sizehint
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        """Pass on the answers."""
        try:
            for answer in self._answers.feed(bytes(self._buffer[:nbytes])):
                self._on_answer(answer)
        except MalformedBytesError:
            self.close()
            self.lost.set()

    @override
    def connection_lost(self, error: Exception | None) -> None:
        """Say that it is over."""
        del error
        self._transport = None
        self.lost.set()


class VerifierChild:
    """A running verifier."""

    def __init__(self, running: asyncio.subprocess.Process, line: Line) -> None:
        self._running = running
        self.line = line

    @classmethod
    async def start(cls, on_answer: Callable[[Answer], None], *, module: str) -> Self:
        """Start a verifier.

        Raises:
            OSError: the system starts no more processes or opens no more files.
        """
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        with theirs:
            _, line = await loop.create_connection(lambda: Line(on_answer), sock=ours)
            try:
                running = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", module, "--fd", str(theirs.fileno())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C in a terminal is for the node, which then hangs up.
                    start_new_session=True,
                )
            except BaseException:
                line.close()
                raise
        return cls(running, line)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._running.pid

    async def bury(self) -> int:
        """Hang up, kill what does not leave in time, and return the exit status."""
        self.line.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                return await self._running.wait()
        with suppress(ProcessLookupError):
            self._running.kill()
        return await self._running.wait()
