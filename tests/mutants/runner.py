"""Run the tests of one mutant in a copy of the source; the working tree is never touched."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.mutant import Breaks, Mutant, StaleMutantError, mutate

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("primitives", "consensus", "devnet", "tests")
FILES: Final = ("pyproject.toml", "Makefile", "README.md")
TIMEOUT_S: Final = 60
BASELINE_TIMEOUT_S: Final = 300
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", flags=re.MULTILINE)
PYTEST: Final = ("-m", "pytest", "-x", "-q", "-m", "not slow and not gpu", "--tb=no")
PLUGINS_OFF: Final = ("-p", "no:cacheprovider", "-p", "no:xdist")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one suite made of a mutant; `killed_by` is empty where it survived."""

    mutant: Mutant
    suite: str
    killed_by: str
    seconds: float


def check_baseline(suites: Sequence[str]) -> str:
    """Run every suite on an unchanged copy; return what failed, or nothing."""
    with _copy() as root:
        where = _python(root, ("-c", "import consensus; print(consensus.__file__)"), timeout_s=20)
        if not where.stdout.startswith(str(root)):
            return f"the copy would not be tested, but {where.stdout.strip()}"
        selection = sorted({path for suite in suites for path in suite.split()})
        result = _python(root, (*PYTEST, *PLUGINS_OFF, *selection), timeout_s=BASELINE_TIMEOUT_S)
        return "" if result.returncode == 0 else result.stdout[-2_000:] + result.stderr[-2_000:]


def judge(mutant: Mutant) -> list[Outcome]:
    """Run each suite of a mutant on a copy that has it.

    Raises:
        StaleMutantError: the source no longer holds its text.
    """
    with _copy() as root:
        mutate(mutant, root)
        return [_judge_by(mutant, suite, root) for suite in mutant.suites]


def _judge_by(mutant: Mutant, suite: str, root: Path) -> Outcome:
    start = time.perf_counter()
    try:
        result = _python(root, (*PYTEST, *PLUGINS_OFF, *suite.split()), timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        killed_by = f"timeout of {TIMEOUT_S} s" if mutant.breaks is Breaks.LIVENESS else ""
        return Outcome(mutant, suite, killed_by, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    if result.returncode == 0:
        return Outcome(mutant, suite, "", seconds)
    failed = FAILED.search(result.stdout)
    if result.returncode != 1 or failed is None:
        # No test judged it: the selection is wrong, or the mutation is no Python.
        raise StaleMutantError(f"{mutant.name}: pytest stopped: {result.stdout[-500:]}")
    return Outcome(mutant, suite, failed.group(1), seconds)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hanse-mutant-") as folder:
        root = Path(folder).resolve()
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, root / name)
        yield root


def _python(
    root: Path, arguments: Sequence[str], *, timeout_s: int
) -> subprocess.CompletedProcess[str]:
    # No byte code: a mutation may leave size and second of a file as they were.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
