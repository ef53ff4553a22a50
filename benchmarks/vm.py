"""Contract calls on the fast tier and the interpreter beside py-evm, and what gas buys.

Two contracts run on one core: a token transfer and the commit of an update, as `rounds` takes it.
py-evm runs the same two, compiled from Solidity; both sides keep their state in memory, decode the
arguments, take a mark to roll back to, and leave events, without signatures and receipts. Figures
are CPU, the best of several batches. Then every opcode and host function is held against its gas.
"""

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import vm_costs
from benchmarks.comparison import TABLE_COLUMNS, Row, compare, run
from benchmarks.vm_calls import call_us, submissions, transfers
from benchmarks.vm_cases import Case, cases
from benchmarks.vm_costs import Cost, measure_costs, spread_of, table_of
from node.vm.engine import Engine, FastTier, Interpreter

ROOT: Final = Path(__file__).parents[1]
EVM_PYTHON: Final = ROOT / "benchmarks/vm_peers/.venv/bin/python"
EVM_PROGRAM: Final = "benchmarks.vm_peers.evm"
EVM_NAME: Final = "py-evm 0.12.1b1"
EVM_LIMIT_S: Final = 300
EVM_GOAL: Final = 1 / 15
"""The fast tier is at least fifteen times as fast."""

CALLS_PER_S_MIN: Final = 10_000
GAS_GOAL: Final = 3.0
"""Between the dearest opcode and the median, and between the median and the cheapest."""

US_PER_S: Final = 1_000_000
UNIT: Final = "us of CPU a call"
GAS_UNIT: Final = "ns a gas"

Calls = Callable[[Engine], Iterator[int]]

CALLS: Final[dict[str, Calls]] = {
    "token.transfer": transfers,
    "rounds.submit": submissions,
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        windows: batches of which the best counts.
        evm_seconds: CPU for each contract on py-evm.
        costs: of the opcodes.
    """

    windows: int = 20
    evm_seconds: float = 5.0
    costs: vm_costs.Effort = vm_costs.PATIENT


QUICK: Final = Effort(windows=6, evm_seconds=1.5, costs=vm_costs.QUICK)


def measure_calls(effort: Effort, *, evm_python: Path) -> list[Row]:
    """Measure both contracts on both engines, and on py-evm if it is there."""
    fast, slow = (
        {name: call_us(calls(engine), windows=effort.windows) for name, calls in CALLS.items()}
        for engine in (FastTier(), Interpreter())
    )
    rows: list[Row] = []
    if evm_python.exists():
        evm = measure_evm(evm_python, seconds=effort.evm_seconds)
        rows += [_evm_row(f"{name}, fast tier", fast[name], evm[name], EVM_GOAL) for name in CALLS]
        rows += [_evm_row(f"{name}, interpreter", slow[name], evm[name], None) for name in CALLS]
    else:
        print(f"without py-evm: there is no {evm_python}; `make bench BENCH=vm` installs it")
    rows += [
        compare(f"{name}, both", UNIT, fast[name], peer_name="interpreter", peer=slow[name])
        for name in CALLS
    ]
    return [*rows, _budget_row(fast["token.transfer"])]


def measure_evm(evm_python: Path, *, seconds: float) -> dict[str, float]:
    """Return the CPU of a call on py-evm in us, by contract and method."""
    # Absolute, and not resolved: the link itself says which virtual environment it is of.
    command = [str(evm_python.absolute()), "-m", EVM_PROGRAM, "--seconds", str(seconds)]
    ended = subprocess.run(  # noqa: S603 - the interpreter that the caller named, our own program
        command, capture_output=True, text=True, timeout=EVM_LIMIT_S, check=True, cwd=ROOT
    )
    rates: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return {name: US_PER_S / rate for name, rate in rates.items()}


def gas_rows(costs: Sequence[Cost]) -> list[Row]:
    """Return how far the dearest and the cheapest opcode are from the median."""
    spread = spread_of(costs)
    return [
        compare(
            f"dearest for its gas: {spread.dearest.case.name}",
            GAS_UNIT,
            spread.dearest.ns_per_gas,
            peer_name="median opcode",
            peer=spread.median,
            goal=GAS_GOAL,
        ),
        compare(
            "median opcode",
            GAS_UNIT,
            spread.median,
            peer_name=f"cheapest: {spread.cheapest.case.name}",
            peer=spread.cheapest.ns_per_gas,
            goal=GAS_GOAL,
        ),
    ]


def measure_rows(effort: Effort, *, evm_python: Path, subjects: Sequence[Case]) -> list[Row]:
    """Measure everything; print the table of opcodes on the way."""
    rows = measure_calls(effort, evm_python=evm_python)
    costs = measure_costs(subjects, effort.costs)
    Console(width=TABLE_COLUMNS).print(table_of(costs))
    return rows + gas_rows(costs)


def _evm_row(case: str, ours: float, evm: float, goal: float | None) -> Row:
    return compare(case, UNIT, ours, peer_name=EVM_NAME, peer=evm, goal=goal)


def _budget_row(transfer_us: float) -> Row:
    return compare(
        "token.transfer, fast tier, the budget",
        UNIT,
        transfer_us,
        peer_name=f"{CALLS_PER_S_MIN:,} a CPU second",
        peer=US_PER_S / CALLS_PER_S_MIN,
        goal=1,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything, or with less patience."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vm", add_help=False)
    parser.add_argument("--evm-python", type=Path, default=EVM_PYTHON)
    flags, others = parser.parse_known_args(arguments)

    def measure(is_quick: bool) -> list[Row]:  # noqa: FBT001 - as `run` calls it
        effort = QUICK if is_quick else Effort()
        return measure_rows(effort, evm_python=flags.evm_python, subjects=tuple(cases()))

    run("vm", measure, others)


if __name__ == "__main__":
    main()
