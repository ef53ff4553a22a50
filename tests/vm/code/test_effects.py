"""Every opcode takes the operands that the table says, and no others."""

import pytest

from node.vm.opcodes import Op
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.verified import Instruction
from node.vm.verifier import verify
from tests.vm.code.effects import USES, Use
from tests.vm.code.listing import SUBJECT, lines, push, type_named, with_code

STEERING = {
    *(Op.IF, Op.ELSE, Op.END, Op.LOOP, Op.REPEAT),
    *(Op.BREAK, Op.CONTINUE, Op.RETURN, Op.FAIL),
}
"""These have their cases in `test_steering` and `malformed`."""

WRONG = ("Bool", "Int", "Fixed", "Bytes", "Address", "t18", "Unit")
GOOD = [(use.instruction, use.operands.split()) for use in USES]
WITH_OPERANDS = [use for use in USES if use.operands]


def _code(instruction: str, operands: list[str], *, drops: int) -> str:
    pushes = [push(name) for name in operands]
    return lines(*pushes, instruction, *["DROP"] * drops, "UNIT; RETURN")


def _verified(use: Use) -> Instruction:
    operands = use.operands.split()
    code = _code(use.instruction, operands, drops=len(use.results.split()))
    return verify(with_code(code)).functions[SUBJECT].instructions[len(operands)]


def _rejection(code: str) -> InvalidModuleError:
    with pytest.raises(InvalidModuleError) as caught:
        verify(with_code(code))
    return caught.value


def test_every_opcode_has_a_use() -> None:
    used = {Op[use.instruction.split()[0]] for use in USES}
    assert used == set(Op) - STEERING


@pytest.mark.parametrize("use", USES, ids=str)
def test_opcode_takes_its_operands_and_gives_its_results(use: Use) -> None:
    instruction = _verified(use)
    assert instruction.op is Op[use.instruction.split()[0]]
    assert instruction.operands == tuple(map(type_named, use.operands.split()))
    assert instruction.results == tuple(map(type_named, use.results.split()))


@pytest.mark.parametrize("use", USES, ids=str)
def test_result_is_of_no_other_type(use: Use) -> None:
    operands = use.operands.split()
    if not use.results:
        error = _rejection(_code(use.instruction, operands, drops=1))
        assert error.reason is Reason.STACK_UNDERFLOW
        return
    # Local 11 is an Option of Bool, which no opcode here gives.
    code = lines(*map(push, operands), use.instruction, "SET 11", "UNIT; RETURN")
    assert _rejection(code).reason is Reason.OPERAND_TYPE


@pytest.mark.parametrize("use", WITH_OPERANDS, ids=str)
def test_opcode_with_an_operand_less_is_refused(use: Use) -> None:
    operands = use.operands.split()[1:]
    error = _rejection(_code(use.instruction, operands, drops=len(use.results.split())))
    assert error.reason in {Reason.STACK_UNDERFLOW, Reason.OPERAND_TYPE}
    assert error.function == SUBJECT


@pytest.mark.parametrize(
    ("use", "place"),
    [
        (use, place)
        for use in WITH_OPERANDS
        if not use.instruction.startswith(("DROP", "DUP"))
        for place in range(len(use.operands.split()))
    ],
    ids=str,
)
def test_opcode_with_an_operand_of_another_type_is_refused(use: Use, place: int) -> None:
    operands = use.operands.split()
    for wrong in WRONG:
        changed = [*operands[:place], wrong, *operands[place + 1 :]]
        if (use.instruction, changed) in GOOD:
            continue
        error = _rejection(_code(use.instruction, changed, drops=len(use.results.split())))
        assert error.reason is Reason.OPERAND_TYPE, wrong


@pytest.mark.parametrize("op", ["DUP", "GET", "EQ"])
def test_unit_is_no_value_to_copy_or_compare(op: str) -> None:
    code = {"DUP": "UNIT; DUP", "GET": "UNIT; SET 1", "EQ": "UNIT; UNIT; EQ"}[op]
    assert _rejection(lines(code)).reason is Reason.OPERAND_TYPE
