"""Kill a process with SIGKILL at a random moment of its commits, look at what it left, go on.

A workload commits numbered steps and acknowledges each one once it is durable. Whatever the moment
of the kill, the steps that are found afterwards are all of 1..n for some n that is no less than
what was acknowledged, and no less than what was found after the kill before. The next process
continues on the same disk.

Started as `python -m tests.storage.killing WORKLOAD FOLDER` this file is the process to be killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final, Protocol, cast

from tests.tidy.sources import ROOT

STEPS_WAITED_MAX: Final = 12
DELAY_SECONDS_MAX: Final = 0.01
READY: Final = b"ready\n"


class Workload(Protocol):
    """Something that commits; its class is made without arguments, in every process anew."""

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        """Continue after the last durable step, for ever; tell each step once it is durable."""
        ...

    def check(self, folder: Path) -> int:
        """Open what a killed process left, check all of it; return the last durable step."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What a series of kills found.

    Args:
        steps: durable at the end.
        unacknowledged: kills that came after a step was durable and before it was told.
    """

    kills: int
    steps: int
    unacknowledged: int


def kill_repeatedly(workload: type[Workload], folder: Path, *, kills: int, seed: int) -> Tally:
    """Start, kill and check, again and again on one disk."""
    dice = Random(seed)
    durable = unacknowledged = 0
    checker = workload()
    for number in range(kills):
        # Steps are waited for, not time alone, so that a slow machine is killed at work as well;
        # to wait for none hits the opening.
        acknowledged = _run_and_kill(
            workload,
            folder,
            steps=dice.randint(0, STEPS_WAITED_MAX),
            delay_seconds=dice.uniform(0, DELAY_SECONDS_MAX),
        )
        found = checker.check(folder)
        assert found >= durable, f"kill {number}: step {found} after step {durable}"
        assert found >= acknowledged, f"kill {number}: step {acknowledged} is lost, {found} is last"
        unacknowledged += found > max(acknowledged, durable)
        durable = found
    return Tally(kills, durable, unacknowledged)


def _run_and_kill(
    workload: type[Workload], folder: Path, *, steps: int, delay_seconds: float
) -> int:
    """Return the last step that the process acknowledged before it was killed, 0 for none."""
    name = f"{workload.__module__}:{workload.__qualname__}"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.killing", name, str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as victim:
        assert victim.stdout is not None
        told = [victim.stdout.readline() for _ in range(1 + steps)]
        time.sleep(delay_seconds)
        victim.kill()
        told += victim.stdout.read().splitlines(keepends=True)
    assert told[0] == READY, "the process to be killed did not start"
    assert victim.returncode == -signal.SIGKILL, "it ended by itself"
    # The pipe may end in the middle of a number, which then nobody has read.
    return max((int(line) for line in told[1:] if line.endswith(b"\n")), default=0)


def _workload(name: str) -> Workload:
    module, _, attribute = name.partition(":")
    return cast("Workload", getattr(import_module(module), attribute)())


def _tell(step: int) -> None:
    # Straight into the pipe: what a buffer holds, nobody was told.
    os.write(1, b"%d\n" % step)


def _main() -> None:
    workload = _workload(sys.argv[1])
    os.write(1, READY)
    workload.run(Path(sys.argv[2]), _tell)


if __name__ == "__main__":
    _main()
