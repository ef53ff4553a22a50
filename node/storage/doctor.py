"""The doctor: reads a whole environment and names every record that is not what was written.

Core of `hanse node doctor`. The reading is done by `node.storage.examiner` in processes of their
own: one that is aborted by damaged pages is a finding, and another one reads the remaining tables.
What a room knows about its own tables (state root, supply) comes in as further checks.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Final

import msgspec

from node.storage.errors import StorageInUseError
from node.storage.examiner import (
    TRACE_BYTES,
    Damage,
    Fact,
    Finished,
    Line,
    Opened,
    Request,
    TableFound,
    read_trace,
)
from node.storage.lock_file import LockFile
from primitives.errors import StorageError

EXAMINATION_SECONDS_MAX: Final = 3_600

Watcher = Callable[[Line], None]


def _unwatched(_: Line) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the doctor found.

    Args:
        opened: None if the environment does not even open.
        facts: what the checks tell.
        is_live: a node was running; then the structure of the pages was not checked.
    """

    opened: Opened | None
    tables: tuple[TableFound, ...]
    facts: tuple[Fact, ...]
    damages: tuple[Damage, ...]
    is_live: bool

    @property
    def is_sound(self) -> bool:
        """Tell whether everything is what was written."""
        return not self.damages


def examine_environment(
    folder: Path, *, schema: str, checks: tuple[str, ...] = (), watch: Watcher = _unwatched
) -> Report:
    """Examine the environment in a folder, which may be in use; change nothing.

    The schema and the checks are named as `module:name`; see `examiner.Request`. Who watches is
    told each finding at once, since a large database takes minutes.

    Raises:
        StorageError: there is no database in the folder, or it cannot be used.
    """
    if not folder.is_dir():
        raise StorageError(f"there is no database at {folder}")
    try:
        lock = LockFile.take(folder)
    except StorageInUseError:
        return _examine(folder, schema, checks, is_live=True, watch=watch)
    except OSError as error:
        raise StorageError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        return _examine(folder, schema, checks, is_live=False, watch=watch)
    finally:
        lock.release()


def _examine(
    folder: Path, schema: str, checks: tuple[str, ...], *, is_live: bool, watch: Watcher
) -> Report:
    lines: list[Line] = []
    skipped: list[str] = []
    with TemporaryDirectory() as scratch:
        trace = Path(scratch) / "trace"
        while not lines or not isinstance(lines[-1], Finished):
            trace.write_bytes(b" " * TRACE_BYTES)
            request = Request(
                folder=str(folder),
                schema=schema,
                checks=checks,
                skipped=tuple(skipped),
                is_live=is_live,
                trace=str(trace),
            )
            found, end = _run_examiner(request, watch)
            lines += found
            if end:
                table, key = read_trace(trace)
                reason = f"reading on from here {end}"
                lines.append(Damage(table, key, reason))
                # What ended it in no table, or in one twice, would end the next one too.
                if not table or table in skipped:
                    lines.append(Finished())
                skipped.append(table)
    return _report(lines, is_live=is_live)


def _run_examiner(request: Request, watch: Watcher) -> tuple[list[Line], str]:
    """Return what an examiner wrote, and how it ended if not by itself."""
    argument = msgspec.json.encode(request).decode()
    command = [sys.executable, "-m", "node.storage.examiner", argument]
    decoder = msgspec.json.Decoder(Line)
    lines: list[Line] = []
    is_late = threading.Event()
    with (
        # Not a pipe: nobody reads one while the findings are read.
        TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - this interpreter, with our own module
            command, stdout=subprocess.PIPE, stderr=complaints
        ) as examiner,
    ):

        def end_late() -> None:
            is_late.set()
            examiner.kill()

        alarm = threading.Timer(EXAMINATION_SECONDS_MAX, end_late)
        alarm.start()
        try:
            assert examiner.stdout is not None
            for raw in examiner.stdout:
                # The last line of one that was killed may be cut.
                if raw.endswith(b"\n"):
                    lines.append(decoder.decode(raw))
                    watch(lines[-1])
            status = examiner.wait()
        finally:
            alarm.cancel()
        if is_late.is_set():
            return lines, f"takes longer than {EXAMINATION_SECONDS_MAX} s"
        return lines, _end_of(status, complaints)


def _end_of(status: int, complaints: IO[bytes]) -> str:
    """Return how a process ended, nothing if by itself."""
    if status < 0:
        return f"ends the process with {signal.Signals(-status).name}"
    if status:
        complaints.seek(0)
        reason = complaints.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"fails: {reason}"
    return ""


def _report(lines: list[Line], *, is_live: bool) -> Report:
    opened = [line for line in lines if isinstance(line, Opened)]
    # A second examiner finds again what the first one found.
    tables = {line.name: line for line in lines if isinstance(line, TableFound)}
    damages = dict.fromkeys(line for line in lines if isinstance(line, Damage))
    facts = dict.fromkeys(line for line in lines if isinstance(line, Fact))
    return Report(
        opened=opened[0] if opened else None,
        tables=tuple(tables.values()),
        facts=tuple(facts),
        damages=tuple(damages),
        is_live=is_live,
    )
