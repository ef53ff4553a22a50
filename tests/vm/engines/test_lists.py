import pytest

from node.vm.engine import Engine
from node.vm.limits import INT_MAX, INT_MIN, LIST_LENGTH_MAX
from node.vm.shapes import Value
from node.vm.traps import Trap
from tests.vm.engines.lab import module_of, run

FULL = tuple(range(LIST_LENGTH_MAX))

Row = tuple[str, str, tuple[Value, ...], str, Value | Trap]

ROWS: list[Row] = [
    ("LGET", "t16 Int", ((5, 6), 1), "Int", 6),
    ("LGET", "t16 Int", ((5, 6), 2), "Int", Trap.INDEX),
    ("LGET", "t16 Int", ((5, 6), -1), "Int", Trap.INDEX),
    ("LSET", "t16 Int Int", ((5, 6), 0, 9), "t16", (9, 6)),
    ("LSET", "t16 Int Int", ((5, 6), 1, 9), "t16", (5, 9)),
    ("LSET", "t16 Int Int", ((5, 6), 2, 9), "t16", Trap.INDEX),
    ("LAPPEND", "t16 Int", ((5,), 6), "t16", (5, 6)),
    ("LAPPEND", "t16 Int", (FULL[1:], 6), "t16", (*FULL[1:], 6)),
    ("LAPPEND", "t16 Int", (FULL, 6), "t16", Trap.VALUE_SIZE),
    ("LLEN", "t16", ((5, 6),), "Int", 2),
    ("LCONTAINS", "t16 Int", ((5, 6), 6), "Bool", True),
    ("LCONTAINS", "t20 Str", (("a", "b"), "c"), "Bool", False),
    ("LCONCAT", "t16 t16", ((5,), (6, 7)), "t16", (5, 6, 7)),
    ("LCONCAT", "t16 t16", (FULL, (1,)), "t16", Trap.VALUE_SIZE),
    ("LSLICE", "t16 Int Int", ((5, 6, 7), 1, 3), "t16", (6, 7)),
    ("LSLICE", "t16 Int Int", ((5, 6, 7), 2, 1), "t16", Trap.INDEX),
    ("LSLICE", "t16 Int Int", ((5, 6, 7), 0, 4), "t16", Trap.INDEX),
    ("SORT", "t16", ((3, -1, 2),), "t16", (-1, 2, 3)),
    ("SUM", "t16", ((3, -1, 2),), "Int", 4),
    ("SUM", "t16", ((),), "Int", 0),
    ("SUM", "t16", ((INT_MAX, 1, -1),), "Int", INT_MAX),
    ("SUM", "t16", ((INT_MAX, 1),), "Int", Trap.OVERFLOW),
    ("WEIGHTED_MEDIAN", "t16 t16", ((10, 20, 30), (1, 1, 1)), "Int", 20),
    ("WEIGHTED_MEDIAN", "t16 t16", ((10, 20, 30), (5, 1, 1)), "Int", 10),
    ("WEIGHTED_MEDIAN", "t28 t16", ((7,), (1,)), "Fixed", 7),
    ("WEIGHTED_MEDIAN", "t16 t16", ((10, 20), (1,)), "Int", Trap.RANGE),
    ("WEIGHTED_MEDIAN", "t16 t16", ((10, 20), (1, -1)), "Int", Trap.RANGE),
    ("WEIGHTED_MEDIAN", "t16 t16", ((10, 20), (0, 0)), "Int", Trap.RANGE),
    ("WEIGHTED_MEDIAN", "t16 t16", ((), ()), "Int", Trap.RANGE),
    ("QUANTILE", "t16 Int Int", ((4, 1, 3, 2), 1, 2), "Int", 2),
    ("QUANTILE", "t16 Int Int", ((4, 1, 3, 2), 0, 1), "Int", 1),
    ("QUANTILE", "t16 Int Int", ((4, 1, 3, 2), INT_MAX, INT_MAX), "Int", 4),
    ("QUANTILE", "t16 Int Int", ((), 1, 2), "Int", Trap.RANGE),
    ("QUANTILE", "t16 Int Int", ((1,), 3, 2), "Int", Trap.RANGE),
    ("QUANTILE", "t16 Int Int", ((1,), -1, 2), "Int", Trap.RANGE),
    ("QUANTILE", "t16 Int Int", ((1,), 0, 0), "Int", Trap.RANGE),
    ("TOP_K t16", "t16 Int", ((1, 9, 4, 9), 3), "t16", (1, 3, 2)),
    ("TOP_K t16", "t16 Int", ((INT_MIN, INT_MAX), 2), "t16", (1, 0)),
    ("TOP_K t16", "t16 Int", ((1,), 0), "t16", ()),
    ("TOP_K t16", "t16 Int", ((1,), 2), "t16", Trap.RANGE),
    ("TOP_K t16", "t16 Int", ((1,), -1), "t16", Trap.RANGE),
    ("RECORD t18", "Int Str", (1, "a"), "t18", (1, "a")),
    ("FIELD 1", "t18", ((1, "a"),), "Str", "a"),
    ("WITH 0", "t18 Int", ((1, "a"), 2), "t18", (2, "a")),
    ("WITH 1", "t18 Str", ((1, "a"), "b"), "t18", (1, "b")),
    ("SOME t17", "Int", (1,), "t17", (1,)),
    ("IS_SOME", "t17", ((0,),), "Bool", True),
    ("IS_SOME", "t17", (None,), "Bool", False),
    ("UNWRAP", "t17", ((4,),), "Int", 4),
    ("UNWRAP", "t17", (None,), "Int", Trap.UNWRAP),
    ("UNWRAP_OR", "t17 Int", ((4,), 5), "Int", 4),
    ("UNWRAP_OR", "t17 Int", (None, 5), "Int", 5),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[3]}")
def test_operation_gives_what_the_specification_says(engine: Engine, row: Row) -> None:
    op, params, operands, result, expected = row
    gets = " | ".join(f"GET {place}" for place in range(len(operands)))
    module = module_of(f"{gets} | {op} | RETURN", params=params, result=result)
    assert run(engine, module, operands, gas=10**7).result == expected


@pytest.mark.parametrize(("items", "expected"), [((7, 8, 9), 9), ((7,), 7), ((), Trap.INDEX)])
def test_pop_takes_the_last_item(
    engine: Engine, items: tuple[int, ...], expected: int | Trap
) -> None:
    module = module_of("GET 0 | LPOP | SET 1 | SET 0 | GET 1 | RETURN", params="t16 Int")
    assert run(engine, module, (items, 0)).result == expected


def test_pop_leaves_the_rest_below_the_item(engine: Engine) -> None:
    module = module_of("GET 0 | LPOP | DROP | RETURN", params="t16", result="t16")
    assert run(engine, module, ((7, 8, 9),)).result == (7, 8)


def test_list_is_made_of_the_operands_in_their_order(engine: Engine) -> None:
    module = module_of("INT 1 | INT 2 | INT 3 | LIST 3 t16 | RETURN", result="t16")
    assert run(engine, module).result == (1, 2, 3)


def test_list_that_is_copied_does_not_change_with_the_copy(engine: Engine) -> None:
    module = module_of(
        "GET 0 | SET 1 | GET 1 | INT 0 | INT 9 | LSET | SET 1 | GET 0 | RETURN",
        params="t16 t16",
        result="t16",
    )
    assert run(engine, module, ((1, 2), ())).result == (1, 2)


def test_literals_of_options_need_no_local(engine: Engine) -> None:
    body = "NONE t17 | IS_SOME | INT 5 | SOME t17 | IS_SOME | XOR | RETURN"
    assert run(engine, module_of(body, result="Bool")).result is True
    assert run(engine, module_of("INT 5 | SOME t17 | UNWRAP | RETURN")).result == 5
    assert run(engine, module_of("NONE t17 | UNWRAP | RETURN")).result is Trap.UNWRAP
    assert run(engine, module_of("NONE t17 | INT 3 | UNWRAP_OR | RETURN")).result == 3
    assert run(engine, module_of("INT 1 | CONST 0 | RECORD t18 | FIELD 0 | RETURN")).result == 1


def test_growing_a_list_forever_ends_at_its_limit(engine: Engine) -> None:
    # In doubling steps, so that the limit of memory is far.
    module = module_of("LOOP | GET 0 | GET 0 | LCONCAT | SET 0 | REPEAT", params="t16")
    assert run(engine, module, ((1,),), gas=10**8).result is Trap.VALUE_SIZE


def test_copying_lists_forever_ends_at_the_limit_of_memory(engine: Engine) -> None:
    module = module_of("LOOP | GET 0 | INT 0 | INT 1 | LSET | SET 0 | REPEAT", params="t16")
    assert run(engine, module, (FULL,), gas=10**8).result is Trap.MEMORY
    records = module_of("LOOP | INT 1 | CONST 0 | RECORD t18 | DROP | REPEAT")
    ending = run(engine, records, memory_bytes=480)
    assert ending.result is Trap.MEMORY
    assert ending.meter.memory_bytes == 0
    lists = module_of("LOOP | INT 1 | LIST 1 t16 | DROP | REPEAT")
    ending = run(engine, lists, memory_bytes=401)
    assert ending.result is Trap.MEMORY
    assert ending.meter.memory_bytes == 1


def test_looking_for_a_text_costs_its_size_in_an_empty_list_too(engine: Engine) -> None:
    module = module_of("GET 0 | GET 1 | LCONTAINS | RETURN", params="t20 Str", result="Bool")
    short, long = (run(engine, module, ((), "é" * size)) for size in (1, 32_000))
    assert long.gas_used - short.gas_used == (32 + 64_000) // 16 - (32 + 2) // 16
