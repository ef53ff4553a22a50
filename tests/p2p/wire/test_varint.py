import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.wire.varint import PROTOBUF_VARINT_SIZE_BYTES_MAX, decode_varint, encode_varint
from primitives.errors import MalformedBytesError

NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (255, "ff01"),
        (300, "ac02"),
        (16384, "808001"),
        (2**63 - 1, "ffffffffffffffff7f"),
    ],
)
def test_numbers_are_written_as_the_specification_shows(number: int, encoded: str) -> None:
    assert encode_varint(number).hex() == encoded
    assert decode_varint(bytes.fromhex(encoded)) == (number, len(encoded) // 2)


@given(NUMBERS, st.binary(max_size=4), st.binary(max_size=4))
def test_a_number_is_found_at_its_offset(number: int, before: bytes, after: bytes) -> None:
    encoded = encode_varint(number)
    end = len(before) + len(encoded)
    assert decode_varint(before + encoded + after, len(before)) == (number, end)


@given(NUMBERS)
def test_an_unfinished_number_asks_for_more(number: int) -> None:
    encoded = encode_varint(number)
    assert all(decode_varint(encoded[:size]) is None for size in range(len(encoded)))


@given(st.binary(min_size=1, max_size=10))
def test_a_number_has_one_encoding(raw: bytes) -> None:
    try:
        read = decode_varint(raw)
    except MalformedBytesError:
        return
    if read is not None:
        number, end = read
        assert encode_varint(number) == raw[:end]


@pytest.mark.parametrize("raw", ["8000", "ff00", "808080808080808000"])
def test_a_longer_form_than_needed_is_refused(raw: str) -> None:
    with pytest.raises(MalformedBytesError, match="shortest"):
        decode_varint(bytes.fromhex(raw))


def test_length_is_bounded_even_while_bytes_are_missing() -> None:
    endless = b"\xff" * 9
    assert decode_varint(endless[:8]) is None
    with pytest.raises(MalformedBytesError, match="more than 9 bytes"):
        decode_varint(endless)
    with pytest.raises(MalformedBytesError, match="more than 2 bytes"):
        decode_varint(endless, 3, size_bytes_max=2)


def test_protobuf_may_use_ten_bytes() -> None:
    encoded = encode_varint(2**64 - 1)
    assert len(encoded) == PROTOBUF_VARINT_SIZE_BYTES_MAX
    assert decode_varint(encoded, size_bytes_max=10) == (2**64 - 1, 10)
