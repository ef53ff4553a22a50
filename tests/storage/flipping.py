"""Flip single bytes of a database file, and see what the tables and the doctor make of each.

Started as `python -m tests.storage.flipping FOLDER FLIPS SEED`; writes a line per flip: the place,
what reading gave, what the doctor gave. Each reading is a fork of this process, which has no
database open: damaged pages may end the process that reads them.
"""

import os
import resource
import sys
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from node.storage.batch import WriteBatch
from node.storage.examiner import TRACE_BYTES, Damage, Finished, Request, examine
from primitives.errors import StorageError
from tests.storage.places import NOTES, PAIRS, open_at, opened

KEYS: Final = 400


class Verdict(IntEnum):
    """How the fork ended; a signal counts as `ABORTED`."""

    SOUND = 0
    DETECTED = 10
    WRONG = 20
    ABORTED = 30


def write_content(folder: Path) -> None:
    """Fill a database in several commits, so that it has old pages and free pages too."""
    dice = Random(1)
    with opened(folder) as (_, writer):
        for generation in range(8):
            batch = WriteBatch()
            for key in dice.sample(range(KEYS), KEYS // 2):
                if dice.random() < 0.1:
                    batch.delete(NOTES, key)
                else:
                    batch.put(NOTES, key, dice.randbytes(dice.randrange(200)))
                batch.put(PAIRS, (key % 20, key), dice.randbytes(generation))
            writer.write(batch)
        batch = WriteBatch()
        batch.put(NOTES, KEYS, dice.randbytes(20_000))
        writer.write(batch)


def read_content(folder: Path) -> tuple[object, ...]:
    """Return everything that the tables say: by scan, and by key, absent keys included."""
    with open_at(folder) as environment, environment.snapshot() as snapshot:
        pairs = dict(snapshot.scan(PAIRS))
        return (
            dict(snapshot.scan(NOTES)),
            [snapshot.get(NOTES, key) for key in range(KEYS + 20)],
            pairs,
            [snapshot.get(PAIRS, (key % 20, key)) for key in range(KEYS)],
            [key for key, _ in snapshot.scan_back(PAIRS, first=(0, 0), last=(20, 0))],
        )


def examined(folder: Path, trace: Path) -> list[Damage]:
    """Return what the doctor's examiner finds."""
    trace.write_bytes(b" " * TRACE_BYTES)
    request = Request(
        folder=str(folder),
        schema="tests.storage.places:SCHEMA",
        checks=(),
        skipped=(),
        is_live=False,
        trace=str(trace),
    )
    lines = list(examine(request))
    assert isinstance(lines[-1], Finished)
    return [line for line in lines if isinstance(line, Damage)]


def in_a_fork(judge: Callable[[], Verdict]) -> Verdict:
    """Return the verdict of a fork; being aborted is one."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return Verdict(code) if code >= 0 else Verdict.ABORTED
    verdict = 1
    try:
        # What LMDB says when it gives up is not for the test's output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        verdict = judge()
    finally:
        os._exit(verdict)


def _flip(path: Path, place: int, mask: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ mask]))


def _judge_tables(folder: Path, expected: tuple[object, ...]) -> Verdict:
    try:
        found = read_content(folder)
    except StorageError:
        return Verdict.DETECTED
    return Verdict.SOUND if found == expected else Verdict.WRONG


def _judge_doctor(folder: Path, trace: Path) -> Verdict:
    return Verdict.DETECTED if examined(folder, trace) else Verdict.SOUND


def _main() -> None:
    folder, flips, dice = Path(sys.argv[1]), int(sys.argv[2]), Random(int(sys.argv[3]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = folder / "data.mdb"
    trace = folder / "trace"
    expected = read_content(folder)
    assert not examined(folder, trace), "the database was damaged before"
    for _ in range(flips):
        place, mask = dice.randrange(path.stat().st_size), 1 << dice.randrange(8)
        _flip(path, place, mask)
        tables = in_a_fork(partial(_judge_tables, folder, expected))
        doctor = in_a_fork(partial(_judge_doctor, folder, trace))
        _flip(path, place, mask)
        print(place, tables.name, doctor.name, flush=True)  # noqa: T201 - its result
    assert read_content(folder) == expected, "reading changed the database"


if __name__ == "__main__":
    _main()
