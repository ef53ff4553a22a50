"""Workers that take turns: of all workers that share a folder, only so many compute at one time.

A machine that carries a whole network would otherwise load every model and hold every activation
at once. A turn is an exclusive lock on one of some files, which the system gives back when its
holder dies, however suddenly.
"""

import argparse
import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final

from fl.jobs.progress import Stage
from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob, EvaluateJob, PrepareJob, ScoreJob, TrainJob, WarmJob
from fl.worker.desk import Desk
from fl.worker.loop import Craft
from fl.worker.machine import Machine

LOOK_S: Final = 0.01
_HEAVY: Final = (PrepareJob, TrainJob, ScoreJob, EvaluateJob, WarmJob)
"""What loads torch; all else is short."""


class Turns:
    """The files of a folder whose locks are the turns.

    Args:
        folder: shared by all; None: everybody may compute at any time.
        at_once: how many may.
    """

    def __init__(self, folder: Path | None, *, at_once: int) -> None:
        self._folder = folder
        self._at_once = at_once

    @contextmanager
    def turn(self, desk: Desk) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            JobFailedError: cancelled while it waited.
        """
        if self._folder is None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        held = self._wait(desk)
        try:
            yield
        finally:
            held.close()

    def _wait(self, desk: Desk) -> IO[bytes]:
        held = self._free()
        if held is None:
            desk.report(Stage.LOADING, note="waiting for a turn")
        while held is None:
            time.sleep(LOOK_S)
            desk.check()
            held = self._free()
        return held

    def _free(self) -> IO[bytes] | None:
        """Take a turn that nobody holds."""
        assert self._folder is not None, "without a folder nobody waits"
        for number in range(self._at_once):
            file = (self._folder / f"turn-{number}").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return file
        return None


class PatientCraft:
    """Does what computes for long in turns with the other workers of a machine."""

    def __init__(self, craft: Craft, *, turns: Turns) -> None:
        self._craft = craft
        self._turns = turns

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        """Do one job."""
        if not isinstance(job, _HEAVY):
            return self._craft.perform(job, desk)
        with self._turns.turn(desk):
            return self._craft.perform(job, desk)


def patient(
    make: Callable[[Machine], Craft], arguments: Sequence[str]
) -> tuple[Callable[[Machine], Craft], list[str]]:
    """Return what makes a craft that takes turns as the command line says, and the other words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--turns", type=Path, default=None, help="the folder of the turns")
    parser.add_argument("--at-once", type=int, default=1, help="workers that compute at a time")
    options, rest = parser.parse_known_args(arguments)
    turns = Turns(options.turns, at_once=max(1, options.at_once))
    return partial(_made, make, turns), rest


def _made(make: Callable[[Machine], Craft], turns: Turns, machine: Machine) -> Craft:
    return PatientCraft(make(machine), turns=turns)
