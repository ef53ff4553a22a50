"""Runs a target for a while: guided by coverage where atheris is there, else by seeded dice."""

import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target

DONE: Final = re.compile(r"Done (\d+) runs in (\d+) second")
GRACE_S: Final = 120


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run.

    Args:
        crash: the bytes that caused what must not be; None if nothing did.
        trace: where it happened.
    """

    target: str
    engine: str
    executions: int
    elapsed_s: float
    crash: bytes | None = None
    trace: str = ""

    @override
    def __str__(self) -> str:
        """Show one line, and after a failure how to see it again."""
        per_second = self.executions / max(self.elapsed_s, 0.001)
        text = (
            f"{self.target:<15} {self.engine:<7} {self.executions:>9} executions "
            f"{per_second:>9.0f}/s  {'ok' if self.crash is None else 'FAILED'}"
        )
        if self.crash is None:
            return text
        reproduce = f"python -m tests.fuzz --target {self.target} --input {self.crash.hex()}"
        return f"{self.trace}\n{text}\nreproduce: {reproduce}"


def has_atheris() -> bool:
    """Tell whether coverage can guide."""
    return importlib.util.find_spec("atheris") is not None


def run_seeded(
    target: Target, *, seed: int, clock_s: Callable[[], float], is_over: Callable[[int], bool]
) -> Report:
    """Feed the seeds, then changes of them, until something breaks or `is_over` says so.

    `is_over` is told the number of executions; `clock_s` is read for the rate alone.
    """
    dice = random.Random(seed)
    start_s = clock_s()
    executions = 0
    while not is_over(executions):
        raw = (
            target.seeds[executions]
            if executions < len(target.seeds)
            else mutate(dice.choice(target.seeds), dice=dice, seeds=target.seeds)
        )
        executions += 1
        try:
            target.feed(raw)
        except Exception:  # noqa: BLE001 - whatever escapes is what is looked for
            elapsed_s = clock_s() - start_s
            trace = traceback.format_exc()
            return Report(target.name, "seeded", executions, elapsed_s, crash=raw, trace=trace)
    return Report(target.name, "seeded", executions, clock_s() - start_s)


def run_guided(target: Target, *, seed: int, seconds: int) -> Report:
    """Run libFuzzer in a process of its own, since it ends the process it runs in."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, crashes = Path(folder, "corpus"), Path(folder, "crashes")
        corpus.mkdir()
        crashes.mkdir()
        for number, raw in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(raw)
        command = [
            *(sys.executable, "-m", "tests.fuzz.guided", target.name),
            *(f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=65536"),
            *("-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={crashes}/"),
            str(corpus),
        ]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + GRACE_S, check=False
        )
        output = ended.stdout + ended.stderr
        found = [path.read_bytes() for path in sorted(crashes.iterdir())]
    done = DONE.search(output)
    executions, elapsed_s = (int(done[1]), float(done[2])) if done else (0, float(seconds))
    if ended.returncode == 0 and done and not found:
        return Report(target.name, "atheris", executions, elapsed_s)
    crash = found[0] if found else b""
    return Report(target.name, "atheris", executions, elapsed_s, crash=crash, trace=output[-6_000:])
