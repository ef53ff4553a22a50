"""Start nodes as processes of their own, and stop, kill, pause or continue them.

Each has a session of its own, so that Ctrl-C in a terminal reaches none of them, a log file, and a
file that says who it is; so `up`, `status` and `down` may be three programs that know nothing of
each other.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devnet.local.errors import DevnetRunsError, NodeDiedError
from devnet.local.pid_file import (
    Running,
    is_alive,
    read_pid,
    running_as,
    signal_group,
    write_pid,
)

LOOK_S: Final = 0.05
STOP_S: Final = 15.0
TAIL_BYTES: Final = 4_096
NODE_MODULE: Final = "node"


def node_command(home: Path) -> tuple[str, ...]:
    """Return the command line of the node in a folder."""
    return (sys.executable, "-X", "faulthandler", "-m", NODE_MODULE, "--folder", str(home))


@dataclass(slots=True)
class Supervisor:
    """The processes of one folder.

    Args:
        folder: of the network; it gets `pids/` and `logs/`.
        variables: of the environment, beside those of this process.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)

    def start(self, name: str, command: Sequence[str]) -> Running:
        """Start a process under a name.

        Raises:
            DevnetRunsError: one runs under it already.
        """
        if self.is_alive(name):
            raise DevnetRunsError(f"{name} runs already")
        self._wait_out(name)
        log = self.log_path(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - this interpreter with our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **_PATHS, **self.variables},
                start_new_session=True,
            )
        running = running_as(child.pid)
        if running is None:
            raise NodeDiedError(f"{name} ended at once: {self.last_words(name)}")
        self._children[name] = child
        write_pid(self._pid_path(name), running)
        return running

    def known(self) -> tuple[str, ...]:
        """Return the names under which a process was started here, by any program."""
        return tuple(sorted(path.stem for path in (self.folder / "pids").glob("*.json")))

    def running(self, name: str) -> Running | None:
        """Return the process of a name, None if it runs no more."""
        running = read_pid(self._pid_path(name))
        if is_alive(running):
            return running
        self._bury(name)
        return None

    def is_alive(self, name: str) -> bool:
        """Tell whether the process of a name runs; a paused one does."""
        return self.running(name) is not None

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Signal a process and its group; False if it runs no more."""
        running = self.running(name)
        return running is not None and signal_group(running, number)

    async def stop(self, *names: str, patience_s: float = STOP_S) -> None:
        """Ask processes to end, and kill those that have not after a while."""
        for name in names:
            # A paused process would not hear it.
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        await self._gone(names, limit_s=patience_s)
        await self.kill(*names)

    async def kill(self, *names: str) -> None:
        """End processes at once, as a crash would."""
        for name in names:
            self.signal(name, signal.SIGKILL)
        await self._gone(names, limit_s=STOP_S)
        for name in names:
            if not self.is_alive(name):
                self._pid_path(name).unlink(missing_ok=True)
                await asyncio.to_thread(self._wait_out, name)

    def log_path(self, name: str) -> Path:
        """Return the file that takes what a process says."""
        return self.folder / "logs" / f"{name}.log"

    def last_words(self, name: str) -> str:
        """Return the end of what a process said."""
        try:
            with self.log_path(name).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""

    async def _gone(self, names: Sequence[str], *, limit_s: float) -> None:
        for _ in range(round(limit_s / LOOK_S)):
            if not any(self.is_alive(name) for name in names):
                return
            await asyncio.sleep(LOOK_S)

    def _bury(self, name: str) -> None:
        """Let a child that ended go; the system keeps its number until then."""
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            del self._children[name]

    def _wait_out(self, name: str) -> None:
        """Wait for the threads of a child that was killed; it is dead before the last has ended."""
        child = self._children.pop(name, None)
        if child is not None:
            child.wait(timeout=STOP_S)

    def _pid_path(self, name: str) -> Path:
        return self.folder / "pids" / f"{name}.json"


# A node is started in the folder of the network, and finds our packages wherever this program did.
_PATHS: Final = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
