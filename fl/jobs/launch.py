"""Start a worker process and hold both ends of the talk with it.

The worker inherits one end of a socket pair, so nobody else can reach it, and what it prints cannot
mix with messages. It learns of the death of the node, however sudden, from the end of that stream.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from fl.jobs.framing import CHUNK_SIZE_BYTES

WORKER_MODULE: Final = "fl.worker"
PRINTED_LINE_LETTERS_MAX: Final = 1 << 16

# The one workspace with which cuBLAS gives the same result twice; it is read when CUDA starts.
_CUBLAS_WORKSPACE: Final = ":4096:8"


def threads_left(*, reserved: int = 1) -> int:
    """Return how many threads a worker may use so that its node keeps `reserved` cores."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores - reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCommand:
    """How a worker is started.

    Args:
        module: what `python -m` runs; a network of attackers names an entry of its own.
        options: words of the command line for such an entry; `fl.worker` itself knows none.
        device: auto, cpu, cuda or cuda:N.
        threads: at most so many cores.
        memory_bytes_max: the most memory of its own; it is refused more, and killed if it gets it.
        environment: variables beside those of this process.
    """

    module: str = WORKER_MODULE
    options: tuple[str, ...] = ()
    device: str = "auto"
    threads: int = field(default_factory=threads_left)
    memory_bytes_max: int = 16 << 30
    environment: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, descriptor: int) -> list[str]:
        """Return the command line of a worker that talks through this file descriptor."""
        return [
            *(sys.executable, "-X", "faulthandler", "-m", self.module, *self.options),
            *("--fd", str(descriptor)),
            *("--device", self.device),
            *("--threads", str(self.threads)),
            *("--memory-bytes-max", str(self.memory_bytes_max)),
        ]

    def variables(self) -> dict[str, str]:
        """Return the environment of the worker."""
        threads = {
            # OpenMP reads its number when numpy or torch is loaded; to set it later is too late.
            "OMP_NUM_THREADS": str(self.threads),
            "TOKENIZERS_PARALLELISM": "false",
            "CUBLAS_WORKSPACE_CONFIG": _CUBLAS_WORKSPACE,
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **threads, **self.environment}


@dataclass(frozen=True, slots=True)
class Child:
    """A worker process and the node's ends of its streams."""

    running: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, command: WorkerCommand) -> Self:
        """Start a worker.

        Raises:
            OSError: the system starts no more processes or opens no more files.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours, limit=CHUNK_SIZE_BYTES)
            try:
                running = await asyncio.create_subprocess_exec(
                    *command.arguments(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=[theirs.fileno()],
                    env=command.variables(),
                    limit=PRINTED_LINE_LETTERS_MAX,
                    # Ctrl-C in a terminal is for the node, which then stops its workers in order.
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        return cls(running, reader, writer)

    def kill(self) -> None:
        """End the worker at once; one that has ended already is left alone."""
        if self.running.returncode is None:
            self.running.kill()

    async def buried(self) -> int:
        """Close our end, wait for the death of the worker, and return its exit status."""
        self.writer.close()
        return await self.running.wait()
