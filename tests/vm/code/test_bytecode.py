"""Code has one form in bytes: immediates as short as can be, in their range."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm.bytecode import (
    IMMEDIATE_BYTES_MAX,
    IMMEDIATE_MAX,
    INTEGER_MAX,
    INTEGER_MIN,
    decode_code,
    encode_instruction,
)
from node.vm.instruction_set import FAMILIES, SPECS, spec_of
from node.vm.opcodes import Immediate, Op, OpSpec
from node.vm.rejection import InvalidModuleError

WITH_IMMEDIATES = [spec_of(op) for op in (Op.INT, Op.GET, Op.LIST, Op.LOAD_OPTION)]

few = settings(deadline=None, max_examples=60, database=None)


@st.composite
def _instructions(draw: st.DrawFn) -> tuple[OpSpec, tuple[int, ...]]:
    spec = draw(st.sampled_from([spec_of(op) for op in Op]))
    immediates = [
        draw(st.integers(INTEGER_MIN, INTEGER_MAX))
        if kind is Immediate.INTEGER
        else draw(st.integers(0, IMMEDIATE_MAX))
        for kind in spec.immediates
    ]
    return spec, tuple(immediates)


@few
@given(st.lists(_instructions()))
def test_instructions_come_back_with_their_offsets(
    instructions: list[tuple[OpSpec, tuple[int, ...]]],
) -> None:
    parts = [encode_instruction(spec, immediates) for spec, immediates in instructions]
    decoded = list(decode_code(b"".join(parts)))
    assert [(each.spec, each.immediates) for each in decoded] == instructions
    offsets = [sum(map(len, parts[:index])) for index in range(len(parts))]
    assert [each.offset for each in decoded] == offsets


@few
@given(st.binary(max_size=12))
def test_no_other_bytes_mean_the_same_code(code: bytes) -> None:
    try:
        decoded = list(decode_code(code))
    except InvalidModuleError:
        return
    parts = [encode_instruction(each.spec, each.immediates) for each in decoded]
    assert b"".join(parts) == code


@pytest.mark.parametrize(
    ("number", "raw"),
    [
        (0, b"\x00"),
        (-1, b"\x01"),
        (1, b"\x02"),
        (63, b"\x7e"),
        (64, b"\x80\x01"),
        (INTEGER_MAX, b"\xfe\xff\xff\xff\x0f"),
        (INTEGER_MIN, b"\xff\xff\xff\xff\x0f"),
    ],
)
def test_integer_is_zigzag_leb128(number: int, raw: bytes) -> None:
    code = encode_instruction(spec_of(Op.INT), (number,))
    assert code == bytes((Op.INT,)) + raw
    assert len(raw) <= IMMEDIATE_BYTES_MAX


@pytest.mark.parametrize(
    ("op", "immediates"),
    [
        (Op.INT, (INTEGER_MAX + 1,)),
        (Op.INT, (INTEGER_MIN - 1,)),
        (Op.GET, (-1,)),
        (Op.GET, (IMMEDIATE_MAX + 1,)),
        (Op.GET, ()),
        (Op.ADD, (1,)),
    ],
)
def test_immediates_that_do_not_exist_cannot_be_written(op: Op, immediates: tuple[int]) -> None:
    with pytest.raises(ValueError, match=r"out of range|argument 2"):
        encode_instruction(spec_of(op), immediates)


def test_table_has_a_row_for_each_opcode_and_no_other() -> None:
    rows = [spec for family in FAMILIES.values() for spec in family]
    assert sorted(spec.op for spec in rows) == sorted(Op)
    assert [spec.op if spec else None for spec in SPECS] == [
        Op(byte) if byte in set(Op) else None for byte in range(256)
    ]
