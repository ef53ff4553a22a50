"""Who runs as what: a file with the number of a process and the moment it started.

Numbers are used again, and a file may outlive its process by a reboot; the moment tells whether the
process of that number is still the one that was meant, so that a stranger is never signalled.
"""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final

import msgspec

FILE_BYTES_MAX: Final = 4_096
_START_FIELD: Final = 22
"""Of /proc/PID/stat, counted from 1: the clock ticks from boot to the start."""
_AFTER_NAME: Final = 3
_ZOMBIE: Final = "Z"


class Running(msgspec.Struct, frozen=True):
    """A process, and when it started as the system tells it."""

    pid: int
    started: str


def write_pid(path: Path, running: Running) -> None:
    """Put the file in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(msgspec.json.encode(running))
    draft.replace(path)


def read_pid(path: Path) -> Running | None:
    """Return what a file says, None if there is none or it cannot be read."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES_MAX), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None


def running_as(pid: int) -> Running | None:
    """Return the process of a number, None if there is none or it is dead already."""
    started = _started(pid)
    return None if started is None else Running(pid, started)


def is_alive(running: Running | None) -> bool:
    """Tell whether this very process still runs; a paused one does."""
    return running is not None and running_as(running.pid) == running


def signal_group(running: Running, number: int) -> bool:
    """Signal a process with all that it started in its group; False if it runs no more."""
    if not is_alive(running):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, number)
        return True
    return False


def _started(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _asked(pid)
    except OSError:
        return None
    # The name, in parentheses, may hold anything, parentheses too.
    fields = stat.rpartition(")")[2].split()
    if not fields or fields[0] == _ZOMBIE:
        return None
    return fields[_START_FIELD - _AFTER_NAME]


def _asked(pid: int) -> str | None:
    """Ask `ps`, where the system has no /proc."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith(_ZOMBIE) else None
