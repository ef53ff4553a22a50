"""The encoding: one for each value, read back strictly, bounded before it is made."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm import types
from node.vm.limits import ENCODED_VALUE_BYTES_MAX, INT_MAX, INT_MIN, LIST_LENGTH_MAX
from node.vm.shapes import Value
from node.vm.traps import Trap, VmTrap
from node.vm.types import COMPOSITE_FIRST, Field, ListType, OptionType, RecordType, TypeIndex
from node.vm.values import ValueCodec
from tests.vm import palette
from tests.vm.engines.lab import DEEP, repeated

INTS = st.one_of(
    st.integers(INT_MIN, INT_MAX), st.integers(-(2**66), 2**66), st.integers(-200, 300)
)
SCALARS: dict[int, st.SearchStrategy[Value]] = {
    types.UNIT: st.none(),
    types.BOOL: st.booleans(),
    types.INT: INTS,
    types.FIXED: INTS,
    types.BYTES: st.binary(max_size=300),
    types.STR: st.text(max_size=300),
    types.ADDRESS: st.binary(min_size=32, max_size=32),
}


def values_of(index: int) -> st.SearchStrategy[Value]:
    if index < COMPOSITE_FIRST:
        return SCALARS[index]
    match palette.TYPES[index - COMPOSITE_FIRST]:
        case ListType(item=item):
            return st.lists(values_of(item), max_size=20).map(tuple)
        case OptionType(item=item):
            return st.one_of(st.none(), st.tuples(values_of(item)))
        case RecordType(fields=fields):
            return st.tuples(*(values_of(field.type) for field in fields))
        case _:
            raise AssertionError("maps are no values")


TYPED_VALUES = st.sampled_from(palette.VALUE_TYPES).flatmap(
    lambda index: st.tuples(st.just(index), values_of(index))
)


def codec_of(index: int) -> ValueCodec:
    return ValueCodec.of_type(palette.TYPES, TypeIndex(index))


def trap_of(codec: ValueCodec, raw: bytes) -> Trap:
    with pytest.raises(VmTrap) as caught:
        codec.decode(raw)
    return caught.value.trap


@settings(max_examples=100)
@given(TYPED_VALUES)
def test_value_is_read_back_from_its_encoding(typed: tuple[int, Value]) -> None:
    index, value = typed
    codec = codec_of(index)
    read = codec.decode(codec.encode(value))
    assert read == value
    assert type(read) is type(value)


@settings(max_examples=100)
@given(TYPED_VALUES)
def test_limit_of_the_encoding_is_exact(typed: tuple[int, Value]) -> None:
    index, value = typed
    codec = codec_of(index)
    encoded = codec.encode(value)
    assert codec.encode_up_to(value, len(encoded)) == encoded
    assert codec.encode_up_to(value, len(encoded) - 1) is None
    assert codec.size_max is None or len(encoded) <= codec.size_max


@settings(max_examples=100)
@given(TYPED_VALUES, st.data())
def test_no_other_bytes_decode_to_the_value(typed: tuple[int, Value], data: st.DataObject) -> None:
    index, value = typed
    codec = codec_of(index)
    raw = bytearray(codec.encode(value))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        other = codec.decode(bytes(raw))
    except VmTrap:
        return
    assert other != value
    assert codec.encode(other) == raw


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (-1, "ff"),
        (-33, "d0df"),
        (2**64 - 1, "cfffffffffffffffff"),
        (-(2**63), "d38000000000000000"),
        (2**64, "c420" + f"{2**64:064x}"),
        (-(2**63) - 1, "c420" + f"{2**256 - 2**63 - 1:064x}"),
    ],
)
def test_integer_is_native_where_msgpack_reaches_and_32_bytes_beyond(
    value: int, encoded: str
) -> None:
    codec = codec_of(types.INT)
    assert codec.encode(value).hex() == encoded
    assert codec.decode(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize(
    ("index", "raw"),
    [
        (types.INT, "cc01"),
        (types.INT, "c420" + "00" * 32),
        (types.INT, "c420" + f"{2**63:064x}"),
        (types.INT, "c41f" + "7f" * 31),
        (types.INT, "c421" + "7f" * 33),
        (types.INT, "c3"),
        (types.INT, "0000"),
        (types.INT, ""),
        (types.BOOL, "01"),
        (types.UNIT, "c2"),
        (types.STR, "c403616263"),
        (types.STR, "a1ff"),
        (types.STR, "d90161"),
        (types.BYTES, "a3616263"),
        (types.ADDRESS, "c41f" + "00" * 31),
        (types.ADDRESS, "c421" + "00" * 33),
        (palette.INTS, "9101" + "02"),
        (palette.INTS, "dc000101"),
        (palette.INTS, "91c0"),
        (palette.PRICE, "9101"),
        (palette.PRICE, "930" + "1c3c3"),
        (palette.MAYBE_INT, "90"),
        (palette.MAYBE_INT, "920101"),
        (palette.MAYBE_MAYBE, "91" * 3 + "01"),
        (palette.TABLE, "91" * 500),
    ],
)
def test_bytes_that_are_no_encoding_are_refused(index: int, raw: str) -> None:
    assert trap_of(codec_of(index), bytes.fromhex(raw)) is Trap.ENCODING


def test_encoding_over_the_limit_is_refused_unread() -> None:
    codec = codec_of(types.BYTES)
    longest = codec.encode(bytes(ENCODED_VALUE_BYTES_MAX - 3))
    assert len(longest) == ENCODED_VALUE_BYTES_MAX
    codec.decode(longest)
    assert trap_of(codec, codec.encode(bytes(ENCODED_VALUE_BYTES_MAX - 2))) is Trap.ENCODING


def test_list_over_the_limit_is_refused() -> None:
    codec = codec_of(palette.INTS)
    raw = msgspec.msgpack.encode([1] * LIST_LENGTH_MAX)
    assert codec.decode(raw) == repeated(1)
    assert trap_of(codec, msgspec.msgpack.encode([1] * (LIST_LENGTH_MAX + 1))) is Trap.ENCODING


def test_shared_parts_are_counted_as_often_as_they_would_be_written() -> None:
    # 4,096 ** 3 integers: no machine encodes these, so nobody must try.
    assert codec_of(palette.TABLES).encode_up_to(DEEP, ENCODED_VALUE_BYTES_MAX) is None


@pytest.mark.parametrize(
    ("index", "zero"),
    [
        (types.UNIT, None),
        (types.BOOL, False),
        (types.INT, 0),
        (types.BYTES, b""),
        (types.STR, ""),
        (types.ADDRESS, bytes(32)),
        (palette.INTS, ()),
        (palette.MAYBE_INT, None),
        (palette.PERSON, (0, "", bytes(32), ())),
    ],
)
def test_zero_value(index: int, zero: Value) -> None:
    assert codec_of(index).zero == zero


def test_map_is_no_value() -> None:
    with pytest.raises(ValueError, match="no value"):
        codec_of(palette.MAYBE_MAYBE + 1)


def test_wide_integers_stand_beside_what_is_absent() -> None:
    table = (
        OptionType(types.INT),
        RecordType("R", (Field("a", TypeIndex(16)), Field("b", types.INT))),
    )
    codec = ValueCodec.of_type(table, TypeIndex(17))
    for value in ((None, INT_MAX), ((INT_MIN,), 1), ((2,), INT_MIN)):
        assert codec.decode(codec.encode(value)) == value
