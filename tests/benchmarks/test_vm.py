"""The benchmark of the VM runs both contracts, and holds every opcode against its gas."""

from pathlib import Path

import pytest

from benchmarks import vm, vm_costs
from benchmarks.vm_calls import call_us, submissions, transfers
from benchmarks.vm_cases import ENTRIES_MIN, Case, cases
from benchmarks.vm_costs import Cost, dearest_by_op, measure_costs, spread_of, table_of
from node.vm.engine import Engine, FastTier, Interpreter
from node.vm.instruction_set import spec_of
from node.vm.opcodes import Effect, Op

TINY = vm_costs.Effort(windows=1, window_ns=1, entries=ENTRIES_MIN)
NOWHERE = Path("nowhere/python")


def cost(op: str, operands: str, ns_per_gas: float) -> Cost:
    case = Case(op, operands, "", (), "UNIT | DROP")
    return Cost(case=case, time_ns=10 * ns_per_gas, settled_ns=0, gas=10)


@pytest.mark.parametrize("engine", [FastTier(), Interpreter()], ids=["fast", "interpreter"])
@pytest.mark.parametrize("calls", [transfers, submissions], ids=lambda each: each.__name__)
@pytest.mark.slow
def test_both_contracts_run_batch_after_batch(engine: Engine, calls: vm.Calls) -> None:
    assert call_us(calls(engine), windows=2) > 0


@pytest.mark.slow
def test_without_py_evm_its_rows_are_left_out_and_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = vm.measure_calls(vm.Effort(windows=1), evm_python=NOWHERE)
    assert "without py-evm" in capsys.readouterr().out
    assert {row.peer_name for row in rows} == {"interpreter", "10,000 a CPU second"}
    assert all(row.ours > 0 and row.peer > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not vm.EVM_PYTHON.exists(), reason="py-evm is not installed")
def test_py_evm_runs_the_same_two_contracts() -> None:
    assert vm.measure_evm(vm.EVM_PYTHON, seconds=0.1).keys() == vm.CALLS.keys()


def test_every_opcode_has_a_case() -> None:
    assert {case.op for case in cases()} == {op.name for op in Op}


@pytest.fixture(scope="module")
def costs() -> list[Cost]:
    return measure_costs(tuple(cases()), TINY)


@pytest.mark.slow
def test_every_case_runs_and_costs_gas(costs: list[Cost]) -> None:
    assert all(measured.gas > 0 for measured in costs)
    assert len({measured.case.name for measured in costs}) == len(costs)
    # Nothing takes no time, or the spread could not be told.
    assert all(cost.time_ns > 0 for cost in costs)


@pytest.mark.slow
def test_what_changes_slots_or_leaves_events_pays_for_its_part_of_the_commit(
    costs: list[Cost],
) -> None:
    paying = {measured.case.op for measured in costs if measured.settled_ns > 0}
    writing = {op.name for op in Op if spec_of(op).effect is Effect.WRITE}
    assert paying == writing


def test_an_opcode_counts_with_the_operands_that_are_dearest() -> None:
    costs = [cost("ADD", "small", 2), cost("ADD", "large", 5), cost("GET", "", 1)]
    assert {op: each.case.operands for op, each in dearest_by_op(costs).items()} == {
        "ADD": "large",
        "GET": "",
    }


def test_the_spread_is_between_the_median_of_the_opcodes_and_its_extremes() -> None:
    spread = spread_of(
        [cost("ADD", "", 2), cost("MUL", "", 6), cost("MUL", "more", 3), cost("SET", "", 1)]
    )
    assert (spread.dearest.case.op, spread.median, spread.cheapest.case.op) == ("MUL", 2, "SET")


def test_rows_hold_the_extremes_against_the_goal() -> None:
    dearest, median = vm.gas_rows([cost("ADD", "", 2), cost("MUL", "", 7), cost("SET", "", 1)])
    assert (dearest.ratio, dearest.met) == (3.5, False)
    assert (median.ratio, median.met) == (2, True)


def test_the_table_lists_all_cases_the_dearest_first() -> None:
    table = table_of([cost("ADD", "small", 2), cost("ADD", "large", 5)])
    assert list(table.columns[0].cells) == ["ADD large", "ADD small"]
    assert list(table.columns[-1].cells) == ["1.00", ""]
