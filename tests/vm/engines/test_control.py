import pytest

from node.vm.engine import Engine
from node.vm.limits import MESSAGE_LENGTH_MAX
from node.vm.meter import Meter
from node.vm.traps import Trap, VmTrap
from tests.vm.engines.lab import frame_of, module_of, run
from tests.vm.engines.memory_host import MemoryHost


@pytest.mark.parametrize(("flag", "expected"), [(True, 1), (False, 2)])
def test_if_takes_one_arm(engine: Engine, flag: bool, expected: int) -> None:
    body = "GET 0 | IF | INT 1 | SET 1 | ELSE | INT 2 | SET 1 | END | GET 1 | RETURN"
    assert run(engine, module_of(body, params="Bool Int"), [flag, 0]).result == expected


@pytest.mark.parametrize(("flag", "expected"), [(True, 1), (False, 0)])
def test_if_without_else_goes_behind_its_end(engine: Engine, flag: bool, expected: int) -> None:
    body = "GET 0 | IF | INT 1 | SET 1 | END | GET 1 | RETURN"
    assert run(engine, module_of(body, params="Bool Int"), [flag, 0]).result == expected


def test_empty_arms_and_loops_are_fine(engine: Engine) -> None:
    body = "TRUE | IF | ELSE | END | FALSE | IF | END | LOOP | BREAK | REPEAT | INT 3 | RETURN"
    assert run(engine, module_of(body)).result == 3


def test_arm_may_return(engine: Engine) -> None:
    body = "GET 0 | IF | INT 1 | RETURN | ELSE | INT 2 | RETURN | END"
    module = module_of(body, params="Bool")
    assert [run(engine, module, [flag]).result for flag in (True, False)] == [1, 2]


def test_break_and_continue_belong_to_the_innermost_loop(engine: Engine) -> None:
    # Counts the odd numbers below 6, three times.
    body = """
        LOOP
        | GET 0 | INT 3 | EQ | IF | BREAK | END | GET 0 | INT 1 | ADD | SET 0 | INT 0 | SET 1
        | LOOP | GET 1 | INT 1 | ADD | SET 1
        | GET 1 | INT 6 | GE | IF | BREAK | END
        | GET 1 | INT 2 | MOD | INT 0 | EQ | IF | CONTINUE | END
        | GET 2 | INT 1 | ADD | SET 2 | REPEAT
        | REPEAT | GET 2 | RETURN
    """
    assert run(engine, module_of(body, local_types="Int Int Int")).result == 9


def test_value_below_a_block_is_what_it_was_when_the_block_began(engine: Engine) -> None:
    # The local changes while its old value, and what was made of it, wait on the stack.
    body = """
        GET 0 | GET 0 | INT 1 | ADD | TRUE | IF | INT 99 | SET 0 | END
        | LOOP | INT 98 | SET 0 | BREAK | REPEAT | ADD | GET 0 | ADD | RETURN
    """
    assert run(engine, module_of(body, params="Int"), [5]).result == 5 + 6 + 98


def test_pending_expression_keeps_the_old_value_of_a_local(engine: Engine) -> None:
    body = "GET 0 | INT 3 | EQ | GET 0 | INT 7 | SET 0 | INT 3 | EQ | AND | RETURN"
    module = module_of(body, params="Int", result="Bool")
    assert run(engine, module, [3]).result is True


def test_copies_on_the_stack_are_independent_of_the_local(engine: Engine) -> None:
    body = "GET 0 | DUP | INT 7 | SET 0 | ADD | GET 0 | ADD | RETURN"
    assert run(engine, module_of(body, params="Int"), [3]).result == 13


def test_expression_of_any_depth_is_computed(engine: Engine) -> None:
    flips = " | ".join(["NOT"] * 4_000)
    module = module_of(f"GET 0 | {flips} | RETURN", params="Bool", result="Bool")
    assert run(engine, module, [True]).result is True


def test_blocks_nest_as_deep_as_they_may(engine: Engine) -> None:
    loops = "LOOP | " * 16 + "INT 5 | RETURN" + " | REPEAT" * 16
    assert run(engine, module_of(loops)).result == 5
    arms = "TRUE | IF | " * 16 + "INT 5 | SET 0" + " | END" * 16 + " | GET 0 | RETURN"
    assert run(engine, module_of(arms, local_types="Int")).result == 5


def test_function_of_the_greatest_size_runs(engine: Engine) -> None:
    steps = " | ".join(["GET 0 | INT 1 | ADD | SET 0"] * 584)
    assert run(engine, module_of(f"{steps} | GET 0 | RETURN", params="Int"), [0]).result == 584


def test_call_passes_arguments_and_returns_the_result(engine: Engine) -> None:
    others = """
        function minus internal (Int Int) Int
          GET 0
          GET 1
          SUB
          RETURN
    """
    body = "INT 100 | INT 7 | INT 5 | CALL 1 | ADD | RETURN"
    assert run(engine, module_of(body, others=others)).result == 102


def test_calls_nest_as_deep_as_they_may(engine: Engine) -> None:
    others = "".join(
        f"function f{depth} internal () Int\nCALL {depth + 1}\nRETURN\n" for depth in range(1, 15)
    )
    others += "function f15 internal () Int\nINT 8\nRETURN\n"
    assert run(engine, module_of("CALL 1 | RETURN", others=others)).result == 8


def test_trap_in_a_called_function_keeps_the_gas_that_is_left(engine: Engine) -> None:
    others = "function bad internal (Int) Int\nGET 0\nINT 0\nDIV\nRETURN\n"
    module = module_of("INT 1 | CALL 1 | RETURN", others=others)
    ending = run(engine, module)
    assert ending.result is Trap.DIVISION_BY_ZERO
    segments = [function.instructions[0].segment_gas for function in module.functions]
    assert ending.gas_used == sum(segments)


def _message(engine: Engine, body: str, text: str) -> str:
    with pytest.raises(VmTrap) as caught:
        engine.run(
            module_of(body, params="Str"),
            function=0,
            arguments=(text,),
            frame=frame_of(),
            host=MemoryHost(),
            meter=Meter(10_000),
        )
    assert caught.value.trap is Trap.REVERTED
    return caught.value.message


def test_fail_and_require_revert_with_their_message(engine: Engine) -> None:
    assert _message(engine, "GET 0 | FAIL", "because") == "because"
    assert _message(engine, "GET 0 | FAIL", "x" * 1_000) == "x" * MESSAGE_LENGTH_MAX
    assert _message(engine, "FALSE | REQUIRE 0 | INT 1 | RETURN", "") == "no"


def test_require_goes_on_if_true(engine: Engine) -> None:
    assert run(engine, module_of("TRUE | REQUIRE 0 | INT 1 | RETURN")).result == 1


def test_locals_start_as_zero_values(engine: Engine) -> None:
    body = "GET 0 | LLEN | GET 1 | FIELD 0 | ADD | GET 2 | LEN | ADD | GET 3 | ADD | RETURN"
    assert run(engine, module_of(body, local_types="t16 t18 Str Int")).result == 0


@pytest.mark.parametrize(
    ("body", "result", "expected"),
    [
        ("CONST 1 | RETURN", "Int", 115792089237316195423570985008687907853269984665640564039457),
        ("CONST 3 | RETURN", "Str", "héllo"),
        ("INT -7 | RETURN", "Int", -7),
        ("TRUE | RETURN", "Bool", True),
        ("FALSE | RETURN", "Bool", False),
        ("UNIT | RETURN", "Unit", None),
        ("NONE t27 | RETURN", "t27", None),
        ("DEFAULT t18 | RETURN", "t18", (0, "")),
        ("DEFAULT Address | RETURN", "Address", bytes(32)),
        ("INT 1 | INT 2 | DROP | RETURN", "Int", 1),
    ],
)
def test_value_is_pushed(engine: Engine, body: str, result: str, expected: object) -> None:
    assert run(engine, module_of(body, result=result)).result == expected
