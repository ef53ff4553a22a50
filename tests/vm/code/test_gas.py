"""The gas table has one row per opcode, and dynamic gas counts whole units."""

import pytest

from node.vm.gas import DYNAMIC_GAS, STATIC_GAS, Measure, Rate
from node.vm.instruction_set import spec_of
from node.vm.opcodes import Op

FREE = {Op.ELSE, Op.END, Op.LOOP}


def test_every_opcode_has_static_gas() -> None:
    assert set(STATIC_GAS) == {op.name for op in Op}


def test_dynamic_gas_is_of_opcodes_that_exist() -> None:
    assert set(DYNAMIC_GAS) <= {op.name for op in Op}


def test_every_measure_is_used() -> None:
    assert {rate.measure for rate in DYNAMIC_GAS.values()} == set(Measure)


def test_nothing_but_the_marks_of_blocks_is_free() -> None:
    assert {op for op in Op if spec_of(op).static_gas == 0} == FREE


@pytest.mark.parametrize(
    ("count", "cost"), [(0, 0), (63, 0), (64, 3), (127, 3), (128, 6), (1 << 20, 3 << 14)]
)
def test_dynamic_gas_is_charged_per_whole_unit(count: int, cost: int) -> None:
    assert Rate(Measure.RESULT_BYTES, gas=3, shift=6).cost(count) == cost
