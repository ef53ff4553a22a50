"""Types are looked up by index; their signatures say what they mean to other modules."""

import pytest

from node.vm.assembler import assemble
from node.vm.limits import TYPE_LEAVES_MAX
from node.vm.type_table import TypeTable
from node.vm.types import COMPOSITE_FIRST, INT, SCALAR_NAMES, STR, TypeIndex
from node.vm.verified import StorageShape
from node.vm.verifier import verify
from tests.vm.code.listing import lines, type_named, with_code

TABLE = verify(with_code(lines("UNIT; RETURN"))).types


def _table(*entries: str) -> TypeTable:
    return verify(assemble("module A 1\n" + "\n".join(f"type {each}" for each in entries))).types


@pytest.mark.parametrize(
    ("index", "exists"),
    [
        (-1, False),
        (0, True),
        (6, True),
        (7, False),
        (15, False),
        (16, True),
        (25, True),
        (26, False),
    ],
)
def test_indices_between_scalars_and_table_are_no_types(index: int, exists: bool) -> None:
    assert TABLE.exists(index) is exists


def test_parts_of_a_type_are_asked_by_kind() -> None:
    assert TABLE.list_item(type_named("t16")) == INT
    assert TABLE.option_item(type_named("t17")) == INT
    assert TABLE.record_fields(type_named("t18")) == (INT, STR)
    assert TABLE.is_map(type_named("t19"))


@pytest.mark.parametrize("index", [INT, type_named("t19")])
def test_type_of_another_kind_has_no_such_parts(index: TypeIndex) -> None:
    assert TABLE.list_item(index) is None
    assert TABLE.option_item(index) is None
    assert TABLE.record_fields(index) is None


@pytest.mark.parametrize(
    ("name", "text", "signature"),
    [
        ("Int", "Int", "Int"),
        ("t16", "List[Int]", "List[Int]"),
        ("t17", "Option[Int]", "Option[Int]"),
        ("t18", "Pair", "{a:Int,b:Str}"),
        ("t25", "Map[Int, Map[Address, Int]]", "Map[Int,Map[Address,Int]]"),
    ],
)
def test_type_is_written_as_in_the_language(name: str, text: str, signature: str) -> None:
    assert TABLE.name(type_named(name)) == text
    assert TABLE.signature(type_named(name)) == signature


def test_records_of_two_modules_mean_the_same_if_their_fields_do() -> None:
    ours = _table("list Int", "record Ours a:Int b:t16")
    theirs = _table("record Other x:Str", "list Int", "record Theirs a:Int b:t17")
    other = _table("list Int", "record Ours a:Int c:t16")
    assert ours.signature(type_named("t17")) == theirs.signature(type_named("t18"))
    assert ours.signature(type_named("t17")) != other.signature(type_named("t17"))


def test_widest_type_is_within_the_limit_and_its_signature_is_short() -> None:
    fields = " ".join(f"{'n' * 60}{index}:Int" for index in range(32))
    wide = " ".join(f"f{index}:t16" for index in range(TYPE_LEAVES_MAX // 32))
    table = _table(f"record A {fields}", f"record B {wide}")
    assert len(table.signature(TypeIndex(COMPOSITE_FIRST + 1))) < TYPE_LEAVES_MAX * 100


def test_deepest_types_are_within_the_limits() -> None:
    table = _table(
        *("list Int", "list t16", "list t17", "list t18"),
        *("map Int t19", "map Int t20", "map Int t21"),
    )
    assert table.name(TypeIndex(22)).count("Map") == 3


def test_storage_is_laid_out_by_keys_and_leaf() -> None:
    layout = verify(with_code(lines("UNIT; RETURN"))).storage
    rows = {field.name: (field.keys, field.shape, field.leaf, field.element) for field in layout}
    number, text, address = type_named("Int"), type_named("Str"), type_named("Address")
    numbers, pair = type_named("t16"), type_named("t18")
    assert rows == {
        "total": ((), StorageShape.VALUE, number, number),
        "seen": ((address,), StorageShape.VALUE, number, number),
        "log": ((), StorageShape.LIST, numbers, number),
        "logs": ((text,), StorageShape.LIST, numbers, number),
        "pair": ((), StorageShape.VALUE, pair, pair),
        "deep": ((number, address), StorageShape.VALUE, number, number),
    }


def test_scalars_have_the_names_of_the_language() -> None:
    assert [TABLE.name(TypeIndex(index)) for index in range(7)] == list(SCALAR_NAMES)
