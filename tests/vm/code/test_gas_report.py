import pytest

from node.execution.local_chain import LocalChain
from node.vm.assembler import assemble
from node.vm.gas_report import StraightRun, straight_runs
from node.vm.lang.compiler import compile_contract
from node.vm.opcodes import Op
from node.vm.verifier import verify

SOURCE = """
class IOther(Interface):
    @external
    def poke(self): ...


class Sample(Contract):
    texts: Map[Int, Str]

    @external
    def add(self, one: Int, two: Int) -> Int:
        return one + two + one * two

    @external
    def sum(self, one: Int, two: Int) -> Int:
        return one + two

    @external
    def store(self, key: Int, text: Str) -> Bool:
        self.texts[key] = text + text
        return text == "same"

    @external
    def turn(self, rows: Int):
        for row in range(rows):
            for column in range(row):
                self.texts[column] = "seen"

    @external
    def ask(self, other: Address) -> Int:
        IOther(other).poke()
        return self.twice(3)

    def twice(self, number: Int) -> Int:
        return number * 2
"""
MODULE = verify(compile_contract(SOURCE, filename="sample.contract"))


def runs_of(name: str) -> tuple[StraightRun, ...]:
    index = MODULE.function_named(name)
    assert index is not None
    return straight_runs(MODULE.functions[index])


def test_static_gas_of_the_report_is_what_calls_are_charged() -> None:
    sample = LocalChain().deploy(SOURCE)
    charged = []
    for method in (sample.add, sample.sum):
        method(2, 3)
        charged.append(sample.gas_used)
    ((add,), (sum_,)) = runs_of("add"), runs_of("sum")
    assert charged[0] - charged[1] == add.gas - sum_.gas > 0


def test_what_sizes_add_is_told_by_opcode_and_count() -> None:
    (run,) = runs_of("store")
    assert {part.op: part.count for part in run.dynamic} == {Op.CONCAT: 1, Op.STORE: 1, Op.EQ: 1}


def test_comparing_numbers_adds_nothing() -> None:
    ops = {part.op for run in runs_of("turn") for part in run.dynamic}
    assert ops == {Op.STORE}


def test_runs_tell_how_many_loops_they_are_in() -> None:
    depths = [run.loop_depth for run in runs_of("turn")]
    assert (depths[0], max(depths), depths[-1]) == (0, 2, 0)
    (store,) = (run for run in runs_of("turn") if run.dynamic)
    assert store.loop_depth == 2


def test_runs_tell_whom_they_call() -> None:
    runs = runs_of("ask")
    assert [method for run in runs for method in run.methods] == [0]
    called = [MODULE.functions[place].name for run in runs for place in run.calls]
    assert called == ["twice"]


def test_runs_begin_where_the_listing_says() -> None:
    for function in MODULE.functions:
        leaders = {step.offset: step.segment_gas for step in function.instructions}
        for run in straight_runs(function):
            assert leaders[run.offset] == run.gas > 0


@pytest.mark.parametrize("opening", ["LOOP BREAK REPEAT", "LOOP LOOP BREAK REPEAT BREAK REPEAT"])
def test_run_of_nothing_is_none(opening: str) -> None:
    code = "\n".join([*opening.split(), "UNIT", "RETURN"])
    text = f"module m 1\nfunction f external () Unit\n{code}\n"
    (function,) = verify(assemble(text)).functions
    runs = straight_runs(function)
    assert all(run.gas for run in runs)
    assert runs[0].loop_depth == opening.count("LOOP")
