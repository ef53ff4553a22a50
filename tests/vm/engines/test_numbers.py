import pytest

from node.vm.engine import Engine
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.traps import Trap
from tests.vm.engines.lab import module_of, run

ONE = 10**18

ROWS: list[tuple[str, tuple[int, ...], int | Trap]] = [
    ("ADD", (2, 3), 5),
    ("ADD", (INT_MAX, 0), INT_MAX),
    ("ADD", (INT_MAX, 1), Trap.OVERFLOW),
    ("ADD", (INT_MIN, -1), Trap.OVERFLOW),
    ("ADD", (INT_MIN, INT_MAX), -1),
    ("SUB", (2, 3), -1),
    ("SUB", (INT_MIN, 1), Trap.OVERFLOW),
    ("SUB", (INT_MAX, -1), Trap.OVERFLOW),
    ("SUB", (0, INT_MIN), Trap.OVERFLOW),
    ("MUL", (-4, 5), -20),
    ("MUL", (2**127, 2**127), 2**254),
    ("MUL", (2**128, 2**127), Trap.OVERFLOW),
    ("MUL", (-(2**128), 2**127), INT_MIN),
    ("MUL", (INT_MIN, -1), Trap.OVERFLOW),
    ("DIV", (7, 2), 3),
    ("DIV", (-7, 2), -4),
    ("DIV", (7, -2), -4),
    ("DIV", (7, 0), Trap.DIVISION_BY_ZERO),
    ("DIV", (INT_MIN, -1), Trap.OVERFLOW),
    ("DIV", (INT_MIN, 1), INT_MIN),
    ("MOD", (7, 3), 1),
    ("MOD", (-7, 3), 2),
    ("MOD", (7, -3), -2),
    ("MOD", (7, 0), Trap.DIVISION_BY_ZERO),
    ("NEG", (5,), -5),
    ("NEG", (INT_MIN,), Trap.OVERFLOW),
    ("ABS", (-5,), 5),
    ("ABS", (INT_MAX,), INT_MAX),
    ("ABS", (INT_MIN,), Trap.OVERFLOW),
    ("POW", (3, 4), 81),
    ("POW", (0, 0), 1),
    ("POW", (0, 5), 0),
    ("POW", (1, INT_MAX), 1),
    ("POW", (-1, INT_MAX), -1),
    ("POW", (-1, INT_MAX - 1), 1),
    ("POW", (-1, 0), 1),
    ("POW", (2, 254), 2**254),
    ("POW", (2, 255), Trap.OVERFLOW),
    ("POW", (-2, 255), INT_MIN),
    ("POW", (-2, 256), Trap.OVERFLOW),
    ("POW", (3, INT_MAX), Trap.OVERFLOW),
    ("POW", (INT_MAX, 2), Trap.OVERFLOW),
    ("POW", (INT_MIN, 1), INT_MIN),
    ("POW", (2, -1), Trap.RANGE),
    ("MIN", (2, -3), -3),
    ("MIN", (2, 3), 2),
    ("MAX", (2, -3), 2),
    ("MAX", (2, 3), 3),
    ("AND", (0b1100, 0b1010), 0b1000),
    ("AND", (-1, INT_MIN), INT_MIN),
    ("OR", (0b1100, 0b1010), 0b1110),
    ("XOR", (0b1100, 0b1010), 0b0110),
    ("XOR", (-1, INT_MAX), INT_MIN),
    ("SHL", (1, 254), 2**254),
    ("SHL", (1, 255), Trap.OVERFLOW),
    ("SHL", (-1, 255), INT_MIN),
    ("SHL", (1, 256), Trap.RANGE),
    ("SHL", (1, -1), Trap.RANGE),
    ("SHR", (-9, 1), -5),
    ("SHR", (INT_MAX, 255), 0),
    ("SHR", (INT_MIN, 255), -1),
    ("SHR", (1, 256), Trap.RANGE),
    ("SHR", (1, -1), Trap.RANGE),
    ("ISQRT", (99,), 9),
    ("ISQRT", (INT_MAX,), 240615969168004511545033772477625056927),
    ("ISQRT", (-1,), Trap.RANGE),
    ("MULDIV", (INT_MAX, INT_MAX, INT_MAX), INT_MAX),
    ("MULDIV", (-7, 1, 2), -4),
    ("MULDIV", (7, 1, -2), -4),
    ("MULDIV", (INT_MAX, 2, 1), Trap.OVERFLOW),
    ("MULDIV", (1, 1, 0), Trap.DIVISION_BY_ZERO),
    ("TO_FIXED", (3,), 3 * ONE),
    ("TO_FIXED", (INT_MAX,), Trap.OVERFLOW),
]

FIXED_ROWS: list[tuple[str, tuple[int, ...], int | Trap]] = [
    ("ADD", (ONE, ONE), 2 * ONE),
    ("SUB", (INT_MIN, ONE), Trap.OVERFLOW),
    ("FMUL", (3 * ONE // 2, 3 * ONE // 2), 9 * ONE // 4),
    ("FMUL", (-1, 1), -1),
    ("FMUL", (INT_MAX, 2 * ONE), Trap.OVERFLOW),
    ("FDIV", (ONE, 3 * ONE), ONE // 3),
    ("FDIV", (-ONE, 3 * ONE), -(ONE // 3) - 1),
    ("FDIV", (INT_MAX, 1), Trap.OVERFLOW),
    ("FDIV", (ONE, 0), Trap.DIVISION_BY_ZERO),
    ("FLOOR_INT", (-1,), -1),
    ("FLOOR_INT", (7 * ONE // 2,), 3),
]


@pytest.mark.parametrize(("op", "operands", "expected"), ROWS)
def test_operation_on_int_gives_what_the_specification_says(
    engine: Engine, op: str, operands: tuple[int, ...], expected: int | Trap
) -> None:
    result = "Fixed" if op == "TO_FIXED" else "Int"
    gets = " | ".join(f"GET {place}" for place in range(len(operands)))
    module = module_of(
        f"{gets} | {op} | RETURN", params=" ".join("Int" for _ in operands), result=result
    )
    assert run(engine, module, operands).result == expected


@pytest.mark.parametrize(
    ("op", "operands", "expected"),
    [row for row in ROWS if all(abs(operand) < 2**31 for operand in row[1][1:])],
)
def test_operation_on_a_literal_gives_the_same(
    engine: Engine, op: str, operands: tuple[int, ...], expected: int | Trap
) -> None:
    first, *rest = operands
    literals = "".join(f"INT {operand} | " for operand in rest)
    result = "Fixed" if op == "TO_FIXED" else "Int"
    module = module_of(f"GET 0 | {literals} {op} | RETURN", params="Int", result=result)
    assert run(engine, module, [first]).result == expected


@pytest.mark.parametrize(("op", "operands", "expected"), FIXED_ROWS)
def test_operation_on_fixed_gives_what_the_specification_says(
    engine: Engine, op: str, operands: tuple[int, ...], expected: int | Trap
) -> None:
    result = "Int" if op == "FLOOR_INT" else "Fixed"
    gets = " | ".join(f"GET {place}" for place in range(len(operands)))
    params = " ".join("Fixed" for _ in operands)
    module = module_of(f"{gets} | {op} | RETURN", params=params, result=result)
    assert run(engine, module, operands).result == expected


@pytest.mark.parametrize(
    ("op", "expected"),
    [("AND", [False, False, True]), ("OR", [False, True, True]), ("XOR", [False, True, False])],
)
def test_bitwise_operation_on_bool_is_a_bool(engine: Engine, op: str, expected: list[bool]) -> None:
    module = module_of(f"GET 0 | GET 1 | {op} | RETURN", params="Bool Bool", result="Bool")
    pairs = [(False, False), (False, True), (True, True)]
    results = [run(engine, module, pair).result for pair in pairs]
    assert results == expected
    assert all(type(result) is bool for result in results)


def test_trap_keeps_the_gas_that_was_not_charged(engine: Engine) -> None:
    module = module_of("INT 1 | INT 0 | DIV | RETURN")
    ending = run(engine, module)
    assert ending.result is Trap.DIVISION_BY_ZERO
    # The whole segment was paid for, and nothing else.
    assert ending.gas_used == module.functions[0].instructions[0].segment_gas
