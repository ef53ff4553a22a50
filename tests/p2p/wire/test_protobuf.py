import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.wire import protobuf
from p2p.wire.protobuf import Value, bytes_field, number_field, read_fields
from p2p.wire.varint import encode_varint
from primitives.errors import MalformedBytesError

NUMBERS = st.integers(min_value=0, max_value=2**64 - 1)
VALUES = st.one_of(NUMBERS, st.binary(max_size=200))
FIELDS = st.lists(st.tuples(st.integers(1, 2**29 - 1), VALUES), max_size=6)


def write(fields: list[tuple[int, Value]]) -> bytes:
    return b"".join(
        number_field(field, value) if isinstance(value, int) else bytes_field(field, value)
        for field, value in fields
    )


def read(raw: bytes, *, fields_max: int = 100) -> list[tuple[int, Value]]:
    return list(read_fields(raw, fields_max=fields_max))


@given(FIELDS)
def test_fields_survive_in_their_order(fields: list[tuple[int, Value]]) -> None:
    assert read(write(fields), fields_max=len(fields)) == fields


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ("089601", [(1, 150)]),
        ("120774657374696e67", [(2, b"testing")]),
        ("1a03089601", [(3, b"\x08\x96\x01")]),
        ("", []),
    ],
)
def test_bytes_are_those_of_the_protobuf_guide(raw: str, fields: list[tuple[int, Value]]) -> None:
    assert read(bytes.fromhex(raw)) == fields
    assert write(fields).hex() == raw


def test_fields_of_fixed_size_are_bytes() -> None:
    raw = b"\x09" + struct.pack("<d", 1.5) + b"\x15" + struct.pack("<f", 2.5) + number_field(3, 4)
    assert read(raw) == [(1, struct.pack("<d", 1.5)), (2, struct.pack("<f", 2.5)), (3, 4)]


@given(st.binary(max_size=40))
def test_any_bytes_are_fields_or_refused(raw: bytes) -> None:
    try:
        fields = read(raw)
    except MalformedBytesError:
        return
    assert sum(len(value) for _, value in fields if isinstance(value, bytes)) <= len(raw)


def test_more_fields_than_allowed_are_refused_before_they_are_read() -> None:
    bomb = bytes_field(1, b"") * 1_000_000
    fields = read_fields(bomb, fields_max=3)
    assert [next(fields) for _ in range(3)] == [(1, b"")] * 3
    with pytest.raises(MalformedBytesError, match="more than 3 fields"):
        next(fields)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x0a\x05abcd", "ends after its message"),
        (b"\x0a" + encode_varint(2**32) + b"abcd", "ends after its message"),
        (b"\x0a" + encode_varint(2**64 - 1), "ends after its message"),
        (b"\x09" + bytes(7), "ends after its message"),
        (b"\x0d" + bytes(3), "ends after its message"),
        (b"\x0a", "ends inside a varint"),
        (b"\x08\x80", "ends inside a varint"),
        (b"\x80", "ends inside a varint"),
        (b"\x08\x80\x00", "shortest form"),
        (b"\x08" + b"\xff" * 10, "more than 10 bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "wider than 64 bits"),
        (b"\x0b", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x0f", "wire type 7"),
        (b"\x00\x01", "0 is not the number of a field"),
        (encode_varint(2**29 << 3) + b"\x01", "not the number of a field"),
    ],
)
def test_malformed_message_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedBytesError, match=reason):
        read(raw)


def test_a_value_has_the_kind_that_is_expected() -> None:
    assert protobuf.expect_number(7) == 7
    assert protobuf.expect_bytes(b"7") == b"7"
    assert protobuf.expect_text("sieben \u00fc".encode()) == "sieben \u00fc"
    with pytest.raises(MalformedBytesError, match="expected a field with a number"):
        protobuf.expect_number(b"7")
    with pytest.raises(MalformedBytesError, match="expected a field of bytes"):
        protobuf.expect_bytes(7)
    with pytest.raises(MalformedBytesError, match="expected a field of bytes"):
        protobuf.expect_text(7)
    with pytest.raises(MalformedBytesError, match="not utf-8"):
        protobuf.expect_text(b"\xff")


def test_length_goes_in_front() -> None:
    assert protobuf.length_prefixed(b"") == b"\x00"
    assert protobuf.length_prefixed(bytes(300)) == b"\xac\x02" + bytes(300)
