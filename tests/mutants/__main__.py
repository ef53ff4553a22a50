"""Apply one wrong rule at a time and see which test notices: `python -m tests.mutants`."""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, StaleMutantError
from tests.mutants.runner import Outcome, check_baseline, judge


def main() -> int:
    """Return 0 if every suite killed its mutants."""
    arguments = _arguments()
    chosen = [mutant for mutant in MUTANTS if arguments.only in {None, mutant.name}]
    if not chosen:
        print(f"no mutant is called {arguments.only}", file=sys.stderr)
        return 1
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.name}: {mutant.file}: {mutant.claim}")
        return 0
    failure = check_baseline([suite for mutant in chosen for suite in mutant.suites])
    if failure:
        print(f"the tests fail without any mutant:\n{failure}", file=sys.stderr)
        return 1
    try:
        outcomes = _judge_all(chosen, jobs=arguments.jobs)
    except StaleMutantError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps([_row(outcome) for outcome in outcomes], indent=2))
    else:
        _show(outcomes)
    return 0 if all(outcome.killed_by for outcome in outcomes) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    parser.add_argument("--only", metavar="NAME", help="this mutant alone")
    parser.add_argument("--list", action="store_true", help="name the mutants and stop")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def _judge_all(mutants: Sequence[Mutant], *, jobs: int) -> list[Outcome]:
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return [outcome for outcomes in pool.map(judge, mutants) for outcome in outcomes]


def _row(outcome: Outcome) -> dict[str, str | bool | float]:
    return {
        "mutant": outcome.mutant.name,
        "file": outcome.mutant.file,
        "claim": outcome.mutant.claim,
        "suite": outcome.suite,
        "killed": bool(outcome.killed_by),
        "killed_by": outcome.killed_by,
        "seconds": round(outcome.seconds, 2),
    }


def _show(outcomes: Sequence[Outcome]) -> None:
    table = Table("mutant", "killed by", "seconds")
    for outcome in outcomes:
        killed_by = outcome.killed_by or f"SURVIVED {outcome.suite}"
        table.add_row(outcome.mutant.name, killed_by, f"{outcome.seconds:.1f}")
    Console(width=160).print(table, markup=False)
    survivors = sum(not outcome.killed_by for outcome in outcomes)
    mutants = len({outcome.mutant.name for outcome in outcomes})
    print(f"{mutants} mutants, {len(outcomes)} runs, {survivors} survived")


if __name__ == "__main__":
    sys.exit(main())
