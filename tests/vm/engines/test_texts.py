import hashlib

import pytest

from node.vm.engine import Engine
from node.vm.limits import BYTES_SIZE_MAX, INT_MAX, INT_MIN
from node.vm.shapes import Value
from node.vm.traps import Trap
from tests.vm.engines.lab import module_of, run

LONG = b"\xee" * BYTES_SIZE_MAX

Row = tuple[str, str, tuple[Value, ...], str, Value | Trap]

ROWS: list[Row] = [
    ("CONCAT", "Bytes Bytes", (b"ab", b"c"), "Bytes", b"abc"),
    ("CONCAT", "Str Str", ("é", "日"), "Str", "é日"),
    ("CONCAT", "Bytes Bytes", (LONG, b""), "Bytes", LONG),
    ("CONCAT", "Bytes Bytes", (LONG, b"a"), "Bytes", Trap.VALUE_SIZE),
    ("CONCAT", "Str Str", ("é" * 32_768, "a"), "Str", Trap.VALUE_SIZE),
    ("LEN", "Bytes", (b"abc",), "Int", 3),
    ("LEN", "Str", ("日本語",), "Int", 3),
    ("SLICE", "Bytes Int Int", (b"abcd", 1, 3), "Bytes", b"bc"),
    ("SLICE", "Bytes Int Int", (b"abcd", 4, 4), "Bytes", b""),
    ("SLICE", "Str Int Int", ("a日b", 1, 2), "Str", "日"),
    ("SLICE", "Bytes Int Int", (b"abcd", 3, 1), "Bytes", Trap.INDEX),
    ("SLICE", "Bytes Int Int", (b"abcd", -1, 1), "Bytes", Trap.INDEX),
    ("SLICE", "Bytes Int Int", (b"abcd", 1, 5), "Bytes", Trap.INDEX),
    ("BYTE_AT", "Bytes Int", (b"\x00\xff", 1), "Int", 255),
    ("BYTE_AT", "Bytes Int", (b"\x00\xff", 2), "Int", Trap.INDEX),
    ("BYTE_AT", "Bytes Int", (b"\x00\xff", -1), "Int", Trap.INDEX),
    ("CONTAINS", "Bytes Bytes", (b"abcd", b"bc"), "Bool", True),
    ("CONTAINS", "Str Str", ("abcd", ""), "Bool", True),
    ("CONTAINS", "Str Str", ("abcd", "x"), "Bool", False),
    ("CONTAINS", "Bytes Bytes", (LONG, b"a" * 65), "Bool", Trap.RANGE),
    ("STR_TO_BYTES", "Str", ("é",), "Bytes", b"\xc3\xa9"),
    ("INT_TO_BYTES", "Int Int", (258, 4), "Bytes", b"\0\0\x01\x02"),
    ("INT_TO_BYTES", "Int Int", (0, 0), "Bytes", b""),
    ("INT_TO_BYTES", "Int Int", (256, 1), "Bytes", Trap.OVERFLOW),
    ("INT_TO_BYTES", "Int Int", (-1, 4), "Bytes", Trap.OVERFLOW),
    ("INT_TO_BYTES", "Int Int", (1, 33), "Bytes", Trap.RANGE),
    ("INT_TO_BYTES", "Int Int", (1, -1), "Bytes", Trap.RANGE),
    ("BYTES_TO_INT", "Bytes", (b"\x01\x02",), "Int", 258),
    ("BYTES_TO_INT", "Bytes", (b"",), "Int", 0),
    ("BYTES_TO_INT", "Bytes", (b"\x7f" + b"\xff" * 31,), "Int", INT_MAX),
    ("BYTES_TO_INT", "Bytes", (b"\x80" + b"\0" * 31,), "Int", Trap.OVERFLOW),
    ("BYTES_TO_INT", "Bytes", (bytes(33),), "Int", Trap.RANGE),
    ("INT_TO_STR", "Int", (INT_MIN,), "Str", str(INT_MIN)),
    ("SHA256", "Bytes", (b"abc",), "Bytes", hashlib.sha256(b"abc").digest()),
    ("ADDRESS_TO_BYTES", "Address", (b"\x07" * 32,), "Bytes", b"\x07" * 32),
    ("BYTES_TO_ADDRESS", "Bytes", (b"\x07" * 32,), "Address", b"\x07" * 32),
    ("BYTES_TO_ADDRESS", "Bytes", (b"\x07" * 31,), "Address", Trap.RANGE),
    ("EQ", "Str Str", ("a", "a"), "Bool", True),
    ("NE", "Bytes Bytes", (b"a", b"b"), "Bool", True),
    ("LT", "Bytes Bytes", (b"a", b"a\0"), "Bool", True),
    ("LE", "Str Str", ("é", "z"), "Bool", False),
    ("GT", "Int Int", (INT_MAX, INT_MIN), "Bool", True),
    ("GE", "Fixed Fixed", (-1, -1), "Bool", True),
    ("EQ", "Address Address", (b"\x07" * 32, b"\x08" * 32), "Bool", False),
    ("NOT", "Bool", (False,), "Bool", True),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[3]}")
def test_operation_gives_what_the_specification_says(engine: Engine, row: Row) -> None:
    op, params, operands, result, expected = row
    gets = " | ".join(f"GET {place}" for place in range(len(operands)))
    module = module_of(f"{gets} | {op} | RETURN", params=params, result=result)
    found = run(engine, module, operands).result
    assert found == expected
    assert type(found) is type(expected)


def test_comparing_long_texts_costs_by_their_size(engine: Engine) -> None:
    module = module_of("GET 0 | GET 1 | EQ | RETURN", params="Str Str", result="Bool")
    short = run(engine, module, ("a", "b")).gas_used
    assert run(engine, module, ("a" * 3, "b" * 4)).gas_used == short
    ascii_gas = run(engine, module, ("a" * 30_000, "b" * 30_000)).gas_used
    assert ascii_gas > short
    # The size is that of the UTF-8: as many code points, twice the bytes.
    assert run(engine, module, ("é" * 30_000, "b" * 30_000)).gas_used > ascii_gas


def test_comparing_addresses_costs_the_same_always(engine: Engine) -> None:
    module = module_of("GET 0 | GET 1 | EQ | RETURN", params="Address Address", result="Bool")
    assert (
        run(engine, module, (b"a" * 32, b"a" * 32)).gas_used
        == module.functions[0].instructions[0].segment_gas
    )


def test_doubling_a_text_ends_at_the_limit_of_values(engine: Engine) -> None:
    module = module_of("LOOP | GET 0 | DUP | CONCAT | SET 0 | REPEAT", params="Str", result="Int")
    assert run(engine, module, ("ab",)).result is Trap.VALUE_SIZE


def test_allocating_forever_ends_at_the_limit_of_memory(engine: Engine) -> None:
    module = module_of(
        "LOOP | GET 0 | GET 1 | CONCAT | DROP | REPEAT", params="Bytes Bytes", result="Int"
    )
    assert run(engine, module, (b"x" * 65_000, b"y"), gas=10**8).result is Trap.MEMORY


def test_searching_costs_by_the_size_of_both_texts(engine: Engine) -> None:
    module = module_of("GET 0 | GET 1 | CONTAINS | RETURN", params="Str Str", result="Bool")
    # Going through a long text takes time, however short the needle is.
    short, long, longer = (
        run(engine, module, texts).gas_used
        for texts in (("a" * 100, "b"), ("a" * 10_000, "b"), ("a" * 10_000, "b" * 64))
    )
    assert long > 5 * short
    assert longer > 3 * long
