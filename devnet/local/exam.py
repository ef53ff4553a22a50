"""Our side of the child that measures models: give it a MODEL blob, get figures."""

import asyncio
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from devnet.local.errors import ChildFailedError
from fl.jobs.subject import AdapterShape, FrozenModel

COMMAND: Final = (sys.executable, "-m", "devnet.local.examination")
_SAID_LETTERS_MAX: Final = 2_000


class Exam(msgspec.Struct, frozen=True, kw_only=True):
    """What all models of a task are measured on.

    Args:
        test: the folder of the test split.
        turns: the folder of the turns, see `turns.py`.
    """

    frozen: FrozenModel
    adapter: AdapterShape
    test: str
    label_names: tuple[str, ...]
    tokens: int
    threads: int
    turns: str
    at_once: int


class ExamRoom:
    """The child, started by the first question, and anew once it ended; a context manager."""

    def __init__(self, exam: Exam, *, command: Sequence[str] = COMMAND) -> None:
        self._exam = exam
        self._command = command
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Own a child from now on."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    async def measure(self, place: str) -> dict[str, float]:
        """Return the figures of the MODEL blob in a file; of W_0 without one.

        Raises:
            ChildFailedError: it cannot be measured.
        """
        async with self._turn:
            child = self._child
            if child is None or child.returncode is not None:
                child = self._child = await self._started()
            assert child.stdin is not None, "its streams are pipes"
            assert child.stdout is not None, "its streams are pipes"
            child.stdin.write(f"{place}\n".encode())
            line = await child.stdout.readline()
            if line:
                return msgspec.json.decode(line, type=dict[str, float])
            assert child.stderr is not None, "its streams are pipes"
            said = (await child.stderr.read()).decode(errors="replace").strip()
            await child.wait()
            raise ChildFailedError(said[-_SAID_LETTERS_MAX:] or "the examination ended")

    async def _started(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert child.stdin is not None, "its streams are pipes"
        child.stdin.write(msgspec.json.encode(self._exam) + b"\n")
        return child
