"""The written specification says what the code does."""

import re

from node.vm.opcodes import Op
from tests.vm.code.specification import DOCUMENT, with_tables

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_tables_of_the_specification_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT, "run python -m tests.vm.code.specification"


def test_specification_has_every_part_that_is_written_from_the_code() -> None:
    parts = re.findall(r"from the code: (\w+)", TEXT)
    assert parts == [
        *("scalars", "kinds", "immediates", "opcodes", "limits", "traps", "reasons"),
    ]


def test_every_opcode_is_specified_once() -> None:
    rows = re.findall(r"^\| ([0-9a-f]{2}) \| `([A-Z_0-9]+)", TEXT, flags=re.MULTILINE)
    assert sorted((int(byte, 16), name) for byte, name in rows) == sorted(
        (op.value, op.name) for op in Op
    )
