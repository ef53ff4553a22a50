"""The engines agree: on random programs, and on every program with every amount of gas."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm.engine import Engine, FastTier, Interpreter
from node.vm.meter import Meter
from node.vm.module import InterfaceMethod
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from tests.vm.engines.corpus import CORPUS
from tests.vm.engines.lab import frame_of, module_of
from tests.vm.engines.memory_host import MemoryHost
from tests.vm.generator import Program, generate, random_slots

INTERPRETER, FAST_TIER = Interpreter(), FastTier()
GAS = 60_000

Outcome = tuple[object, int, int, object]
"""The result or the trap with its message, the gas and memory left, the state of the host."""


def answer(
    _target: bytes,
    method: InterfaceMethod,
    _arguments: tuple[Value, ...],
    _value: int,
    meter: Meter,
) -> Value:
    meter.charge(100)
    return {"ask": 7, "pay": True, "tell": None}[method.name]


def outcome(engine: Engine, program: Program, *, slots: dict[bytes, bytes], gas: int) -> Outcome:
    host = MemoryHost(invocation=answer)
    host.slots.update(slots)
    meter = Meter(gas)
    end: object
    try:
        end = engine.run(
            program.module,
            function=program.function,
            arguments=program.arguments,
            frame=frame_of(value=5),
            host=host,
            meter=meter,
        )
    except VmTrap as trap:
        end = (trap.trap, trap.message)
    return end, meter.gas, meter.memory_bytes, host.state()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_engines_agree_on_random_programs(seed: int) -> None:
    program, slots = generate(seed), random_slots(seed)
    expected = outcome(INTERPRETER, program, slots=slots, gas=GAS)
    assert outcome(FAST_TIER, program, slots=slots, gas=GAS) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, GAS))
def test_engines_agree_on_random_programs_that_run_out_of_gas(seed: int, gas: int) -> None:
    program, slots = generate(seed), random_slots(seed)
    expected = outcome(INTERPRETER, program, slots=slots, gas=gas)
    assert outcome(FAST_TIER, program, slots=slots, gas=gas) == expected


def test_generated_program_depends_on_its_seed_alone() -> None:
    assert generate(7).module.module == generate(7).module.module
    assert generate(7).arguments == generate(7).arguments
    assert generate(7).module.module != generate(8).module.module


@pytest.mark.parametrize("name", CORPUS)
def test_gas_runs_out_at_every_segment_alike(name: str) -> None:
    body, params, arguments, others = CORPUS[name]
    module = module_of(body, params=params, kind="payable", others=others)
    program = Program(module=module, function=0, arguments=arguments)
    enough = outcome(INTERPRETER, program, slots={}, gas=10**6)
    used = 10**6 - enough[1]
    assert not (isinstance(enough[0], tuple) and enough[0][0] is Trap.OUT_OF_GAS)
    assert used < 60_000
    step = max(1, used // 3_000)
    amounts = sorted({*range(0, used, step), *range(max(0, used - 50), used + 2)})
    for gas in amounts:
        expected = outcome(INTERPRETER, program, slots={}, gas=gas)
        assert outcome(FAST_TIER, program, slots={}, gas=gas) == expected
        ran_out = isinstance(expected[0], tuple) and expected[0][0] is Trap.OUT_OF_GAS
        # Exactly the gas that is used is enough, and running out takes everything.
        assert ran_out == (gas < used)
        assert not ran_out or expected[1] == 0
