"""Command line: `python -m tests.fuzz --target block|...|all --seconds N [--seed S]`.

Exits 1 and prints the bytes, as hex, that caused anything but a declared error.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from tests.fuzz.engine import Report, has_atheris, run_guided, run_seeded
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parse(arguments)
    targets = list(TARGETS.values()) if options.target == "all" else [TARGETS[options.target]]
    if options.input is not None:
        return _replay(targets[0], bytes.fromhex(options.input))
    is_guided = options.engine == "atheris" or (options.engine == "auto" and has_atheris())
    reports = []
    for target in targets:
        seconds = max(1, options.seconds // len(targets))
        run = _run_guided if is_guided else _run_timed
        reports.append(run(target, seed=options.seed, seconds=seconds))
        print(reports[-1], flush=True)
    return int(any(report.crash is not None for report in reports))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["auto", "atheris", "seeded"], default="auto")
    parser.add_argument("--input", metavar="HEX", help="run these bytes once, and nothing else")
    return parser.parse_args(arguments)


def _run_guided(target: Target, *, seed: int, seconds: int) -> Report:
    return run_guided(target, seed=seed, seconds=seconds)


def _run_timed(target: Target, *, seed: int, seconds: int) -> Report:
    end_s = time.perf_counter() + seconds
    return run_seeded(
        target,
        seed=seed,
        clock_s=time.perf_counter,
        is_over=lambda _: time.perf_counter() >= end_s,
    )


def _replay(target: Target, raw: bytes) -> int:
    verdict = "got through" if target.feed(raw) else "was refused as declared"
    print(f"{target.name}: {len(raw)} bytes, {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
