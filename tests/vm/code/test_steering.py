"""Blocks: where control goes, what the stack is there, which gas is charged at once."""

import pytest

from node.vm.limits import NESTING_MAX, STACK_HEIGHT_MAX
from node.vm.opcodes import Op
from node.vm.verified import VerifiedFunction
from node.vm.verifier import verify
from tests.vm.code.listing import SUBJECT, lines, with_code

COUNT_DOWN = """
  LOOP
    GET 1
    INT 0
    LE
    IF
      BREAK
    END
    GET 1
    INT 1
    SUB
    SET 1
    GET 0
    IF
      CONTINUE
    ELSE
      INT 5
      SET 1
    END
  REPEAT
  UNIT
  RETURN
"""


def _function(code: str) -> VerifiedFunction:
    return verify(with_code(code)).functions[SUBJECT]


def _ops(function: VerifiedFunction) -> list[Op]:
    return [instruction.op for instruction in function.instructions]


def _target(function: VerifiedFunction, op: Op) -> int:
    return function.instructions[_ops(function).index(op)].target


def test_if_without_else_goes_behind_end_when_false() -> None:
    function = _function(lines("TRUE; IF; INT 1; SET 1; END; UNIT; RETURN"))
    assert _target(function, Op.IF) == 5


def test_if_goes_behind_else_and_else_behind_end() -> None:
    function = _function(lines("TRUE; IF; INT 1; SET 1; ELSE; INT 2; SET 1; END; UNIT; RETURN"))
    assert _target(function, Op.IF) == 5
    assert _target(function, Op.ELSE) == 8


def test_loop_goes_back_behind_loop_and_out_behind_repeat() -> None:
    function = _function(COUNT_DOWN)
    ops = _ops(function)
    assert _target(function, Op.BREAK) == ops.index(Op.REPEAT) + 1
    assert _target(function, Op.CONTINUE) == ops.index(Op.LOOP) + 1
    assert _target(function, Op.REPEAT) == ops.index(Op.LOOP) + 1


def test_break_leaves_the_innermost_loop() -> None:
    function = _function(lines("LOOP; LOOP; BREAK; REPEAT; BREAK; REPEAT; UNIT; RETURN"))
    targets = [each.target for each in function.instructions if each.op is Op.BREAK]
    assert targets == [4, 6]


def test_operands_of_the_blocks_around_survive_a_block() -> None:
    code = lines("INT 1; TRUE; IF; INT 2; SET 1; END; LOOP; BREAK; REPEAT; SET 1; UNIT; RETURN")
    function = _function(code)
    heights = [instruction.height for instruction in function.instructions]
    assert heights == [0, 1, 2, 1, 2, 1, 1, 1, 1, 1, 0, 1]


def test_code_may_go_on_where_one_arm_returns() -> None:
    function = _function(lines("TRUE; IF; UNIT; RETURN; ELSE; INT 1; SET 1; END; UNIT; RETURN"))
    assert _ops(function)[-1] is Op.RETURN


@pytest.mark.parametrize(
    "code",
    [
        "TRUE; IF; UNIT; RETURN; ELSE; UNIT; RETURN; END",
        "TRUE; IF; UNIT; RETURN; ELSE; GET 4; FAIL; END",
        "LOOP; UNIT; RETURN; REPEAT",
        "LOOP; REPEAT",
        "LOOP; CONTINUE; REPEAT",
        "GET 4; FAIL",
    ],
)
def test_code_may_end_where_control_never_gets(code: str) -> None:
    assert _function(lines(code)).instructions


def test_segments_begin_where_control_may_arrive() -> None:
    function = _function(COUNT_DOWN)
    starts = [index for index, each in enumerate(function.instructions) if each.segment_gas]
    ops = _ops(function)
    # The first segment is LOOP alone, which costs nothing.
    before = [ops[index - 1] for index in starts]
    assert before == [Op.LOOP, Op.IF, Op.END, Op.IF, Op.ELSE, Op.END, Op.REPEAT]


def test_segment_costs_the_static_gas_of_its_instructions() -> None:
    function = _function(
        lines("INT 1; INT 2; ADD; SET 1; TRUE; IF; INT 1; SET 1; END; UNIT; RETURN")
    )
    costs = [each.segment_gas for each in function.instructions]
    assert costs == [20, 0, 0, 0, 0, 0, 2, 0, 0, 2, 0]


def test_segment_ends_at_a_call() -> None:
    function = _function(lines("INT 1; GET 4; CALL 1; DROP; UNIT; RETURN"))
    costs = [each.segment_gas for each in function.instructions]
    assert costs == [22, 0, 0, 3, 0, 0]


@pytest.mark.parametrize("code", ["LOOP; REPEAT", "LOOP; CONTINUE; REPEAT", COUNT_DOWN])
def test_every_way_round_a_loop_costs_gas(code: str) -> None:
    function = _function(lines(code))
    start = _ops(function).index(Op.LOOP) + 1
    assert function.instructions[start].segment_gas > 0


def test_end_behind_a_return_is_in_no_segment() -> None:
    function = _function(lines("LOOP; BREAK; REPEAT; UNIT; RETURN"))
    repeat = function.instructions[_ops(function).index(Op.REPEAT)]
    assert repeat.segment_gas == 0


def test_blocks_nest_as_deep_as_the_limit() -> None:
    opening = "TRUE; IF;" * NESTING_MAX
    closing = "END;" * NESTING_MAX
    assert _ops(_function(lines(opening + closing + "UNIT; RETURN"))).count(Op.IF) == NESTING_MAX


def test_stack_grows_as_high_as_the_limit() -> None:
    pushes = "INT 1;" * STACK_HEIGHT_MAX
    drops = "DROP;" * STACK_HEIGHT_MAX
    function = _function(lines(pushes + drops + "UNIT; RETURN"))
    assert function.stack_height_max == STACK_HEIGHT_MAX
