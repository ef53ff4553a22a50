import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.vm import types
from node.vm.abi import ForeignValueError, PythonValue, from_value, to_value
from node.vm.lang.compiler import compile_contract
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.stored import StoredField, UnknownFieldError
from node.vm.type_table import TypeTable
from node.vm.types import Field, ListType, MapType, OptionType, RecordType, TypeIndex
from node.vm.verifier import verify

TABLE = TypeTable(
    [
        ListType(types.INT),
        OptionType(types.STR),
        RecordType("Pair", (Field("a", types.INT), Field("b", types.FIXED))),
        ListType(TypeIndex(18)),
        MapType(types.INT, types.INT),
    ]
)
LIST, OPTION, PAIR, PAIRS, MAP = (TypeIndex(index) for index in range(16, 21))
ADDRESS = bytes(32)


@pytest.mark.parametrize(
    ("index", "given_value", "value"),
    [
        (types.UNIT, None, None),
        (types.BOOL, True, True),
        (types.INT, -5, -5),
        (types.BYTES, b"x", b"x"),
        (types.STR, "x", "x"),
        (types.ADDRESS, ADDRESS, ADDRESS),
        (types.FIXED, decimal.Decimal("0.25"), 25 * 10**16),
        (LIST, [1, 2], (1, 2)),
        (OPTION, None, None),
        (OPTION, "x", ("x",)),
        (PAIR, {"b": decimal.Decimal(1), "a": 2}, (2, 10**18)),
        (PAIRS, [{"a": 1, "b": decimal.Decimal(0)}], ((1, 0),)),
    ],
)
def test_a_python_value_becomes_the_value_of_its_type_and_back(
    index: TypeIndex, given_value: PythonValue, value: object
) -> None:
    made = to_value(TABLE, index, given_value)
    assert made == value
    assert from_value(TABLE, index, made) == given_value


@pytest.mark.parametrize(
    ("index", "given_value"),
    [
        (types.UNIT, 0),
        (types.BOOL, 1),
        (types.INT, True),
        (types.INT, INT_MAX + 1),
        (types.INT, INT_MIN - 1),
        (types.BYTES, "x"),
        (types.STR, b"x"),
        (types.ADDRESS, b"short"),
        (types.FIXED, True),
        (types.FIXED, b"1"),
        (types.FIXED, "one"),
        (types.FIXED, "1e-19"),
        (types.FIXED, INT_MAX),
        (LIST, "12"),
        (LIST, 1),
        (LIST, ["1"]),
        (PAIR, {"a": 1}),
        (PAIR, {"a": 1, "b": 1, "c": 1}),
        (PAIR, [1, 2]),
        (MAP, {}),
    ],
)
def test_a_python_value_of_another_type_is_refused(
    index: TypeIndex, given_value: PythonValue
) -> None:
    with pytest.raises(ForeignValueError):
        to_value(TABLE, index, given_value)


@given(scaled=st.integers(INT_MIN, INT_MAX))
def test_every_fixed_number_survives_the_way_out_and_in(scaled: int) -> None:
    assert to_value(TABLE, types.FIXED, from_value(TABLE, types.FIXED, scaled)) == scaled


def test_a_map_is_no_result() -> None:
    with pytest.raises(ForeignValueError):
        from_value(TABLE, MAP, None)


MODULE = verify(
    compile_contract(
        """
class Shelf(Contract):
    total: Int
    owners: Map[Str, Map[Int, Address]]
    log: List[Int]

    @external
    def put(self, name: Str, place: Int):
        self.owners[name][place] = sender()
        self.total += 1
        self.log.append(place)
""",
        filename="shelf.contract",
    )
)


def test_a_stored_value_is_found_by_field_and_keys() -> None:
    field = StoredField(MODULE, "owners")
    assert field.key_names == ("Str", "Int")
    assert field.slot(["x", 7]) == b"\x01\xa1x\x07"
    assert StoredField(MODULE, "total").read(b"\x05") == 5


@pytest.mark.parametrize("name", ["missing", "log"])
def test_a_field_that_is_not_one_value_is_refused(name: str) -> None:
    with pytest.raises(UnknownFieldError):
        StoredField(MODULE, name)


@pytest.mark.parametrize("keys", [[], ["x"], ["x", 7, 8], [7, "x"]])
def test_other_keys_than_the_field_has_are_refused(keys: list[PythonValue]) -> None:
    with pytest.raises(ForeignValueError):
        StoredField(MODULE, "owners").slot(keys)
